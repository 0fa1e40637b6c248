"""Rank blocks: GOAL in memory, between files and `Schedule`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from uet.base.errors import BadInput
from uet.base.tables import Records, table
from uet.base.units import PS_PER_NS
from uet.schedule.model import CALC, COPY, OPERATION, RECV, REDUCE, SEND, Index, Schedule, check_ranges

NODE = table(
    "goal_node",
    """
    size i8 B|ns bytes of a message, nanoseconds of a calc
    peer i8 - rank at the other end, -1 any source, 0 for a calc
    tag i8 - tag of a message, -1 any, 0 for a calc
    type u1 - 1 send, 2 recv, 3 calc, as in the binary format
    cpu u1 - processor
    nic u1 - NIC
    """,
)

EDGE = table(
    "goal_edge",
    """
    waiting i4 - node that waits
    awaited i4 - node it waits for
    on_start u1 - 1 irequires, 0 requires
    """,
)

GOAL_SEND, GOAL_RECV, GOAL_CALC = 1, 2, 3

_KINDS = np.array([0, SEND, RECV, CALC])
_TYPES = np.array([GOAL_SEND, GOAL_RECV, GOAL_CALC, GOAL_CALC, GOAL_CALC], np.uint8)  # by schedule kind
_BATCH_NODES = 500_000


@dataclass(frozen=True, eq=False)
class Blocks:
    """Consecutive ranks from `first_rank` on, out of `n_ranks`.

    The i-th of them has nodes[first_node[i] : first_node[i + 1]] and edges[first_edge[i] : first_edge[i + 1]];
    edges number the nodes of their rank from 0 and stand in the order of declaration. `remarks` are
    sentences on what is legal in the file they come from, but hardly meant.
    """

    n_ranks: int
    first_rank: int
    nodes: Records
    edges: Records
    first_node: Index
    first_edge: Index
    remarks: tuple[str, ...] = ()

    def split(self, batch_nodes: int = _BATCH_NODES) -> Iterator[Blocks]:
        """Yield the same ranks in batches of about `batch_nodes` nodes, at least one rank each."""
        wanted = np.arange(0, len(self.nodes) + batch_nodes, batch_nodes)
        cuts = np.unique(np.append(np.searchsorted(self.first_node[:-1], wanted), len(self.first_node) - 1))
        for low, high in pairwise(cuts.tolist()):
            nodes = slice(self.first_node[low], self.first_node[high])
            edges = slice(self.first_edge[low], self.first_edge[high])
            first_node = self.first_node[low : high + 1] - self.first_node[low]
            first_edge = self.first_edge[low : high + 1] - self.first_edge[low]
            rank = self.first_rank + low
            yield Blocks(self.n_ranks, rank, self.nodes[nodes], self.edges[edges], first_node, first_edge)


def from_schedule(schedule: Schedule, reduce_ps_per_byte: float = 0.0) -> Blocks:
    """Return a schedule as rank blocks, operations of a rank in their order; see `write_goal`."""
    ops, n = schedule.operations, schedule.n_ranks
    waiting = np.repeat(np.arange(len(ops)), np.diff(schedule.first_dependency))
    awaited = schedule.dependencies
    _check_sayable(schedule, waiting)
    order = np.argsort(ops["rank"], kind="stable")
    first_node = np.searchsorted(ops["rank"][order], np.arange(n + 1))
    place = np.empty(len(ops), np.int64)
    place[order] = np.arange(len(ops)) - first_node[ops["rank"][order]]
    edges = EDGE.zeros(len(awaited))
    edges["waiting"], edges["awaited"] = place[waiting], place[awaited]
    if schedule.on_start is not None:
        edges["on_start"] = schedule.on_start
    declared = np.arange(len(awaited)) if schedule.declared is None else schedule.declared
    edge_rank = ops["rank"][waiting]
    edge_order = np.lexsort((declared, edge_rank))
    first_edge = np.searchsorted(edge_rank[edge_order], np.arange(n + 1))
    return Blocks(n, 0, _nodes(ops[order], reduce_ps_per_byte), edges[edge_order], first_node, first_edge)


def _check_sayable(schedule: Schedule, waiting: Index) -> None:
    ranks = schedule.operations["rank"]
    across = np.flatnonzero(ranks[waiting] != ranks[schedule.dependencies])
    if len(across):
        a, b = (int(ranks[k[across[0]]]) for k in (waiting, schedule.dependencies))
        raise BadInput(
            f"{schedule.name}: an operation of rank {a} waits for one of rank {b}, which GOAL cannot say; "
            "send a message between them"
        )
    if schedule.needed is not None and np.any(schedule.needed != np.diff(schedule.first_dependency)):
        raise BadInput(f"{schedule.name}: an operation waits for some of a set of others, which GOAL cannot say")


def _nodes(ops: Records, reduce_ps_per_byte: float) -> Records:
    nodes = NODE.zeros(len(ops))
    messages, kind = np.isin(ops["kind"], (SEND, RECV)), ops["kind"]
    local_ps = np.where(np.isin(kind, (REDUCE, COPY)), ops["bytes"] * reduce_ps_per_byte, ops["duration_ps"])
    nodes["type"] = _TYPES[kind]
    nodes["size"] = np.where(messages, ops["bytes"], np.rint(local_ps / PS_PER_NS).astype(np.int64))
    nodes["peer"], nodes["tag"] = np.where(messages, ops["peer"], 0), np.where(messages, ops["tag"], 0)
    nodes["cpu"], nodes["nic"] = ops["cpu"], ops["nic"]
    return nodes


def to_schedule(name: str, batches: Iterable[Blocks]) -> Schedule:
    """Join rank blocks into a schedule. Raises BadInput for peers that do not exist."""
    parts = list(batches)
    n_ranks = parts[0].n_ranks if parts else 0
    nodes = np.concatenate([b.nodes for b in parts] or [NODE.zeros(0)])
    ops = OPERATION.zeros(len(nodes))
    ops["rank"] = np.repeat(
        np.arange(n_ranks), np.concatenate([np.zeros(0, int), *(np.diff(b.first_node) for b in parts)])
    )
    ops["kind"] = _KINDS[nodes["type"]]
    calc = nodes["type"] == GOAL_CALC
    if np.any(nodes["size"][calc] > np.iinfo(np.int64).max // PS_PER_NS):
        raise BadInput(f"{name}: a calc of more than 106 days does not fit; give nanoseconds")
    ops["duration_ps"] = np.where(calc, nodes["size"] * PS_PER_NS, 0)
    ops["bytes"] = np.where(calc, 0, nodes["size"])
    _check_peers(name, n_ranks, ops["rank"], nodes)
    ops["peer"], ops["tag"] = np.where(calc, -1, nodes["peer"]), nodes["tag"]
    ops["cpu"], ops["nic"] = nodes["cpu"], nodes["nic"]
    waiting, awaited, on_start = _global_edges(parts)
    order = np.argsort(waiting, kind="stable")
    first = np.zeros(len(ops) + 1, np.int64)
    np.cumsum(np.bincount(waiting, minlength=len(ops)), out=first[1:])
    in_order = bool(np.all(np.diff(waiting) >= 0))
    check_ranges(name, n_ranks, ops, awaited)
    return Schedule(
        name, n_ranks, ops, first, awaited[order], int(ops["bytes"].max(initial=0)),
        on_start=on_start[order] if on_start.any() else None, declared=None if in_order else order,
    )  # fmt: skip


def _check_peers(name: str, n_ranks: int, rank: NDArray[np.int32], nodes: Records) -> None:
    wrong = np.flatnonzero((nodes["type"] != GOAL_CALC) & (nodes["peer"] >= n_ranks))
    if len(wrong):
        first = wrong[0]
        what = "sends to" if nodes["type"][first] == GOAL_SEND else "receives from"
        raise BadInput(
            f"{name}: rank {rank[first]} {what} rank {nodes['peer'][first]} but ranks are 0..{n_ranks - 1} "
            f"({len(wrong)} such operations); correct the peer"
        )


def _global_edges(parts: list[Blocks]) -> tuple[Index, Index, NDArray[np.bool_]]:
    """Return waiting and awaited operation and kind of every edge, numbered over all ranks."""
    edges = np.concatenate([b.edges for b in parts] or [EDGE.zeros(0)])
    shifts, nodes_before = [np.zeros(0, np.int64)], 0
    for b in parts:
        shifts.append(np.repeat(b.first_node[:-1] + nodes_before, np.diff(b.first_edge)))
        nodes_before += len(b.nodes)
    shift = np.concatenate(shifts)
    return edges["waiting"] + shift, edges["awaited"] + shift, edges["on_start"].astype(np.bool_)
