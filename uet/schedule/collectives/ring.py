"""Ring algorithms: every rank sends to its right neighbour only.

Bandwidth optimal: Patarasuk and Yuan 2009, "Bandwidth optimal all-reduce algorithms for clusters of
workstations". With D bytes over n ranks, blocks of D/n:

    reducescatter   n - 1 steps      (n - 1)/n D bytes sent per rank
    allgather       n - 1 steps      (n - 1)/n D
    allreduce       2 (n - 1) steps  2 (n - 1)/n D
"""

from __future__ import annotations

import numpy as np

from uet.schedule.collectives.pieces import blocks, chunk_count, cut
from uet.schedule.model import SCRATCH, Index, Schedule, ScheduleBuilder, Where


def allreduce(
    n_ranks: int, size_bytes: int, dtype: str = "float32", first_steps: int | None = None, chunks: int = 1
) -> Schedule:
    """Return a reduce-scatter followed by an allgather round the same ring.

    2 (n - 1) steps; rank r sends all blocks but one in each half: 2 D - |block r+1| - |block r+2| bytes.
    `first_steps` keeps only that many steps, to time a part of a long collective; it promises no result.
    Every block is cut into `chunks` that follow each other, here and below.
    """
    name = "allreduce" if first_steps is None or first_steps >= 2 * (n_ranks - 1) else ""
    builder, rings = _start(name, n_ranks, size_bytes, dtype, chunks)
    for ring in rings:
        ring.allreduce(builder, first_steps)
    return builder.build()


def reducescatter(n_ranks: int, size_bytes: int, dtype: str = "float32", chunks: int = 1) -> Schedule:
    """Return the schedule that leaves the sum of block r at rank r.

    n - 1 steps; rank r sends all blocks but its own: D - |block r| bytes.
    """
    builder, rings = _start("reducescatter", n_ranks, size_bytes, dtype, chunks)
    for ring in rings:
        ring.reduce_scatter(builder, shift=-1)
    return builder.build()


def allgather(n_ranks: int, size_bytes: int, dtype: str = "float32", chunks: int = 1) -> Schedule:
    """Return the schedule that brings block r of rank r to all ranks.

    n - 1 steps; rank r sends all blocks but that of its right neighbour: D - |block r+1| bytes.
    """
    builder, rings = _start("allgather", n_ranks, size_bytes, dtype, chunks)
    for ring in rings:
        ring.allgather(builder, shift=0, ready=())
    return builder.build()


def _start(result: str, n_ranks: int, size_bytes: int, dtype: str, chunks: int) -> tuple[ScheduleBuilder, list[Ring]]:
    builder = ScheduleBuilder(f"{result or 'part of allreduce'} ring", n_ranks, size_bytes, dtype=dtype, result=result)
    rings = chunked_rings(builder, np.arange(n_ranks), blocks(size_bytes, n_ranks, dtype), chunks)
    if result == "allgather":
        builder.scratch_bytes = 0
    return builder, rings


def chunked_rings(
    builder: ScheduleBuilder, ranks: Index, offsets: Index, chunks: int | None, first_tag: int = 0
) -> list[Ring]:
    """Return one ring per chunk of the blocks with these offsets [n + 1], with scratch of its own in `builder`."""
    chunks = chunk_count(chunks, int(np.diff(offsets).max()))
    edges = cut(offsets[:-1], offsets[1:], chunks, builder.dtype)
    rings = []
    for k in range(chunks):
        tag = first_tag + k * ring_tags(len(ranks))
        rings.append(Ring(ranks, edges[:, k], edges[:, k + 1] - edges[:, k], builder.scratch_bytes, tag))
        builder.scratch_bytes += rings[-1].scratch_bytes
    return rings


def ring_tags(n: int) -> int:
    """Return how many tags a reduce-scatter and an allgather round n ranks use."""
    return 2 * (n - 1)


class Ring:
    """One or many rings in step: ranks in ring order and the blocks that travel round.

    All arrays have shape [..., n], one row per ring. Pieces arrive in two scratch slots from `scratch` on;
    messages have tags from `first_tag` on.
    """

    def __init__(self, ranks: Index, starts: Index, sizes: Index, scratch: int = 0, first_tag: int = 0) -> None:
        """Take the ranks [..., n] in ring order and where the blocks [..., n] start in DATA, with their sizes."""
        self.ranks, self.n = ranks, ranks.shape[-1]
        self.right = np.roll(ranks, -1, axis=-1)
        self.places = np.broadcast_to(np.arange(self.n), ranks.shape)
        self.starts = np.broadcast_to(starts, ranks.shape)
        self.sizes = np.broadcast_to(sizes, ranks.shape)
        self.slot_bytes = int(self.sizes.max())
        self.scratch, self.first_tag = scratch, first_tag
        self.slot_free: Index = np.full((2, *ranks.shape), -1, np.int64)  # what ended the last use of each slot

    @property
    def scratch_bytes(self) -> int:
        """Scratch of the two slots that pieces arrive in."""
        return 2 * self.slot_bytes

    def allreduce(
        self, builder: ScheduleBuilder, first_steps: int | None = None, ready: Where = -1
    ) -> tuple[Index, ...]:
        """Add a reduce-scatter and an allgather, or the first steps of the two; return all that completes the data."""
        half = self.n - 1
        steps = 2 * half if first_steps is None else first_steps
        reduced = self.reduce_scatter(builder, shift=0, steps=min(steps, half), ready=ready)
        return (reduced, *self.allgather(builder, shift=1, ready=(reduced,), steps=min(steps - half, half)))

    def reduce_scatter(
        self, builder: ScheduleBuilder, shift: int, steps: int | None = None, ready: Where = -1
    ) -> Index:
        """Add n - 1 steps after which place p holds the sum of block p + 1 + shift; return the last reductions.

        In step s place p sends block p - s + shift, the first once `ready`. Pieces arrive in two scratch
        slots in turn, so that one may arrive while the other is added; a slot is received into again once
        its piece has been added.
        """
        reduced = np.broadcast_to(np.asarray(ready, np.int64), self.ranks.shape)
        for step in range(self.n - 1 if steps is None else steps):
            offset, size = self._block(self.places - step + shift)
            slot = step % 2
            place = self.scratch + slot * self.slot_bytes
            received = self._into_slot(builder, step, offset, size, (reduced,), self.first_tag + step)
            offset, size = self._from_left(offset), self._from_left(size)
            added = builder.reduce(self.ranks, size, offset, place, after=(received, ready), where=size > 0)
            reduced = np.where(added >= 0, added, ready)
            self.slot_free[slot] = np.where(added >= 0, added, self.slot_free[slot])
        return reduced

    def allgather(
        self, builder: ScheduleBuilder, shift: int, ready: tuple[Where, ...], steps: int | None = None
    ) -> tuple[Index, ...]:
        """Add n - 1 steps that spread block p + shift, which place p holds once `ready`, to all places.

        Returns the receives of all steps.
        """
        received: list[Index] = []
        for step in range(self.n - 1 if steps is None else max(steps, 0)):
            offset, size = self._block(self.places - step + shift)
            received.append(self._into_data(builder, step, offset, size, ready, self.first_tag + self.n - 1 + step))
            ready = (received[-1],)
        return tuple(received)

    def _into_slot(
        self, builder: ScheduleBuilder, step: int, offset: Index, size: Index, after: tuple[Where, ...], tag: int
    ) -> Index:
        """Add the messages of a step to scratch; return at each place what it has received."""
        slot = step % 2
        _, received = builder.transfer(
            self.ranks, self.right, size, offset=offset, to_offset=self.scratch + slot * self.slot_bytes,
            to_buffer=SCRATCH, tag=tag, after=after, recv_after=(self._from_right(self.slot_free[slot]),),
            where=size > 0,
        )  # fmt: skip
        return self._from_left(received)

    def _into_data(
        self, builder: ScheduleBuilder, step: int, offset: Index, size: Index, after: tuple[Where, ...], tag: int
    ) -> Index:
        """Add the messages of a step to where the blocks belong; return at each place what it has received."""
        _, received = builder.transfer(
            self.ranks, self.right, size, offset=offset, tag=tag, after=after, where=size > 0
        )
        return self._from_left(received)

    def _block(self, number: Index) -> tuple[Index, Index]:
        """Return offset and size of a block (modulo n) per place."""
        number = number % self.n
        return np.take_along_axis(self.starts, number, -1), np.take_along_axis(self.sizes, number, -1)

    @staticmethod
    def _from_left(values: Index) -> Index:
        """Return at each place what stood at its left neighbour's."""
        return np.roll(values, 1, axis=-1)

    @staticmethod
    def _from_right(values: Index) -> Index:
        return np.roll(values, -1, axis=-1)
