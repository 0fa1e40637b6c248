"""Reduce of long vectors: reduce-scatter round a ring, then gather the blocks to the root up a binomial tree.

n - 1 steps and up to floor(log2 n) more; every rank sends (n - 1)/n D bytes round the ring and its part of
the gather. The reduce of Thakur, Rabenseifner, Gropp 2005, section 4.5, with a ring, which takes any number
of ranks.
"""

from __future__ import annotations

import numpy as np

from uet.schedule.collectives.binomial_gather import add_gather
from uet.schedule.collectives.pieces import blocks
from uet.schedule.collectives.ring import Ring, ring_tags
from uet.schedule.model import Schedule, ScheduleBuilder


def reduce(n_ranks: int, size_bytes: int, dtype: str = "float32", root: int = 0) -> Schedule:
    """Return the schedule that leaves the sum of all vectors at `root`."""
    builder = ScheduleBuilder("reduce reducescatter-gather", n_ranks, size_bytes, 0, dtype, "reduce", root)
    offsets = blocks(size_bytes, n_ranks, dtype)
    ring = Ring(np.arange(n_ranks), offsets[:-1], np.diff(offsets))
    builder.scratch_bytes = ring.scratch_bytes
    add_gather(builder, offsets, (ring.reduce_scatter(builder, shift=-1),), first_tag=ring_tags(n_ranks))
    return builder.build()
