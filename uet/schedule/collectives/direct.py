"""Direct algorithms: every rank exchanges with every other at once, one message per pair.

For ranks that are all linked alike, as inside an island of accelerators on one switch. With D bytes over
n ranks, blocks of D/n:

    alltoall        1 step, (n - 1)/n D bytes sent per rank
    reducescatter   1 step, (n - 1)/n D
    allgather       1 step, (n - 1)/n D
    allreduce       2 steps, 2 (n - 1)/n D
"""

from __future__ import annotations

import numpy as np

from uet.schedule.collectives.pieces import blocks
from uet.schedule.model import DATA, SCRATCH, Index, Schedule, ScheduleBuilder


def alltoall(n_ranks: int, size_bytes: int, dtype: str = "uint8") -> Schedule:
    """Return all n (n - 1) messages at once, each rank's first one to its right neighbour.

    1 step; rank r sends all blocks but its own: D - |block r| bytes. Starting at the neighbour spreads
    the first messages over all receivers (Thakur, Rabenseifner, Gropp 2005, section 3.3.1).

    Blocks differ by rank where D does not divide by n; rank i receives |block i| bytes from everybody,
    so its output takes n |block i| bytes from D on.
    """
    ranks = np.arange(n_ranks)
    return _alltoall("direct", (ranks[:, None] + ranks[1:]) % n_ranks, size_bytes, dtype)


def linear_alltoall(n_ranks: int, size_bytes: int, dtype: str = "uint8") -> Schedule:
    """Return the same messages with every rank sending to 0, 1, 2 ... in that order.

    All begin with the same receivers, so the first messages meet: the worst order, for comparison.
    """
    ranks = np.arange(n_ranks)
    others = ranks[:-1] + (ranks[:-1] >= ranks[:, None])
    return _alltoall("linear", others, size_bytes, dtype)


def _alltoall(name: str, target: Index, size_bytes: int, dtype: str) -> Schedule:
    """Return the messages of each rank to the rows of `target` [n, n - 1], in that order."""
    n_ranks = len(target)
    offsets = blocks(size_bytes, n_ranks, dtype)
    sizes, ranks = np.diff(offsets), np.arange(n_ranks)
    builder = ScheduleBuilder(
        f"alltoall {name}", n_ranks, size_bytes + n_ranks * int(sizes[0]), dtype=dtype, result="alltoall"
    )
    builder.copy(ranks, sizes, size_bytes + ranks * sizes, offsets[:-1], source_buffer=DATA, where=sizes > 0)
    source = ranks[:, None]
    builder.transfer(
        source, target, sizes[target], offset=offsets[target], to_offset=size_bytes + source * sizes[target],
        where=sizes[target] > 0,
    )  # fmt: skip
    return builder.build()


def reducescatter(n_ranks: int, size_bytes: int, dtype: str = "float32") -> Schedule:
    """Return the schedule that leaves the sum of block r at rank r. Scratch: a slot per peer, about D bytes."""
    builder = ScheduleBuilder("reducescatter direct", n_ranks, size_bytes, 0, dtype, "reducescatter")
    add_reduce_scatter(builder, np.arange(n_ranks)[None], blocks(size_bytes, n_ranks, dtype), tag=0)
    return builder.build()


def allgather(n_ranks: int, size_bytes: int, dtype: str = "float32") -> Schedule:
    """Return the schedule that brings block r of rank r to all ranks."""
    builder = ScheduleBuilder("allgather direct", n_ranks, size_bytes, 0, dtype, "allgather")
    add_allgather(builder, np.arange(n_ranks)[None], blocks(size_bytes, n_ranks, dtype), (), tag=0)
    return builder.build()


def allreduce(n_ranks: int, size_bytes: int, dtype: str = "float32") -> Schedule:
    """Return the reduce-scatter and then the allgather."""
    builder = ScheduleBuilder("allreduce direct", n_ranks, size_bytes, 0, dtype, "allreduce")
    ranks, offsets = np.arange(n_ranks)[None], blocks(size_bytes, n_ranks, dtype)
    reduced = add_reduce_scatter(builder, ranks, offsets, tag=0)
    add_allgather(builder, ranks, offsets, (reduced,), tag=1)
    return builder.build()


def add_reduce_scatter(
    builder: ScheduleBuilder, ranks: Index, offsets: Index, tag: int, ready: tuple[Index, ...] = ()
) -> Index:
    """Add the messages by which place p of every group [groups, p] gets and sums all pieces of block p.

    Nothing is sent before `ready`. Returns the last reductions, shape [groups, p]; each peer's piece gets a slot
    of scratch.
    """
    places, sizes = np.arange(ranks.shape[1]), np.diff(offsets)
    slot_bytes = int(sizes.max())
    reduced: Index = np.full(ranks.shape, -1, np.int64)
    for distance in places[1:]:
        to, slot = (places + distance) % len(places), builder.scratch_bytes
        _, arrived = builder.transfer(
            ranks, ranks[:, to], sizes[to], offset=offsets[to], to_offset=slot, to_buffer=SCRATCH, tag=tag,
            after=ready, where=sizes[to] > 0,
        )  # fmt: skip
        received = np.roll(arrived, distance, axis=1)
        reduced = builder.reduce(ranks, sizes, offsets[:-1], slot, after=(received, reduced), where=sizes > 0)
        builder.scratch_bytes += slot_bytes
    return reduced


def add_allgather(builder: ScheduleBuilder, ranks: Index, offsets: Index, ready: tuple[Index, ...], tag: int) -> None:
    """Add the messages by which place p of every group [groups, p] sends block p to the others once `ready`."""
    places, sizes = np.arange(ranks.shape[1]), np.diff(offsets)
    for distance in places[1:]:
        to = ranks[:, (places + distance) % len(places)]
        builder.transfer(ranks, to, sizes, offset=offsets[:-1], tag=tag, after=ready, where=sizes > 0)
