"""Allocation on a torus: contiguous blocks, which may wrap round, one job to a block.

Jobs in different blocks share no links. What a block's allreduce gets is bounded by the links that its
corners have inside it: two in a dimension that the block fills (it wraps), one where it is longer than
one, none where it is not. Shapes are tried by this bound, then by waste, then the most compact first; for
jobs that do an alltoall by what crosses the middle of the block in its worst dimension.
"""

from __future__ import annotations

from functools import cache
from itertools import product
from math import prod

import numpy as np
from numpy.typing import NDArray

from topologies.allocators.base import Allocation, Allocator
from topologies.cuts import Cuts
from topologies.fabric import Fabric

MOST_SHAPES = 24  # tried for one job; later ones are less compact still


class BlockAllocator(Allocator):
    """Gives out blocks of a torus whose hosts are numbered with the first dimension fastest."""

    def __init__(self, fabric: Fabric, cuts: Cuts, host_down: NDArray[np.bool_], alltoall: bool = False) -> None:
        """Take the dimensions from the fabric's `dims`."""
        super().__init__(fabric, cuts, host_down, ())
        self.dims: tuple[int, ...] = tuple(fabric.parameters["dims"])
        self._hosts = np.arange(fabric.n_hosts).reshape(self.dims, order="F")
        self._shapes = cache(lambda size: block_shapes(size, self.dims, alltoall))

    def can_ever(self, size: int) -> bool:
        """Tell whether the torus has that many hosts."""
        return size <= self.fabric.n_hosts

    def find(self, size: int) -> Allocation | None:
        """Return the first free block of at least `size` hosts, or None."""
        free = self.free.reshape(self.dims, order="F")
        n_free = int(free.sum())
        shapes: list[tuple[int, ...]] = self._shapes(size)
        best = max(corner_links(shape, self.dims) for shape in shapes)
        for shape in shapes:
            if prod(shape) > n_free:
                continue
            corner = np.flatnonzero(_free_in_block(free, shape) == prod(shape))
            if len(corner):
                start = np.unravel_index(corner[0], self.dims)
                axes = [(s + np.arange(w)) % d for s, w, d in zip(start, shape, self.dims, strict=True)]
                hosts = np.sort(self._hosts[np.ix_(*axes)].reshape(-1))
                return self.make(size, hosts, shape, corner_links(shape, self.dims) / best if best else 1.0)
        return None


def corner_links(shape: tuple[int, ...], dims: tuple[int, ...]) -> int:
    """Return how many links a corner of a block has inside it."""
    return sum(0 if s == 1 else 2 if s == d else 1 for s, d in zip(shape, dims, strict=True))


def middle_links(shape: tuple[int, ...], dims: tuple[int, ...]) -> int:
    """Return how many links cross the middle of a block in the dimension where they are fewest."""
    return min((prod(shape) // s * (2 if s == d else 1) for s, d in zip(shape, dims, strict=True) if s > 1), default=0)


def block_shapes(size: int, dims: tuple[int, ...], alltoall: bool = False) -> list[tuple[int, ...]]:
    """Return the shapes of blocks for `size` hosts that waste least for their extents, best bandwidth first."""
    found = set()
    for head in product(*(range(1, d + 1) for d in dims[:-1])):
        last = -(-size // prod(head))
        if last <= dims[-1] and all(prod(head) // h * (h - 1) * last < size for h in head):
            found.add((*head, last))
    links = middle_links if alltoall else corner_links
    ranked = sorted(found, key=lambda s: (-links(s, dims), prod(s), max(s) - min(s), s))
    return ranked[:MOST_SHAPES]


def _free_in_block(free: NDArray[np.bool_], shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Return how many hosts are free in the block that starts at each host, wrapping round."""
    count = free.astype(np.int64)
    for axis, width in enumerate(shape):
        wrapped = np.concatenate([count, np.take(count, range(width - 1), axis=axis)], axis=axis)
        total = np.cumsum(wrapped, axis=axis)
        zero = np.zeros_like(np.take(total, [0], axis=axis))
        total = np.concatenate([zero, total], axis=axis)
        n = free.shape[axis]
        count = np.take(total, range(width, width + n), axis=axis) - np.take(total, range(n), axis=axis)
    return count
