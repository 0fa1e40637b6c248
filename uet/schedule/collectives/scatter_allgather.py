"""Broadcast of long vectors: scatter the blocks down a binomial tree, then gather them round a ring.

Van de Geijn 1994; Thakur, Rabenseifner, Gropp 2005, section 4.2.
"""

from __future__ import annotations

import numpy as np

from uet.schedule.collectives.pieces import blocks, rounds
from uet.schedule.collectives.ring import Ring
from uet.schedule.model import Schedule, ScheduleBuilder


def broadcast(n_ranks: int, size_bytes: int, dtype: str = "uint8", root: int = 0) -> Schedule:
    """Return the schedule that brings the vector of `root` to all ranks.

    Up to ceil(log2 n) steps of the scatter and n - 1 of the ring; the root sends about 2 (n - 1)/n D bytes.
    Rank v (counted from the root) is responsible for the blocks from v up to the next one with its place.
    """
    offsets = blocks(size_bytes, n_ranks, dtype)
    builder = ScheduleBuilder("broadcast scatter-allgather", n_ranks, size_bytes, 0, dtype, "broadcast", root)
    ranks = (np.arange(n_ranks) + root) % n_ranks
    have = np.full(n_ranks, -1, np.int64)
    for k in reversed(range(rounds(n_ranks))):
        source = np.arange(0, n_ranks - 2**k, 2 ** (k + 1))
        target = source + 2**k
        end = np.minimum(target + 2**k, n_ranks)
        size = offsets[end] - offsets[target]
        _, have[target] = builder.transfer(
            ranks[source], ranks[target], size, offset=offsets[target], tag=k, after=(have[source],), where=size > 0
        )
    Ring(ranks, offsets[:-1], np.diff(offsets), first_tag=rounds(n_ranks)).allgather(builder, shift=0, ready=(have,))
    return builder.build()
