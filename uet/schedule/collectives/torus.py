"""Allreduce on a torus: rings along one dimension after another, all dimensions and directions at once.

The vector is cut into one part per direction (two per dimension). Each part is reduce-scattered along
its first dimension, the block that a rank then holds along the next, and so on, and gathered back in
reverse; the k-th part starts with another dimension, so that all ports are busy all the time (Sack,
Gropp 2012, "Faster topology-aware collective algorithms through non-minimal communication", section 3;
for HammingMesh, whose rows and columns are such rings, Hoefler et al. 2022, section III-D).
"""

from __future__ import annotations

import numpy as np

from uet.schedule.collectives.pieces import blocks, chunk_count, cut, grid_of
from uet.schedule.collectives.ring import Ring, ring_tags
from uet.schedule.model import Index, Schedule, ScheduleBuilder, Where


def allreduce(
    n_ranks: int, size_bytes: int, dtype: str = "float32", grid: tuple[int, ...] | None = None,
    chunks: int | None = None,
) -> Schedule:  # fmt: skip
    """Return the schedule for ranks numbered over `grid`, the first dimension fastest.

    Steps: twice the sum of (side - 1); every rank sends 2 (n - 1)/n D bytes, the same share each way. By
    default the grid is the most square one with two dimensions. `chunks` of every part follow each other.
    Raises BadInput if the grid does not hold n ranks.
    """
    sides = grid_of(n_ranks, grid)
    ways = 2 * len(sides)
    chunks = chunk_count(chunks, size_bytes // (ways * max(sides)))
    parts = blocks(size_bytes, ways * chunks, dtype)
    builder = ScheduleBuilder("allreduce torus", n_ranks, size_bytes, 0, dtype, "allreduce")
    for k in range(ways * chunks):
        _Part(sides, k % ways, int(parts[k]), int(parts[k + 1]), dtype, first_tag=2 * k * n_ranks).add(builder)
    return builder.build()


class _Part:
    """A part [start, stop) of the vector that goes the k-th way: rotated order of dimensions, one direction."""

    def __init__(self, sides: tuple[int, ...], k: int, start: int, stop: int, dtype: str, first_tag: int) -> None:
        self.order = np.roll(np.arange(len(sides)), -(k // 2)).tolist()
        self.backwards, self.dtype, self.first_tag = k % 2 == 1, dtype, first_tag
        n = int(np.prod(sides))
        self.ranks = np.arange(n).reshape(sides[::-1])  # axis -1 - d is dimension d
        self.held = np.full(n, start), np.full(n, stop)

    def add(self, builder: ScheduleBuilder) -> None:
        """Add the rings down the dimensions and back; each has scratch of its own."""
        rings: list[Ring] = []
        reduced: Index = np.full(self.ranks.size, -1, np.int64)
        tag = self.first_tag
        for d in self.order:
            ring = self._rings(d, builder.scratch_bytes, tag)
            done = ring.reduce_scatter(builder, shift=-1, ready=reduced[ring.ranks])
            reduced = reduced.copy()
            reduced[ring.ranks] = done
            rings.append(ring)
            builder.scratch_bytes += ring.scratch_bytes
            tag += ring_tags(ring.n)
        ready: tuple[Index, ...] = (reduced,)
        for ring in reversed(rings):
            first: tuple[Where, ...] = tuple(r[ring.ranks] for r in ready)
            ready += tuple(_by_rank(ring.ranks, r) for r in ring.allgather(builder, shift=0, ready=first))

    def _rings(self, d: int, scratch: int, tag: int) -> Ring:
        """Return all rings along dimension d; afterwards every rank holds only its block of what it held."""
        ranks = np.moveaxis(self.ranks, -1 - d, -1)
        ranks = ranks.reshape(-1, ranks.shape[-1])
        if self.backwards:
            ranks = ranks[:, ::-1]
        start, stop = self.held
        offsets = cut(start[ranks[:, 0]], stop[ranks[:, 0]], ranks.shape[1], self.dtype)
        start[ranks], stop[ranks] = offsets[:, :-1], offsets[:, 1:]
        return Ring(ranks, offsets[:, :-1], np.diff(offsets), scratch, tag)


def _by_rank(ranks: Index, values: Index) -> Index:
    result = np.empty(ranks.size, np.int64)
    result[ranks] = values
    return result
