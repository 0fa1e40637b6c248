"""Recursive halving: in each round ranks exchange half of what they are still responsible for.

Rabenseifner 2004, "Optimization of collective reduction operations"; Thakur, Rabenseifner, Gropp 2005,
sections 4.3 and 4.4. With p the largest power of two up to n:

    reducescatter   log2 p steps, (n - 1)/n D bytes sent per rank; if n is no power of two, up to two steps
                    more and D bytes sent by those that stand aside
    allreduce       halving, then recursive doubling: 2 log2 p steps, 2 (p - 1)/p D bytes sent per rank;
                    if n is no power of two, two steps and up to D bytes more
"""

from __future__ import annotations

import numpy as np

from uet.schedule.collectives.fold import Fold
from uet.schedule.collectives.pieces import blocks, rounds
from uet.schedule.collectives.recursive_doubling import add_doubling_allgather
from uet.schedule.model import SCRATCH, Index, Schedule, ScheduleBuilder


def allreduce(n_ranks: int, size_bytes: int, dtype: str = "float32") -> Schedule:
    """Return the reduce-scatter by halving and the allgather by doubling."""
    fold = Fold(n_ranks)
    offsets = blocks(size_bytes, fold.p, dtype)
    builder = ScheduleBuilder("allreduce rabenseifner", n_ranks, size_bytes, size_bytes, dtype, "allreduce")
    ready = fold.fold(builder, size_bytes, 0)
    reduced = _halve(builder, fold.ranks, offsets, ready)
    whole = add_doubling_allgather(builder, fold.ranks, offsets, (reduced,), first_tag=rounds(fold.p))
    fold.unfold(builder, size_bytes, whole)
    return builder.build()


def reducescatter(n_ranks: int, size_bytes: int, dtype: str = "float32") -> Schedule:
    """Return the schedule that leaves the sum of block r at rank r."""
    offsets = blocks(size_bytes, n_ranks, dtype)
    fold = Fold(n_ranks)
    scratch_bytes = size_bytes if fold.extra_steps else 0
    builder = ScheduleBuilder(
        "reducescatter recursive halving", n_ranks, size_bytes, scratch_bytes, dtype, "reducescatter"
    )
    reduced = _halve(builder, fold.ranks, fold.together(offsets), fold.fold(builder, size_bytes, 0))
    fold.unfold(builder, np.diff(offsets)[fold.aside], (reduced,), offsets[fold.aside])
    return builder.build()


def _halve(builder: ScheduleBuilder, ranks: Index, offsets: Index, ready: Index) -> Index:
    """Add the rounds after which the i-th of `ranks` [p] holds the sum of block i; return the last reductions.

    What arrives in a round has its own place in scratch, about D bytes for all rounds together.
    """
    place = np.arange(len(ranks))
    for k in reversed(range(rounds(len(ranks)))):
        other = place ^ (1 << k)
        mine, theirs = place >> k << k, other >> k << k  # first blocks of the half kept and the half given away
        size, given = (offsets[low + (1 << k)] - offsets[low] for low in (mine, theirs))
        _, received = builder.transfer(
            ranks, ranks[other], given, offset=offsets[theirs], to_offset=builder.scratch_bytes,
            to_buffer=SCRATCH, tag=k, after=(ready,), where=given > 0,
        )  # fmt: skip
        added = builder.reduce(
            ranks, size, offsets[mine], builder.scratch_bytes, after=(received[other], ready), where=size > 0
        )
        ready = np.where(added >= 0, added, ready)
        builder.scratch_bytes += int(size.max())
    return ready
