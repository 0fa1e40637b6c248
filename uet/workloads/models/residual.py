"""ResNet-50, 101 and 152: residual networks of bottleneck blocks on 224 x 224 images.

He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, table 1; the stride of a block stands at its
3 x 3 convolution, as is usual since.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

BLOCKS: Mapping[str, tuple[int, int, int, int]] = {
    "resnet-50": (3, 4, 6, 3), "resnet-101": (3, 4, 23, 3), "resnet-152": (3, 8, 36, 3),
}  # fmt: skip
"""Bottleneck blocks of each of the four groups of layers."""
_CLASSES = 1000


@dataclass(frozen=True)
class Layer:
    """A convolution with its normalization, or the last matrix: sizes of one image's share."""

    parameters: int
    flop: int
    outputs: int


@dataclass(frozen=True)
class ResidualNetwork:
    """A residual network by its layers, in the order of the forward pass."""

    name: str
    layers: tuple[Layer, ...]

    @property
    def parameters(self) -> int:
        """All parameters."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def forward_flop(self) -> int:
        """Operations of the forward pass of an image, two per multiply-add."""
        return sum(layer.flop for layer in self.layers)

    def activation_bytes(self, word_bytes: int = 2) -> int:
        """Return the bytes of all layers' outputs of an image."""
        return word_bytes * sum(layer.outputs for layer in self.layers)

    def gradient_bytes(self, word_bytes: int = 4) -> int:
        """Return the bytes of all gradients."""
        return word_bytes * self.parameters


def residual_network(name: str) -> ResidualNetwork:
    """Return one of `BLOCKS`."""
    return ResidualNetwork(name, tuple(_layers(BLOCKS[name])))


def _layers(blocks: tuple[int, ...]) -> Iterator[Layer]:
    yield _convolution(3, 64, 7, 112)
    inner, entering = 64, 64
    for group, count in enumerate(blocks):
        side, width = 56 >> group, inner << group
        for block in range(count):
            before = side * 2 if group and block == 0 else side  # the group's first block halves the image
            yield _convolution(entering, width, 1, before)
            yield _convolution(width, width, 3, side)
            yield _convolution(width, 4 * width, 1, side)
            if block == 0:
                yield _convolution(entering, 4 * width, 1, side)
            entering = 4 * width
    yield Layer((entering + 1) * _CLASSES, 2 * entering * _CLASSES, _CLASSES)


def _convolution(inputs: int, outputs: int, kernel: int, side: int) -> Layer:
    """Return a convolution to `side` x `side` points, with the two vectors of its normalization."""
    weights = kernel**2 * inputs * outputs
    return Layer(weights + 2 * outputs, 2 * weights * side**2, outputs * side**2)
