"""Dissemination barrier: in round k rank r tells r + 2**k all that it knows.

Hensgen, Finkel, Manber 1988, "Two algorithms for barrier synchronization".
"""

from __future__ import annotations

import numpy as np

from uet.schedule.collectives.pieces import rounds
from uet.schedule.model import SCRATCH, Index, Schedule, ScheduleBuilder


def barrier(n_ranks: int, size_bytes: int = 1, dtype: str = "uint8") -> Schedule:
    """Return a barrier of messages of `size_bytes`.

    ceil(log2 n) steps, one message per rank and step. A rank that has received all its messages knows
    that every rank has entered.
    """
    builder = ScheduleBuilder("barrier dissemination", n_ranks, size_bytes, size_bytes, dtype, "barrier")
    ranks = np.arange(n_ranks)
    received: Index = np.full(n_ranks, -1, np.int64)
    for k in range(rounds(n_ranks)):
        _, arrived = builder.transfer(
            ranks, (ranks + 2**k) % n_ranks, size_bytes, to_buffer=SCRATCH, tag=k, after=(received,),
            recv_after=(np.roll(received, -(2**k)),),
        )  # fmt: skip
        received = np.roll(arrived, 2**k)
    return builder.build()
