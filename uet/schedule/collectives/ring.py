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


def allreduce(n_ranks: int, size_bytes: int, dtype: str = "float32") -> Schedule:
    """Return a reduce-scatter followed by an allgather round the same ring.

    2 (n - 1) steps; rank r sends all blocks but one in each half: 2 D - |block r+1| - |block r+2| bytes.
    """
    builder, ring = _start("allreduce", n_ranks, size_bytes, dtype)
    reduced = ring.reduce_scatter(builder, shift=0)
    ring.allgather(builder, shift=1, first_step=n_ranks - 1, ready=reduced)
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


def _start(result: str, n_ranks: int, size_bytes: int, dtype: str) -> tuple[ScheduleBuilder, _Ring]:
    ring = _Ring(np.arange(n_ranks), blocks(size_bytes, n_ranks, dtype))
    scratch_bytes = 0 if result == "allgather" else 2 * ring.slot_bytes
    return ScheduleBuilder(f"{result} ring", n_ranks, size_bytes, scratch_bytes, dtype, result), ring


class _Ring:
    """Ranks in ring order and the blocks that travel round."""

    def __init__(self, ranks: Index, offsets: Index) -> None:
        self.ranks, self.n = ranks, len(ranks)
        self.right = np.roll(ranks, -1)
        self.places = np.arange(self.n)
        self.offsets, self.sizes = offsets[:-1], np.diff(offsets)
        self.slot_bytes = int(self.sizes.max())

    def reduce_scatter(self, builder: ScheduleBuilder, shift: int) -> Index:
        """Add n - 1 steps after which place p holds the sum of block p + 1 + shift; return the last reductions.

        In step s place p sends block p - s + shift. Pieces arrive in two scratch slots in turn, so that one
        may arrive while the other is added; a slot is received into again once its piece has been added.
        """
        reduced = np.full(self.n, -1, np.int64)
        slot_free = np.full((2, self.n), -1, np.int64)
        for step in range(self.n - 1):
            block = (self.places - step + shift) % self.n
            size, slot = self.sizes[block], step % 2
            _, received = builder.transfer(
                self.ranks, self.right, size, offset=self.offsets[block], to_offset=slot * self.slot_bytes,
                to_buffer=SCRATCH, tag=step, after=(reduced,), recv_after=(np.roll(slot_free[slot], -1),),
                where=size > 0,
            )  # fmt: skip
            # element p of `received` is at place p + 1; from here on element p is what happens at place p
            received, block, size = np.roll(received, 1), np.roll(block, 1), np.roll(size, 1)
            reduced = builder.reduce(
                self.ranks, size, self.offsets[block], slot * self.slot_bytes, after=(received,), where=size > 0
            )
            slot_free[slot] = np.where(reduced >= 0, reduced, slot_free[slot])
        return reduced

    def allgather(self, builder: ScheduleBuilder, shift: int, first_step: int, ready: Index) -> None:
        """Add n - 1 steps that spread block p + shift, which place p holds once `ready`, to all places."""
        for step in range(self.n - 1):
            block = (self.places - step + shift) % self.n
            _, received = builder.transfer(
                self.ranks, self.right, self.sizes[block], offset=self.offsets[block], tag=first_step + step,
                after=(ready,), where=self.sizes[block] > 0,
            )  # fmt: skip
            ready = np.roll(received, 1)
