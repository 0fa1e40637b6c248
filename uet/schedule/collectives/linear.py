"""Linear gather and scatter: the root exchanges with every other rank at once, one block each.

1 step; with blocks of D/n the root receives (gather) or sends (scatter) (n - 1)/n D bytes, the others D/n.
"""

from __future__ import annotations

import numpy as np

from uet.schedule.collectives.pieces import blocks
from uet.schedule.model import Index, Schedule, ScheduleBuilder


def scatter(n_ranks: int, size_bytes: int, dtype: str = "uint8", root: int = 0) -> Schedule:
    """Return the schedule that brings block r of the root's vector to rank r."""
    builder, others, offsets = _start("scatter", n_ranks, size_bytes, dtype, root)
    size = np.diff(offsets)[others]
    builder.transfer(root, others, size, offset=offsets[others], where=size > 0)
    return builder.build()


def gather(n_ranks: int, size_bytes: int, dtype: str = "uint8", root: int = 0) -> Schedule:
    """Return the schedule that brings block r of every rank r to the root."""
    builder, others, offsets = _start("gather", n_ranks, size_bytes, dtype, root)
    size = np.diff(offsets)[others]
    builder.transfer(others, root, size, offset=offsets[others], where=size > 0)
    return builder.build()


def _start(kind: str, n: int, size_bytes: int, dtype: str, root: int) -> tuple[ScheduleBuilder, Index, Index]:
    others = (root + np.arange(1, n)) % n
    return ScheduleBuilder(f"{kind} linear", n, size_bytes, 0, dtype, kind, root), others, blocks(size_bytes, n, dtype)
