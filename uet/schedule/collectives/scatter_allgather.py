"""Broadcast of long vectors: scatter the blocks down a binomial tree, then gather them round a ring.

Van de Geijn 1994; Thakur, Rabenseifner, Gropp 2005, section 4.2.
"""

from __future__ import annotations

import numpy as np

from uet.schedule.collectives.binomial_gather import add_scatter
from uet.schedule.collectives.pieces import blocks, rounds
from uet.schedule.collectives.ring import Ring
from uet.schedule.model import Schedule, ScheduleBuilder


def broadcast(n_ranks: int, size_bytes: int, dtype: str = "uint8", root: int = 0) -> Schedule:
    """Return the schedule that brings the vector of `root` to all ranks.

    Up to ceil(log2 n) steps of the scatter and n - 1 of the ring; the root sends about 2 (n - 1)/n D bytes.
    """
    offsets = blocks(size_bytes, n_ranks, dtype)
    builder = ScheduleBuilder("broadcast scatter-allgather", n_ranks, size_bytes, 0, dtype, "broadcast", root)
    have = add_scatter(builder, offsets)
    ring = Ring(np.arange(n_ranks), offsets[:-1], np.diff(offsets), first_tag=2 * rounds(n_ranks))
    ring.allgather(builder, shift=0, ready=have)
    return builder.build()
