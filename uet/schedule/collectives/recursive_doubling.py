"""Recursive doubling: in round k ranks exchange with the one whose number differs in bit k.

Thakur, Rabenseifner, Gropp 2005, sections 4.1 and 4.4. With p the largest power of two up to n:

    allreduce   log2 p steps, D bytes sent per rank and step; two steps more if n is no power of two
    allgather   log2 p steps, (n - 1)/n D bytes received per rank; if n is no power of two, up to two steps
                more and D bytes received by those that stand aside
"""

from __future__ import annotations

import numpy as np

from uet.schedule.collectives.fold import Fold
from uet.schedule.collectives.pieces import blocks, rounds
from uet.schedule.model import SCRATCH, Index, Schedule, ScheduleBuilder


def allreduce(n_ranks: int, size_bytes: int, dtype: str = "float32") -> Schedule:
    """Return the exchange of whole vectors, best for short ones.

    Scratch: two slots that vectors arrive in in turn, and one for folding.
    """
    blocks(size_bytes, 1, dtype)
    fold = Fold(n_ranks)
    scratch_bytes = (2 if n_ranks == fold.p else 3) * size_bytes
    builder = ScheduleBuilder("allreduce recursive doubling", n_ranks, size_bytes, scratch_bytes, dtype, "allreduce")
    ready = fold.fold(builder, size_bytes, 2 * size_bytes)
    slot_free = np.full((2, fold.p), -1, np.int64)
    place = np.arange(fold.p)
    for k in range(rounds(fold.p)):
        other, slot = place ^ (1 << k), k % 2
        sends, received = builder.transfer(
            fold.ranks, fold.ranks[other], size_bytes, to_offset=slot * size_bytes, to_buffer=SCRATCH, tag=k,
            after=(ready,), recv_after=(slot_free[slot][other],),
        )  # fmt: skip
        # the vector may change only once it has been sent
        ready = builder.reduce(fold.ranks, size_bytes, 0, slot * size_bytes, after=(received[other], sends, ready))
        slot_free[slot] = ready
    fold.unfold(builder, size_bytes, (ready,))
    return builder.build()


def allgather(n_ranks: int, size_bytes: int, dtype: str = "float32") -> Schedule:
    """Return the exchange of all blocks gathered so far."""
    offsets = blocks(size_bytes, n_ranks, dtype)
    fold = Fold(n_ranks)
    builder = ScheduleBuilder("allgather recursive doubling", n_ranks, size_bytes, 0, dtype, "allgather")
    ready = fold.collect(builder, offsets)
    whole = add_doubling_allgather(builder, fold.ranks, fold.together(offsets), (ready,), first_tag=0)
    fold.unfold(builder, size_bytes, whole)
    return builder.build()


def add_doubling_allgather(
    builder: ScheduleBuilder, ranks: Index, offsets: Index, ready: tuple[Index, ...], first_tag: int
) -> tuple[Index, ...]:
    """Add the rounds by which all of `ranks` [p] get all p blocks, the i-th starting with block i.

    Returns what each rank waits for to have them all.
    """
    place = np.arange(len(ranks))
    for k in range(rounds(len(ranks))):
        low = place >> k << k
        start, size = offsets[low], offsets[low + (1 << k)] - offsets[low]
        other = place ^ (1 << k)
        _, received = builder.transfer(
            ranks, ranks[other], size, offset=start, tag=first_tag + k, after=ready, where=size > 0
        )
        ready = (*ready, received[other])
    return ready
