"""Kernels that write GOAL text."""

from __future__ import annotations

import numpy as np

from uet.base.jit import kernel
from uet.base.tables import Records
from uet.schedule.goal.blocks import GOAL_CALC, GOAL_SEND, Blocks
from uet.schedule.goal.mapped import Octets
from uet.schedule.model import Index

_LONGEST_NODE, _LONGEST_EDGE, _LONGEST_RANK = 130, 60, 40

_OPEN, _CLOSE, _RANK, _LABEL, _COLON, _SEND, _RECV, _CALC, _TO, _FROM, _TAG, _CPU, _NIC, _REQUIRES, _IREQUIRES = (
    np.frombuffer(piece, np.uint8)
    for piece in (
        b" {\n", b"}\n", b"\nrank ", b"l", b": ", b"send ", b"recv ", b"calc ", b"b to ", b"b from ", b" tag ",
        b" cpu ", b" nic ", b" requires l", b" irequires l",
    )
)  # fmt: skip
_NEWLINE, _MINUS, _ZERO = 10, 45, 48


@kernel
def _text(out: Octets, at: int, piece: Octets) -> int:
    for k in range(len(piece)):
        out[at + k] = piece[k]
    return at + len(piece)


@kernel
def _number(out: Octets, at: int, value: int) -> int:
    if value < 0:
        out[at] = _MINUS
        at, value = at + 1, -value
    n_digits, rest = 1, value // 10
    while rest > 0:
        n_digits, rest = n_digits + 1, rest // 10
    for k in range(n_digits):
        out[at + n_digits - 1 - k] = _ZERO + value % 10
        value //= 10
    return at + n_digits


@kernel
def _node(out: Octets, at: int, nodes: Records, node: int, label: int) -> int:
    kind = nodes["type"][node]
    at = _number(out, _text(out, at, _LABEL), label)
    at = _text(out, at, _COLON)
    at = _text(out, at, _CALC if kind == GOAL_CALC else (_SEND if kind == GOAL_SEND else _RECV))
    at = _number(out, at, nodes["size"][node])
    if kind != GOAL_CALC:
        at = _number(out, _text(out, at, _TO if kind == GOAL_SEND else _FROM), nodes["peer"][node])
        at = _number(out, _text(out, at, _TAG), nodes["tag"][node])
    if nodes["cpu"][node] > 0:
        at = _number(out, _text(out, at, _CPU), np.int64(nodes["cpu"][node]))
    if nodes["nic"][node] > 0 and kind != GOAL_CALC:
        at = _number(out, _text(out, at, _NIC), np.int64(nodes["nic"][node]))
    out[at] = _NEWLINE
    return at + 1


@kernel
def _edge(out: Octets, at: int, waiting: int, awaited: int, on_start: int) -> int:
    at = _number(out, _text(out, at, _LABEL), waiting + 1)
    at = _number(out, _text(out, at, _IREQUIRES if on_start else _REQUIRES), awaited + 1)
    out[at] = _NEWLINE
    return at + 1


@kernel
def _format(nodes: Records, edges: Records, first_node: Index, first_edge: Index, first_rank: int, out: Octets) -> int:
    """Write all ranks; each edge as soon as both its nodes are out, edges in their order. Return the end."""
    at = 0
    for r in range(len(first_node) - 1):
        at = _number(out, _text(out, at, _RANK), first_rank + r)
        at = _text(out, at, _OPEN)
        low, written = first_node[r], 0
        n = first_node[r + 1] - low
        for e in range(first_edge[r], first_edge[r + 1]):
            waiting, awaited = np.int64(edges["waiting"][e]), np.int64(edges["awaited"][e])
            while written <= max(waiting, awaited):
                at = _node(out, at, nodes, low + written, written + 1)
                written += 1
            at = _edge(out, at, waiting, awaited, np.int64(edges["on_start"][e]))
        while written < n:
            at = _node(out, at, nodes, low + written, written + 1)
            written += 1
        at = _text(out, at, _CLOSE)
    return at


def format_batch(batch: Blocks) -> memoryview:
    """Return the text of a batch of rank blocks."""
    n_ranks = len(batch.first_node) - 1
    size = _LONGEST_RANK * n_ranks + _LONGEST_NODE * len(batch.nodes) + _LONGEST_EDGE * len(batch.edges)
    out = np.empty(size, np.uint8)
    end = _format(batch.nodes, batch.edges, batch.first_node, batch.first_edge, batch.first_rank, out)
    return out[:end].data
