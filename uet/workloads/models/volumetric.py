"""CosmoFlow: three-dimensional convolutions on a cube, whose parts are dealt to several ranks.

Mathuriya et al., "CosmoFlow", SC18; the benchmark version of MLPerf HPC has five convolutions of 3 x 3 x 3, each
followed by a pooling that halves the cube. A cube of side S is cut into boxes; every convolution needs a layer of
points from each neighbouring box, forward and back.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

from pydantic import Field

from uet.base.values import StrictModel

Count = Annotated[int, Field(ge=1)]


class Volumetric(StrictModel):
    """Channels from input to last convolution, the side of the cube, and the dense layers' parameters at the end."""

    name: str = "cosmoflow"
    channels: tuple[Count, ...] = (4, 32, 64, 128, 256, 512)
    side: Count = 128
    kernel: Count = 3
    dense_parameters: Count = 1_050_737

    @property
    def layer_parameters(self) -> tuple[int, ...]:
        """Parameters of each convolution."""
        return tuple((self.kernel**3 * a + 1) * b for a, b in pairwise(self.channels))

    @property
    def parameters(self) -> int:
        """All parameters."""
        return sum(self.layer_parameters) + self.dense_parameters

    @property
    def forward_flop(self) -> int:
        """Operations of the forward pass of a cube, two per multiply-add."""
        layers = enumerate(pairwise(self.channels))
        flop = sum(2 * self.kernel**3 * a * b * (self.side >> k) ** 3 for k, (a, b) in layers)
        return flop + 2 * self.dense_parameters

    def gradient_bytes(self, word_bytes: int = 4) -> int:
        """Return the bytes of all gradients."""
        return word_bytes * self.parameters

    def activation_bytes(self, word_bytes: int = 4) -> int:
        """Return the bytes of all convolutions' outputs of a cube."""
        return word_bytes * sum(b * (self.side >> k) ** 3 for k, b in enumerate(self.channels[1:]))
