"""Dissemination barrier: in round k rank r tells r + j (w + 1)**k, j = 1 .. w, that all it heard of has entered.

Hensgen, Finkel, Manber 1988, "Two algorithms for barrier synchronization" (w = 1); n-way: Hoefler et al.
2006, "Fast barrier synchronization for InfiniBand".
"""

from __future__ import annotations

import numpy as np

from uet.base.errors import BadInput
from uet.schedule.model import SCRATCH, Index, Schedule, ScheduleBuilder


def barrier(n_ranks: int, size_bytes: int = 1, dtype: str = "uint8", ways: int = 1) -> Schedule:
    """Return a barrier of messages of `size_bytes`, `ways` of them per rank and step.

    ceil(log n / log (ways + 1)) steps; a last round needs no message to a rank already reached. A rank that has
    received all its messages knows that every rank has entered. Raises BadInput for fewer than one way.
    """
    if ways < 1:
        raise BadInput(f"ways={ways} must be at least 1 message per step")
    builder = ScheduleBuilder("barrier dissemination", n_ranks, size_bytes, ways * size_bytes, dtype, "barrier")
    ranks = np.arange(n_ranks)
    heard: tuple[Index, ...] = ()
    reach, tag = 1, 0
    while reach < n_ranks:
        news = []
        for way, distance in enumerate(range(reach, min(reach * (ways + 1), n_ranks), reach)):
            _, arrived = builder.transfer(
                ranks, (ranks + distance) % n_ranks, size_bytes, to_offset=way * size_bytes, to_buffer=SCRATCH,
                tag=tag + way, after=heard, recv_after=tuple(np.roll(h, -distance) for h in heard),
            )  # fmt: skip
            news.append(np.roll(arrived, distance))
        heard, reach, tag = tuple(news), reach * (ways + 1), tag + ways
    return builder.build()
