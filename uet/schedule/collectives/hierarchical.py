"""Allreduce over islands: fast links inside each island carry most of the bytes.

Every rank of an island becomes responsible for one block (direct reduce-scatter), the ranks with the
same block in all islands run a ring allreduce on it, and the island shares the results (direct
allgather). The islands' rings run side by side, one through each NIC.
"""

from __future__ import annotations

import numpy as np

from uet.base.errors import BadInput
from uet.schedule.collectives.pieces import blocks, cut
from uet.schedule.collectives.ring import Ring
from uet.schedule.model import SCRATCH, Index, Schedule, ScheduleBuilder

DEFAULT_ISLAND = 8


def allreduce(n_ranks: int, size_bytes: int, dtype: str = "float32", island: int = DEFAULT_ISLAND) -> Schedule:
    """Return the schedule for islands of `island` consecutive ranks.

    With g ranks per island and m islands 2 (m - 1) + 2 steps (none inside if g = 1); every rank sends
    2 (g - 1)/g D bytes within its island and 2 (m - 1)/m D/g between islands. Raises BadInput if the
    islands do not divide the ranks.
    """
    if island < 1 or n_ranks % island:
        raise BadInput(f"island={island} does not divide the {n_ranks} ranks; choose a divisor")
    offsets = blocks(size_bytes, island, dtype)
    ranks = np.arange(n_ranks).reshape(-1, island)
    slot_bytes = int(np.diff(offsets).max())
    inside = (island - 1) * slot_bytes
    ring = Ring(ranks.T, cut(offsets[:-1], offsets[1:], len(ranks), dtype), inside, first_tag=1)
    builder = ScheduleBuilder(
        "allreduce hierarchical", n_ranks, size_bytes, inside + ring.scratch_bytes, dtype, "allreduce"
    )
    reduced = _reduce_scatter(builder, ranks, offsets, slot_bytes)
    complete = ring.allreduce(builder, ready=reduced.T)
    _allgather(builder, ranks, offsets, tuple(done.T for done in complete), tag=1 + ring.tags)
    return builder.build()


def _reduce_scatter(builder: ScheduleBuilder, ranks: Index, offsets: Index, slot_bytes: int) -> Index:
    """Add the messages by which place p of every island gets and sums all pieces of block p; one slot per peer."""
    places, sizes = np.arange(ranks.shape[1]), np.diff(offsets)
    reduced: Index = np.full(ranks.shape, -1, np.int64)
    for distance in places[1:]:
        to, slot = (places + distance) % len(places), (distance - 1) * slot_bytes
        _, arrived = builder.transfer(
            ranks, ranks[:, to], sizes[to], offset=offsets[to], to_offset=slot, to_buffer=SCRATCH, where=sizes[to] > 0
        )
        received = np.roll(arrived, distance, axis=1)
        reduced = builder.reduce(ranks, sizes, offsets[:-1], slot, after=(received, reduced), where=sizes > 0)
    return reduced


def _allgather(builder: ScheduleBuilder, ranks: Index, offsets: Index, ready: tuple[Index, ...], tag: int) -> None:
    """Add the messages by which place p of every island sends block p to the others once it is complete."""
    places, sizes = np.arange(ranks.shape[1]), np.diff(offsets)
    for distance in places[1:]:
        to = ranks[:, (places + distance) % len(places)]
        builder.transfer(ranks, to, sizes, offset=offsets[:-1], tag=tag, after=ready, where=sizes > 0)
