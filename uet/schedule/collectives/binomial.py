"""Binomial trees: in round k the 2**k ranks that have the vector each pass it on to one more.

For short vectors: Thakur, Rabenseifner, Gropp 2005, "Optimization of collective communication operations
in MPICH", section 4.2. With rank numbers counted from the root, v passes on to v + 2**k:

    broadcast, reduce   ceil(log2 n) rounds, chains of floor(log2 n) sends; every rank but the root
                        sends (reduce) or receives (broadcast) D bytes, n - 1 messages in all
    allreduce           a reduce to rank 0 and a broadcast from it: twice that
"""

from __future__ import annotations

import numpy as np

from uet.schedule.collectives.pieces import blocks, rounds
from uet.schedule.model import SCRATCH, Index, Schedule, ScheduleBuilder


def broadcast(n_ranks: int, size_bytes: int, dtype: str = "uint8", root: int = 0) -> Schedule:
    """Return the schedule that brings the vector of `root` to all ranks."""
    blocks(size_bytes, 1, dtype)
    builder = ScheduleBuilder("broadcast binomial", n_ranks, size_bytes, 0, dtype, "broadcast", root)
    _spread(builder, size_bytes, root, np.full(n_ranks, -1, np.int64), first_tag=0)
    return builder.build()


def reduce(n_ranks: int, size_bytes: int, dtype: str = "float32", root: int = 0) -> Schedule:
    """Return the schedule that leaves the sum of all vectors at `root`."""
    blocks(size_bytes, 1, dtype)
    builder = ScheduleBuilder("reduce binomial", n_ranks, size_bytes, 2 * size_bytes, dtype, "reduce", root)
    _gather(builder, size_bytes, root)
    return builder.build()


def allreduce(n_ranks: int, size_bytes: int, dtype: str = "float32") -> Schedule:
    """Return a reduce to rank 0 followed by a broadcast from it."""
    blocks(size_bytes, 1, dtype)
    builder = ScheduleBuilder("allreduce binomial", n_ranks, size_bytes, 2 * size_bytes, dtype, "allreduce")
    reduced = _gather(builder, size_bytes, 0)
    _spread(builder, size_bytes, 0, reduced, first_tag=rounds(n_ranks))
    return builder.build()


def _spread(builder: ScheduleBuilder, size_bytes: int, root: int, ready: Index, first_tag: int) -> None:
    """Add the rounds of a broadcast; the root may start once the first of `ready` [n] is done."""
    n, have = builder.n_ranks, ready.copy()
    for k in range(rounds(n)):
        source = np.arange(min(2**k, n - 2**k))
        target = source + 2**k
        _, have[target] = builder.transfer(
            (source + root) % n, (target + root) % n, size_bytes, tag=first_tag + k, after=(have[source],)
        )


def _gather(builder: ScheduleBuilder, size_bytes: int, root: int) -> Index:
    """Add the rounds of a reduce, those of a broadcast backwards; return the last reduction of each rank, root first.

    Pieces arrive in two scratch slots in turn; one is received into again once its piece has been added.
    """
    n = builder.n_ranks
    added = np.full((2, n), -1, np.int64)
    latest = np.full(n, -1, np.int64)
    for k in reversed(range(rounds(n))):
        target = np.arange(min(2**k, n - 2**k))
        source, slot = target + 2**k, k % 2
        ranks = (target + root) % n
        _, received = builder.transfer(
            (source + root) % n, ranks, size_bytes, to_offset=slot * size_bytes, to_buffer=SCRATCH, tag=k,
            after=(latest[source],), recv_after=(added[slot, target],),
        )  # fmt: skip
        latest[target] = builder.reduce(ranks, size_bytes, 0, slot * size_bytes, after=(received, latest[target]))
        added[slot, target] = latest[target]
    return latest
