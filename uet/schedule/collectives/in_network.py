"""Allreduce in the network: switches add up what comes from below and send the sum down again.

A tree of switches with `radix` ranks or switches below each, levels of them; every rank sends D bytes and
receives D, half of what a ring takes (Graham et al. 2016, "Scalable Hierarchical Aggregation and Reduction
Protocol (SHARP)"). Twice as many steps as levels; chunks follow each other. Switches are the last
`n_switches` ranks of the schedule: carriers of real data let them take part, the cost model counts them, and
simulators, whose switches cannot add, refuse.
"""

from __future__ import annotations

import numpy as np

from uet.base.errors import BadInput
from uet.schedule.collectives.pieces import blocks, chunk_count
from uet.schedule.model import SCRATCH, Index, Schedule, ScheduleBuilder


def allreduce(
    n_ranks: int, size_bytes: int, dtype: str = "float32", radix: int | None = None, chunks: int | None = None
) -> Schedule:
    """Return the schedule below one switch, or below a tree of switches with `radix` children each."""
    if radix is not None and radix < 2:
        raise BadInput(f"radix={radix} must be at least 2 children per switch")
    parent = switch_tree(n_ranks, radix or max(n_ranks, 2))
    edges = blocks(size_bytes, chunk_count(chunks, size_bytes), dtype)
    builder = ScheduleBuilder("allreduce in-network", len(parent), size_bytes, 0, dtype, "allreduce")
    builder.n_switches = len(parent) - n_ranks
    _down(builder, parent, edges, _up(builder, parent, edges))
    return builder.build()


def switch_tree(n_ranks: int, radix: int) -> Index:
    """Return the parents of all ranks and switches, -1 for the root; every level is numbered after the one below."""
    parents: list[Index] = []
    level, first = n_ranks, 0
    while level > 1 or not parents:
        above = -(-level // radix)
        parents.append(first + level + np.arange(level) * above // level)
        first, level = first + level, above
    return np.concatenate([*parents, [-1]]).astype(np.int64)


def _up(builder: ScheduleBuilder, parent: Index, edges: Index) -> Index:
    """Add the sums up to the root; return what completes each chunk at every rank, [ranks, chunks].

    A switch takes the first child's chunk as it is and adds the others', each of which has a slot.
    """
    starts, sizes = edges[:-1], np.diff(edges)
    used, tags = sizes > 0, np.arange(len(sizes))
    complete: Index = np.full((len(parent), len(sizes)), -1, np.int64)
    for node in range(builder.n_ranks - builder.n_switches, builder.n_ranks):
        for number, child in enumerate(np.flatnonzero(parent == node).tolist()):
            slot = (number - 1) * builder.data_bytes
            first = number == 0
            _, received = builder.transfer(
                child, node, sizes, offset=starts, to_offset=starts + max(slot, 0), to_buffer=0 if first else SCRATCH,
                tag=tags, after=(complete[child],), where=used,
            )  # fmt: skip
            complete[node] = received if first else builder.reduce(
                node, sizes, starts, starts + slot, after=(received, complete[node]), where=used
            )  # fmt: skip
            builder.scratch_bytes = max(builder.scratch_bytes, slot + builder.data_bytes)
    return complete


def _down(builder: ScheduleBuilder, parent: Index, edges: Index, complete: Index) -> None:
    """Add the way down, from switches that have the sum."""
    starts, sizes = edges[:-1], np.diff(edges)
    for node in reversed(range(len(parent) - 1)):
        _, complete[node] = builder.transfer(
            int(parent[node]), node, sizes, offset=starts, tag=len(sizes) + np.arange(len(sizes)),
            after=(complete[parent[node]],), where=sizes > 0,
        )  # fmt: skip
