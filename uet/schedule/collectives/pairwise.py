"""Pairwise exchange: in round s rank r sends to r + s and receives from r - s, one partner at a time.

For long messages: Thakur, Rabenseifner, Gropp 2005, sections 3.3.1 and 4.3. With blocks of D/n:

    alltoall        n - 1 steps, (n - 1)/n D bytes sent per rank
    reducescatter   n - 1 steps, (n - 1)/n D bytes sent per rank
"""

from __future__ import annotations

import numpy as np

from uet.schedule.collectives.pieces import blocks
from uet.schedule.model import DATA, SCRATCH, Schedule, ScheduleBuilder


def alltoall(n_ranks: int, size_bytes: int, dtype: str = "uint8") -> Schedule:
    """Return the rounds of an alltoall; a rank goes on once it has sent and received.

    Rank r sends all blocks but its own: D - |block r| bytes.
    """
    offsets = blocks(size_bytes, n_ranks, dtype)
    sizes, ranks = np.diff(offsets), np.arange(n_ranks)
    builder = ScheduleBuilder(
        "alltoall pairwise", n_ranks, size_bytes + n_ranks * int(sizes[0]), dtype=dtype, result="alltoall"
    )
    builder.copy(ranks, sizes, size_bytes + ranks * sizes, offsets[:-1], source_buffer=DATA, where=sizes > 0)
    sends = received = np.full(n_ranks, -1, np.int64)
    for step in range(1, n_ranks):
        target = (ranks + step) % n_ranks
        sends, arrived = builder.transfer(
            ranks, target, sizes[target], offset=offsets[target], to_offset=size_bytes + ranks * sizes[target],
            tag=step, after=(sends, received), where=sizes[target] > 0,
        )  # fmt: skip
        received = np.roll(arrived, step)
    return builder.build()


def reducescatter(n_ranks: int, size_bytes: int, dtype: str = "float32") -> Schedule:
    """Return the schedule that leaves the sum of block r at rank r; every piece goes straight to its owner.

    Rank r sends all blocks but its own: D - |block r| bytes. Pieces arrive in two scratch slots in turn.
    """
    offsets = blocks(size_bytes, n_ranks, dtype)
    sizes, ranks = np.diff(offsets), np.arange(n_ranks)
    slot_bytes = int(sizes[0])
    builder = ScheduleBuilder("reducescatter pairwise", n_ranks, size_bytes, 2 * slot_bytes, dtype, "reducescatter")
    sends = received = added = np.full(n_ranks, -1, np.int64)
    slot_free = np.full((2, n_ranks), -1, np.int64)
    for step in range(1, n_ranks):
        target, slot = (ranks + step) % n_ranks, step % 2
        sends, arrived = builder.transfer(
            ranks, target, sizes[target], offset=offsets[target], to_offset=slot * slot_bytes, to_buffer=SCRATCH,
            tag=step, after=(sends, received), recv_after=(slot_free[slot][target],), where=sizes[target] > 0,
        )  # fmt: skip
        received = np.roll(arrived, step)
        added = builder.reduce(ranks, sizes, offsets[:-1], slot * slot_bytes, after=(received, added), where=sizes > 0)
        slot_free[slot] = added
    return builder.build()
