"""DLRM: embeddings of categories, dealt to all ranks, and two dense networks, copied to all.

Naumov et al., "Deep Learning Recommendation Model", arXiv 1906.00091. Every rank looks up its tables for the whole
batch and sends each rank its samples, an alltoall forward and one back; the dense parts need an allreduce.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

from pydantic import Field, model_validator

from uet.base.values import StrictModel

Count = Annotated[int, Field(ge=1)]


class Recommendation(StrictModel):
    """Sizes of a DLRM: tables of `rows` vectors of `width`; layer widths of the networks, from input to output."""

    name: str = "dlrm"
    tables: Count
    rows: Count
    width: Count
    bottom: tuple[Count, ...]
    top: tuple[Count, ...]

    @model_validator(mode="after")
    def _fits(self) -> Recommendation:
        if self.bottom[-1] != self.width:
            raise ValueError(f"bottom ends with {self.bottom[-1]}; it must end with width={self.width}")
        if self.top[0] != self.interactions:
            raise ValueError(f"top begins with {self.top[0]}; the interactions of the vectors are {self.interactions}")
        return self

    @property
    def interactions(self) -> int:
        """Inputs of the top network: the bottom's output and the products of all pairs of vectors."""
        vectors = self.tables + 1
        return self.width + vectors * (vectors - 1) // 2

    @property
    def dense_parameters(self) -> int:
        """Parameters of the two networks, whose gradients are added up."""
        return sum((a + 1) * b for widths in (self.bottom, self.top) for a, b in pairwise(widths))

    @property
    def parameters(self) -> int:
        """All parameters."""
        return self.dense_parameters + self.tables * self.rows * self.width

    @property
    def forward_flop(self) -> int:
        """Operations of the forward pass of a sample."""
        dense = sum(2 * a * b for widths in (self.bottom, self.top) for a, b in pairwise(widths))
        return dense + (self.tables + 1) ** 2 * self.width

    def gradient_bytes(self, word_bytes: int = 4) -> int:
        """Return the bytes of the gradients that are added up."""
        return word_bytes * self.dense_parameters

    def alltoall_bytes(self, batch: int, ranks: int, word_bytes: int = 4) -> int:
        """Return the bytes that a rank has for all ranks in one alltoall of a step of `batch` samples."""
        return word_bytes * batch * self.tables * self.width // ranks
