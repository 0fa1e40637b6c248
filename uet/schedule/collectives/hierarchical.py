"""Allreduce over islands: fast links inside each island carry most of the bytes.

Every rank of an island becomes responsible for one block (direct reduce-scatter), the ranks with the
same block in all islands run a ring allreduce on it, and the island shares the results (direct
allgather). The islands' rings run side by side, one through each NIC. The vector is cut into chunks that
do so one after another: while one goes round the rings, the island adds up the next.
"""

from __future__ import annotations

import numpy as np

from uet.schedule.collectives.direct import add_allgather, add_reduce_scatter
from uet.schedule.collectives.pieces import blocks, chunk_count, cut, island_of
from uet.schedule.collectives.ring import Ring, ring_tags
from uet.schedule.model import Index, Schedule, ScheduleBuilder

DEFAULT_ISLAND, MOST_CHUNKS = 8, 32
UNDER_WAY = 8
"""Chunks at once between an island's adding up and sharing: enough to hide latency, in order nevertheless."""


def allreduce(
    n_ranks: int, size_bytes: int, dtype: str = "float32", island: int = DEFAULT_ISLAND, chunks: int | None = None
) -> Schedule:
    """Return the schedule for islands of `island` consecutive ranks.

    With g ranks per island and m islands 2 (m - 1) + 2 steps (none inside if g = 1); every rank sends
    2 (g - 1)/g D bytes within its island and 2 (m - 1)/m D/g between islands. Raises BadInput if the
    islands do not divide the ranks.
    """
    ranks = np.arange(n_ranks).reshape(-1, island_of(n_ranks, island))
    islands = len(ranks)
    parts = blocks(size_bytes, chunk_count(chunks, size_bytes // n_ranks, MOST_CHUNKS), dtype)
    builder = ScheduleBuilder("allreduce hierarchical", n_ranks, size_bytes, 0, dtype, "allreduce")
    done: list[Index] = []
    for k in range(len(parts) - 1):
        tag = k * (ring_tags(islands) + 2)
        offsets = parts[k] + blocks(int(parts[k + 1] - parts[k]), island, dtype)
        reduced = add_reduce_scatter(builder, ranks, offsets, tag, tuple(done[-UNDER_WAY:][: k >= UNDER_WAY]))
        edges = cut(offsets[:-1], offsets[1:], islands, dtype)
        ring = Ring(ranks.T, edges[:, :-1], np.diff(edges), builder.scratch_bytes, tag + 2)
        builder.scratch_bytes += ring.scratch_bytes
        complete = [last.T for last in ring.allreduce(builder, ready=reduced.T)]
        add_allgather(builder, ranks, offsets, tuple(complete), tag + 1)
        done.append(complete[-1])
    return builder.build()
