"""Scatter and gather by binomial trees: a rank passes on all blocks of the half of the tree below the other.

With ranks counted from the root and blocks of D/n: ceil(log2 n) rounds, chains of floor(log2 n) sends; the
root sends (scatter) or receives (gather) (n - 1)/n D bytes, a rank with t - 1 others below it t D/n. Source: Chan et
al. 2007, "Collective communication: theory, practice, and experience". A range of blocks that wraps around the last
rank is two messages.
"""

from __future__ import annotations

import numpy as np

from uet.schedule.collectives.pieces import blocks, rounds
from uet.schedule.model import Index, Schedule, ScheduleBuilder


def scatter(n_ranks: int, size_bytes: int, dtype: str = "uint8", root: int = 0) -> Schedule:
    """Return the schedule that brings block r of the root's vector to rank r."""
    builder = ScheduleBuilder("scatter binomial", n_ranks, size_bytes, 0, dtype, "scatter", root)
    add_scatter(builder, blocks(size_bytes, n_ranks, dtype))
    return builder.build()


def gather(n_ranks: int, size_bytes: int, dtype: str = "uint8", root: int = 0) -> Schedule:
    """Return the schedule that brings block r of every rank r to the root."""
    builder = ScheduleBuilder("gather binomial", n_ranks, size_bytes, 0, dtype, "gather", root)
    add_gather(builder, blocks(size_bytes, n_ranks, dtype), (), first_tag=0)
    return builder.build()


def add_scatter(builder: ScheduleBuilder, offsets: Index) -> tuple[Index, Index]:
    """Add a scatter of blocks with these offsets [n + 1], with 2 ceil(log2 n) tags.

    Returns what every rank has its blocks with, a receive for either part of a range that wraps, each [n].
    """
    n, root = builder.n_ranks, builder.root
    have: Index = np.full(n, -1, np.int64)
    wrapped: Index = np.full(n, -1, np.int64)
    for k in reversed(range(rounds(n))):
        parent, child, parts = _round(n, root, offsets, k)
        for tag, (offset, size) in enumerate(parts):
            _, arrived = builder.transfer(
                parent,
                child,
                size,
                offset=offset,
                tag=2 * k + tag,
                after=(have[parent], wrapped[parent]),
                where=size > 0,
            )
            (wrapped if tag else have)[child] = arrived
    return have, wrapped


def add_gather(builder: ScheduleBuilder, offsets: Index, ready: tuple[Index, ...], first_tag: int) -> None:
    """Add a gather of blocks with these offsets [n + 1], of which every rank has its own once `ready`, each [n]."""
    n, root = builder.n_ranks, builder.root
    below: list[Index] = list(ready)
    for k in range(rounds(n)):
        parent, child, parts = _round(n, root, offsets, k)
        after = tuple(b[child] for b in below)
        for tag, (offset, size) in enumerate(parts):
            _, arrived = builder.transfer(
                child, parent, size, offset=offset, tag=first_tag + 2 * k + tag, after=after, where=size > 0
            )
            received: Index = np.full(n, -1, np.int64)
            received[parent] = arrived
            below.append(received)


def _round(n: int, root: int, offsets: Index, k: int) -> tuple[Index, Index, list[tuple[Index, Index]]]:
    """Return parents, children, and offset and size of both parts of the blocks below the children of level k."""
    place = np.arange(0, n - 2**k, 2 ** (k + 1))
    parent, child = (place + root) % n, (place + 2**k + root) % n
    end = child + np.minimum(2**k, n - place - 2**k)
    first = offsets[np.minimum(end, n)] - offsets[child]
    second = offsets[np.maximum(end - n, 0)]
    return parent, child, [(offsets[child], first), (np.zeros_like(second), second)]
