"""Direct algorithms: every rank exchanges with every other at once, in one step."""

from __future__ import annotations

import numpy as np

from uet.schedule.collectives.pieces import blocks
from uet.schedule.model import DATA, Schedule, ScheduleBuilder


def alltoall(n_ranks: int, size_bytes: int, dtype: str = "uint8") -> Schedule:
    """Return all n (n - 1) messages at once, each rank's first one to its right neighbour.

    1 step; rank r sends all blocks but its own: D - |block r| bytes. Starting at the neighbour spreads
    the first messages over all receivers (Thakur, Rabenseifner, Gropp 2005, section 3.3.1).

    Blocks differ by rank where D does not divide by n; rank i receives |block i| bytes from everybody,
    so its output takes n |block i| bytes from D on.
    """
    offsets = blocks(size_bytes, n_ranks, dtype)
    sizes, ranks = np.diff(offsets), np.arange(n_ranks)
    builder = ScheduleBuilder(
        "alltoall direct", n_ranks, size_bytes + n_ranks * int(sizes[0]), dtype=dtype, result="alltoall"
    )
    builder.copy(ranks, sizes, size_bytes + ranks * sizes, offsets[:-1], source_buffer=DATA, where=sizes > 0)
    source = np.repeat(ranks, n_ranks - 1)
    target = (source + np.tile(ranks[1:], n_ranks)) % n_ranks
    builder.transfer(
        source, target, sizes[target], offset=offsets[target], to_offset=size_bytes + source * sizes[target],
        where=sizes[target] > 0,
    )  # fmt: skip
    return builder.build()
