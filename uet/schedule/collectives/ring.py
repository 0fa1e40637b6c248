"""Ring algorithms: every rank sends to its right neighbour only.

Bandwidth optimal: Patarasuk and Yuan 2009, "Bandwidth optimal all-reduce algorithms for clusters of
workstations". With D bytes over n ranks, blocks of D/n:

    reducescatter   n - 1 steps      (n - 1)/n D bytes sent per rank
    allgather       n - 1 steps      (n - 1)/n D
    allreduce       2 (n - 1) steps  2 (n - 1)/n D
"""

from __future__ import annotations

import numpy as np

from uet.schedule.collectives.pieces import blocks
from uet.schedule.model import SCRATCH, Index, Schedule, ScheduleBuilder


def allreduce(n_ranks: int, size_bytes: int, dtype: str = "float32", first_steps: int | None = None) -> Schedule:
    """Return a reduce-scatter followed by an allgather round the same ring.

    2 (n - 1) steps; rank r sends all blocks but one in each half: 2 D - |block r+1| - |block r+2| bytes.
    `first_steps` keeps only that many steps, to time a part of a long collective; it promises no result.
    """
    name = "allreduce" if first_steps is None or first_steps >= 2 * (n_ranks - 1) else ""
    builder, ring = _start(name, n_ranks, size_bytes, dtype)
    ring.allreduce(builder, first_steps)
    return builder.build()


def reducescatter(n_ranks: int, size_bytes: int, dtype: str = "float32") -> Schedule:
    """Return the schedule that leaves the sum of block r at rank r.

    n - 1 steps; rank r sends all blocks but its own: D - |block r| bytes.
    """
    builder, ring = _start("reducescatter", n_ranks, size_bytes, dtype)
    ring.reduce_scatter(builder, shift=-1)
    return builder.build()


def allgather(n_ranks: int, size_bytes: int, dtype: str = "float32") -> Schedule:
    """Return the schedule that brings block r of rank r to all ranks.

    n - 1 steps; rank r sends all blocks but that of its right neighbour: D - |block r+1| bytes.
    """
    builder, ring = _start("allgather", n_ranks, size_bytes, dtype)
    ring.allgather(builder, shift=0, first_step=0, ready=np.full(n_ranks, -1, np.int64))
    return builder.build()


def _start(result: str, n_ranks: int, size_bytes: int, dtype: str) -> tuple[ScheduleBuilder, Ring]:
    ring = Ring(np.arange(n_ranks), blocks(size_bytes, n_ranks, dtype))
    name, scratch_bytes = result or "part of allreduce", 0 if result == "allgather" else ring.scratch_bytes
    return ScheduleBuilder(f"{name} ring", n_ranks, size_bytes, scratch_bytes, dtype, result), ring


class Ring:
    """Ranks in ring order and the blocks that travel round; `scratch` is where its two slots start."""

    def __init__(self, ranks: Index, offsets: Index, scratch: int = 0) -> None:
        """Take the ranks [n] in ring order and the offsets [n + 1] of the blocks in DATA."""
        self.ranks, self.n = ranks, len(ranks)
        self.right = np.roll(ranks, -1)
        self.places = np.arange(self.n)
        self.offsets, self.sizes = offsets[:-1], np.diff(offsets)
        self.slot_bytes = int(self.sizes.max())
        self.scratch = scratch

    @property
    def scratch_bytes(self) -> int:
        """Scratch of the two slots that pieces arrive in."""
        return 2 * self.slot_bytes

    def allreduce(self, builder: ScheduleBuilder, first_steps: int | None = None) -> None:
        """Add a reduce-scatter and an allgather, or the first steps of the two."""
        half = self.n - 1
        steps = 2 * half if first_steps is None else first_steps
        reduced = self.reduce_scatter(builder, shift=0, steps=min(steps, half))
        self.allgather(builder, shift=1, first_step=half, ready=reduced, steps=min(steps - half, half))

    def reduce_scatter(self, builder: ScheduleBuilder, shift: int, steps: int | None = None) -> Index:
        """Add n - 1 steps after which place p holds the sum of block p + 1 + shift; return the last reductions.

        In step s place p sends block p - s + shift. Pieces arrive in two scratch slots in turn, so that one
        may arrive while the other is added; a slot is received into again once its piece has been added.
        """
        reduced = np.full(self.n, -1, np.int64)
        slot_free = np.full((2, self.n), -1, np.int64)
        for step in range(self.n - 1 if steps is None else steps):
            block = (self.places - step + shift) % self.n
            size, slot = self.sizes[block], step % 2
            place = self.scratch + slot * self.slot_bytes
            _, received = builder.transfer(
                self.ranks, self.right, size, offset=self.offsets[block], to_offset=place,
                to_buffer=SCRATCH, tag=step, after=(reduced,), recv_after=(np.roll(slot_free[slot], -1),),
                where=size > 0,
            )  # fmt: skip
            # element p of `received` is at place p + 1; from here on element p is what happens at place p
            received, block, size = np.roll(received, 1), np.roll(block, 1), np.roll(size, 1)
            reduced = builder.reduce(self.ranks, size, self.offsets[block], place, after=(received,), where=size > 0)
            slot_free[slot] = np.where(reduced >= 0, reduced, slot_free[slot])
        return reduced

    def allgather(
        self, builder: ScheduleBuilder, shift: int, first_step: int, ready: Index, steps: int | None = None
    ) -> None:
        """Add n - 1 steps that spread block p + shift, which place p holds once `ready`, to all places."""
        for step in range(self.n - 1 if steps is None else steps):
            block = (self.places - step + shift) % self.n
            _, received = builder.transfer(
                self.ranks, self.right, self.sizes[block], offset=self.offsets[block], tag=first_step + step,
                after=(ready,), where=self.sizes[block] > 0,
            )  # fmt: skip
            ready = np.roll(received, 1)
