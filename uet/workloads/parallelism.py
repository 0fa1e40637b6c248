"""`Parallelism`: how a model is dealt to ranks, and which ranks belong together.

Every rank has a place in four dimensions: tp (tensor, with sequence), cp (context), pp (pipeline) and dp
(data). Experts (ep) take the place of data and context: ep consecutive places of the dp x cp ranks, context
innermost, share out the experts. `order` says which dimension changes first along the ranks; Llama 3 has tp, cp,
pp, dp (arXiv 2407.21783, section 3.3.2).
"""

from __future__ import annotations

from itertools import pairwise
from math import prod
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, field_validator

from uet.base.errors import BadInput, nearest
from uet.base.values import StrictModel
from uet.schedule.model import Index
from uet.workloads.models.transformer import Transformer
from uet.workloads.pipelines.library import PIPELINES

Degree = Annotated[int, Field(ge=1, le=1_000_000)]
DIMENSIONS = ("tp", "pp", "dp", "ep", "cp")
ORDER = ("tp", "cp", "pp", "dp")


class Parallelism(StrictModel):
    """Degrees and what goes with them.

    `zero`: what of the optimizer's state (1), gradients (2) and parameters (3, FSDP) the dp ranks share out.
    `sequence_parallel`: norms and dropout are shared out over tp (Korthikanti et al., arXiv 2205.05198); `scatter`:
    stages send each other 1/tp of the activations and gather them again (implied by `sequence_parallel`).
    `chunks` of layers per stage (interleaving); `recompute`: what of the forward pass backward repeats,
    attention's core (`selective`) or all. `causal`: attention skips the masked half and keeps no scores.
    `overlap`: gradients travel during the last backward pass. `word_bytes` of an activation and a parameter,
    `gradient_bytes` of a gradient, `dispatch_bytes` of an activation on the way to its experts.
    """

    tp: Degree = 1
    pp: Degree = 1
    dp: Degree = 1
    ep: Degree = 1
    cp: Degree = 1
    zero: Literal[0, 1, 2, 3] = 0
    sequence_parallel: bool = False
    scatter: bool = False
    schedule: str = "1f1b"
    chunks: Degree = 1
    micro_batch: Degree = 1
    recompute: Literal["none", "selective", "full"] = "none"
    causal: bool = False
    overlap: bool = True
    word_bytes: Annotated[int, Field(ge=1, le=8)] = 2
    gradient_bytes: Annotated[int, Field(ge=1, le=8)] = 2
    dispatch_bytes: Annotated[int, Field(ge=1, le=8)] = 2
    order: tuple[str, ...] = ORDER

    @field_validator("schedule")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in PIPELINES:
            raise ValueError(f"unknown pipeline schedule; {nearest(name, PIPELINES)}")
        return name

    @field_validator("order", mode="before")
    @classmethod
    def _all_four(cls, value: Any) -> Any:
        names = value.replace("-", ",").split(",") if isinstance(value, str) else list(value)
        if sorted(names) != sorted(ORDER):
            raise ValueError("name tp, cp, pp and dp once each, the one that changes first in front: tp,cp,pp,dp")
        return tuple(names)

    @property
    def ranks(self) -> int:
        """How many ranks there are."""
        return self.tp * self.cp * self.pp * self.dp

    @property
    def parts(self) -> int:
        """Chunks of layers that a microbatch passes through."""
        return self.pp * self.chunks

    @property
    def replicas(self) -> int:
        """Ranks that hold the same parameters, but for experts."""
        return self.dp * self.cp

    def microbatches(self, batch: int) -> int:
        """Return how many microbatches a rank works on in a step of `batch` samples. Raises BadInput."""
        step = self.dp * self.micro_batch
        if batch < 1 or batch % step:
            near = max(step, round(batch / step) * step)
            raise BadInput(
                f"a global batch of {batch} is no multiple of dp={self.dp} times micro-batch={self.micro_batch}; "
                f"nearest: {near}"
            )
        return batch // step

    def layers_of(self, model: Transformer) -> tuple[range, ...]:
        """Return the layers of each of the `parts`, in the order a microbatch passes through them.

        Raises BadInput if they cannot be dealt evenly, the model's `ends` counted.
        """
        parts = self.parts
        short = -model.layers % parts
        if short > model.ends:
            raise BadInput(
                f"{model.name}: {model.layers} layers cannot be dealt to pp={self.pp} stages of {self.chunks} chunks; "
                f"{self._remedy(model)}"
            )
        full = (model.layers + short) // parts
        counts = [full] * parts
        for k in range(short):
            counts[-1 - k // 2 if k % 2 == 0 else k // 2] -= 1
        edges = np.cumsum([0, *counts]).tolist()
        return tuple(range(a, b) for a, b in pairwise(edges))

    def _remedy(self, model: Transformer) -> str:
        fits = [d for d in range(1, model.layers + 1) if -model.layers % (d * self.chunks) <= model.ends]
        legal = [d for d in fits if d * self.chunks <= model.layers + model.ends]
        if not legal:
            return f"choose fewer chunks than {self.chunks}"
        return f"nearest pp: {min(legal, key=lambda d: (abs(d - self.pp), d))}"

    def check(self, model: Transformer) -> None:
        """Raise BadInput with one sentence for each thing that does not go with the model."""
        found = [
            f"{model.name}: tp={self.tp} must divide its {n} {what}; choose another tp"
            for what, n in (("heads", model.heads), ("elements of a hidden layer", model.hidden), ("ffn", model.ffn))
            if n % self.tp
        ]
        if model.sequence % (self.cp * (self.tp if self.sequence_parallel else 1)):
            shares = f"cp={self.cp}" + (f" times tp={self.tp}" if self.sequence_parallel else "")
            found.append(
                f"{model.name}: a sequence of {model.sequence} cannot be dealt to {shares}; change one of them"
            )
        if self.ep > 1 and not model.experts:
            found.append(f"{model.name} has no experts to deal to ep={self.ep}; leave ep out")
        elif model.experts % self.ep:
            found.append(f"{model.name}: ep={self.ep} must divide its {model.experts} experts; choose another ep")
        if self.replicas % self.ep:
            found.append(f"ep={self.ep} must divide the {self.replicas} ranks of dp times cp; change one of them")
        found += self._pipeline_problems()
        if found:
            raise BadInput(*found)
        self.layers_of(model)

    def _pipeline_problems(self) -> list[str]:
        found = []
        if self.chunks > 1 and self.schedule != "interleaved":
            found.append(f"{self.chunks} chunks per stage need the interleaved schedule, not {self.schedule}")
        if self.chunks > 1 and self.pp == 1:
            found.append(f"{self.chunks} chunks per stage need more than one stage; state pp")
        if PIPELINES[self.schedule].both_ways and self.pp % 2 and self.pp > 1:
            found.append(f"schedule {self.schedule} needs an even number of stages, not pp={self.pp}")
        if self.zero == 3 and PIPELINES[self.schedule].both_ways and self.pp > 1:
            found.append(f"schedule {self.schedule} keeps two copies of the model, which zero=3 does not; lower zero")
        return found

    def strides(self) -> dict[str, int]:
        """Return how far apart neighbours in each of the four dimensions are."""
        sizes = [getattr(self, name) for name in self.order]
        return {name: prod(sizes[:k]) for k, name in enumerate(self.order)}

    def leaves_islands(self, group: str, island: int) -> tuple[int, bool]:
        """Return how many members of rank 0's group share an island of so many ranks, and whether others do not."""
        islands = self.group(group, 0) // island
        return int(np.count_nonzero(islands == islands[0])), bool(np.any(islands != islands[0]))

    def places(self, ranks: Index) -> dict[str, Index]:
        """Return the place of ranks in each of the four dimensions."""
        strides = self.strides()
        return {name: ranks // strides[name] % getattr(self, name) for name in self.order}

    def rank_at(self, **places: Any) -> Any:
        """Return the rank at these places (0 where none is given)."""
        strides = self.strides()
        return sum(place * strides[name] for name, place in places.items())

    def group(self, dimension: str, rank: int) -> Index:
        """Return the ranks of `rank`'s group in a dimension, in order of their places.

        Besides `DIMENSIONS`: `replica`, the ranks with the same parameters (dp times cp, context innermost);
        `expert-replica`, those with the same experts; `ends`, those of the first and the last stage.
        """
        strides, place = self.strides(), {k: int(v) for k, v in self.places(np.array(rank)).items()}
        if dimension in strides:
            return rank + (np.arange(getattr(self, dimension)) - place[dimension]) * strides[dimension]
        if dimension == "ends":
            return rank + (np.array([0, self.pp - 1]) - place["pp"]) * strides["pp"]
        number = np.arange(self.replicas)
        base = rank - place["cp"] * strides["cp"] - place["dp"] * strides["dp"]
        members = base + number % self.cp * strides["cp"] + number // self.cp * strides["dp"]
        own = place["dp"] * self.cp + place["cp"]
        if dimension == "ep":
            return members[number // self.ep == own // self.ep]
        return members[number % self.ep == own % self.ep] if dimension == "expert-replica" else members
