"""The binary GOAL format, little-endian and packed.

    0   u64 cookie 4223    8  u32 num_ranks    12 u8 max_cpu    13 u8 max_nic
    14  u64 jump[2 * num_ranks]: start and end of each rank's block, counted from byte 8
    rank block: u32 num_nodes, u32 num_roots, u32 root[num_roots], node[num_nodes], u32 dependent[]
    node (39 bytes): u32 dependencies, u8 type, u32 peer, u64 size, u32 tag, u8 cpu, u8 nic,
        u32 dependents, u32 first_dependent, u32 start_dependents, u32 first_start_dependent

A node's dependents are those that `requires` it and then those that `irequires` it, each in the
order of declaration; first_* count from the block's first dependent. Any source or tag is 2**32 - 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from uet.base.errors import BadInput
from uet.base.jit import kernel
from uet.base.runs import replacing
from uet.base.tables import Records
from uet.schedule.goal.blocks import EDGE, GOAL_CALC, NODE, Blocks
from uet.schedule.goal.mapped import MappedFile, Octets
from uet.schedule.model import Index

COOKIE = 4223
SPENT_COOKIE = 2342
"""Left in a file by a LogGOPSim run that used it as its working memory."""
COOKIES = (COOKIE, SPENT_COOKIE)

_START = 8
_HEADER_BYTES = 14
_NODE_BYTES = 39
_ANY = 2**32 - 1
_BATCH_BYTES = 2**25

_GOOD, _BAD_SIZE, _BAD_INDEX, _BAD_TYPE = range(4)
_COMPLAINTS = {
    _BAD_SIZE: "its block does not end where its nodes and dependents end",
    _BAD_INDEX: "a dependent is not a node of the rank, or dependency counts do not agree",
    _BAD_TYPE: "an operation is neither send, recv nor calc",
}


@kernel
def _put(out: Octets, at: int, value: int, n_bytes: int) -> int:
    for k in range(n_bytes):
        out[at + k] = (value >> (8 * k)) & 0xFF
    return at + n_bytes


@kernel
def _get(data: Octets, at: int, n_bytes: int) -> int:
    value: Any = np.int64(0)
    for k in range(n_bytes):
        value |= np.int64(data[at + k]) << np.int64(8 * k)
    return value


@kernel
def _encode_rank(
    nodes: Records, edges: Records, n0: int, n1: int, e0: int, e1: int, work: Index, out: Octets, at: int
) -> int:
    """Write one rank block at `at` and return its end; `work` is scratch of shape [nodes + 1, 6] and more."""
    n = n1 - n0
    for i in range(n):
        for c in range(4):
            work[i, c] = 0
    for e in range(e0, e1):
        awaited, column = edges["awaited"][e], np.int64(edges["on_start"][e])
        work[edges["waiting"][e], 0] += 1
        work[awaited, 1 + column] += 1
    roots = 0
    for i in range(n):
        roots += work[i, 0] == 0
    at = _put(out, at, n, 4)
    at = _put(out, at, roots, 4)
    for i in range(n):
        if work[i, 0] == 0:
            at = _put(out, at, i, 4)
    running = 0
    for i in range(n):
        node = n0 + i
        at = _put(out, at, work[i, 0], 4)
        at = _put(out, at, np.int64(nodes["type"][node]), 1)
        at = _put(out, at, nodes["peer"][node], 4)
        at = _put(out, at, nodes["size"][node], 8)
        at = _put(out, at, nodes["tag"][node], 4)
        at = _put(out, at, np.int64(nodes["cpu"][node]), 1)
        at = _put(out, at, np.int64(nodes["nic"][node]), 1)
        for c in range(1, 3):
            at = _put(out, at, work[i, c], 4)
            at = _put(out, at, running, 4)
            work[i, c + 3] = running
            running += work[i, c]
    for e in range(e0, e1):
        awaited, column = edges["awaited"][e], np.int64(edges["on_start"][e])
        place = work[awaited, 4 + column]
        work[awaited, 4 + column] = place + 1
        _put(out, at + 4 * place, edges["waiting"][e], 4)
    return at + 4 * (e1 - e0)


@kernel
def _encode(
    nodes: Records, edges: Records, first_node: Index, first_edge: Index, work: Index, out: Octets, ends: Index
) -> None:
    """Write all ranks of a batch one after another; ends[i] is where rank i's block ends."""
    at: Any = np.int64(0)
    for r in range(len(first_node) - 1):
        at = _encode_rank(
            nodes, edges, first_node[r], first_node[r + 1], first_edge[r], first_edge[r + 1], work, out, at
        )
        ends[r] = at


def write(batches: Iterable[Blocks], path: Path) -> None:
    """Write rank blocks as a binary file. Raises BadInput for numbers that the format has no room for."""
    jump: list[Index] = []
    max_cpu = max_nic = 0
    n_ranks = end = 0
    with replacing(path) as draft, draft.open("wb") as file:
        for whole in batches:
            for batch in whole.split():
                _check_room(batch, path)
                if not jump:
                    n_ranks, end = batch.n_ranks, _HEADER_BYTES - _START + 16 * batch.n_ranks
                    file.seek(end + _START)
                data, ends = _encoded(batch)
                file.write(data)
                starts = np.concatenate([[0], ends[:-1]])
                jump.append(np.stack([starts + end, ends + end], axis=1).ravel())
                end += int(ends[-1])
                max_cpu = max(max_cpu, int(batch.nodes["cpu"].max(initial=0)))
                max_nic = max(max_nic, int(batch.nodes["nic"].max(initial=0)))
        file.seek(0)
        file.write(COOKIE.to_bytes(8, "little") + n_ranks.to_bytes(4, "little") + bytes([max_cpu, max_nic]))
        file.write(np.concatenate([np.zeros(0, np.int64), *jump]).astype("<u8").tobytes())


def _encoded(batch: Blocks) -> tuple[memoryview, Index]:
    n, n_ranks = len(batch.nodes), len(batch.first_node) - 1
    widest = int(np.diff(batch.first_node).max(initial=0))
    out = np.empty(8 * n_ranks + (_NODE_BYTES + 4) * n + 4 * len(batch.edges), np.uint8)
    ends = np.zeros(n_ranks, np.int64)
    work = np.empty((widest, 6), np.int64)
    _encode(batch.nodes, batch.edges, batch.first_node, batch.first_edge, work, out, ends)
    return out[: ends[-1] if n_ranks else 0].data, ends


def _check_room(batch: Blocks, path: Path) -> None:
    for name in ("peer", "tag"):
        wrong = np.flatnonzero((batch.nodes[name] < -1) | (batch.nodes[name] >= _ANY))
        if len(wrong):
            raise BadInput(
                f"{path}: {name} {batch.nodes[name][wrong[0]]} does not fit into 32 bits; use smaller numbers"
            )


@kernel
def _decode_rank(
    data: Octets, at: int, end: int, nodes: Records, edges: Records, n0: int, e0: int, indegree: Index
) -> tuple[int, int, int]:
    """Read one rank block into nodes from n0 and edges from e0 on; return status, nodes and edges read."""
    n, roots = _get(data, at, 4), _get(data, at + 4, 4)
    base = at + 8 + 4 * roots
    listed = base + _NODE_BYTES * n
    if listed > end or (end - listed) % 4:
        return _BAD_SIZE, 0, 0
    n_edges = (end - listed) // 4
    for i in range(n):
        indegree[i] = 0
    read = 0
    for i in range(n):
        at, node = base + _NODE_BYTES * i, n0 + i
        nodes["type"][node] = data[at + 4]
        if data[at + 4] < 1 or data[at + 4] > 3:
            return _BAD_TYPE, 0, 0
        peer, tag = _get(data, at + 5, 4), _get(data, at + 17, 4)
        nodes["peer"][node] = -1 if peer == _ANY else peer
        nodes["size"][node] = _get(data, at + 9, 8)
        nodes["tag"][node] = -1 if tag == _ANY else tag
        nodes["cpu"][node], nodes["nic"][node] = data[at + 21], data[at + 22]
        for on_start in range(2):
            count, first = _get(data, at + 23 + 8 * on_start, 4), _get(data, at + 27 + 8 * on_start, 4)
            if first + count > n_edges and count > 0:
                return _BAD_INDEX, 0, 0
            for k in range(first, first + count):
                waiting = _get(data, listed + 4 * k, 4)
                if waiting >= n or read >= n_edges:
                    return _BAD_INDEX, 0, 0
                edge = e0 + read
                edges["waiting"][edge], edges["awaited"][edge], edges["on_start"][edge] = waiting, i, on_start
                indegree[waiting] += 1
                read += 1
    for i in range(n):
        if indegree[i] != _get(data, base + _NODE_BYTES * i, 4):
            return _BAD_INDEX, 0, 0
    return (_GOOD if read == n_edges else _BAD_SIZE), n, n_edges


@kernel
def _decode(
    data: Octets, starts: Index, ends: Index, nodes: Records, edges: Records, first_node: Index, first_edge: Index,
    indegree: Index,
) -> tuple[int, int]:  # fmt: skip
    """Read consecutive rank blocks; return a status and the block it concerns."""
    for r in range(len(starts)):
        status, n, m = _decode_rank(data, starts[r], ends[r], nodes, edges, first_node[r], first_edge[r], indegree)
        if status != _GOOD:
            return status, r
        first_node[r + 1], first_edge[r + 1] = first_node[r] + n, first_edge[r] + m
    return _GOOD, len(starts)


def read(path: Path) -> Iterator[Blocks]:
    """Yield the rank blocks of a binary file. Raises BadInput if it is cut off, spent or inconsistent."""
    file = MappedFile(path)
    data = file.octets
    if len(data) < _HEADER_BYTES:
        raise BadInput(f"{path}: is cut off after {len(data)} bytes; write it again")
    if int(data[:8].view("<u8")[0]) == SPENT_COOKIE:
        raise BadInput(f"{path}: was used up by a LogGOPSim run with --save-mem; write it again")
    n_ranks = int(data[8:12].view("<u4")[0])
    table_end = _HEADER_BYTES + 16 * n_ranks
    if len(data) < table_end:
        raise BadInput(f"{path}: is cut off within its table of {n_ranks} ranks; write it again")
    jump = np.frombuffer(data[_HEADER_BYTES:table_end].tobytes(), "<u8").astype(np.int64).reshape(-1, 2) + _START
    wrong = np.flatnonzero((jump[:, 0] < table_end) | (jump[:, 1] > len(data)) | (jump[:, 1] < jump[:, 0] + 8))
    if len(wrong):
        raise BadInput(f"{path}: the block of rank {wrong[0]} lies outside the {len(data)} bytes; the file is corrupt")
    yield from _read_ranks(path, file, n_ranks, jump[:, 0].copy(), jump[:, 1].copy())


def _read_ranks(path: Path, file: MappedFile, n_ranks: int, starts: Index, ends: Index) -> Iterator[Blocks]:
    volume = np.concatenate([[0], np.cumsum(ends - starts)])
    low = 0
    while low < n_ranks:
        high = max(low + 1, int(np.searchsorted(volume, volume[low] + _BATCH_BYTES)) - 1)
        size = int(volume[high] - volume[low])
        nodes, edges = NODE.zeros(size // _NODE_BYTES), EDGE.zeros(size // 4)
        first_node, first_edge = np.zeros(high - low + 1, np.int64), np.zeros(high - low + 1, np.int64)
        status, rank = _decode(
            file.octets, starts[low:high], ends[low:high], nodes, edges, first_node, first_edge,
            np.empty(size // _NODE_BYTES, np.int64),
        )  # fmt: skip
        if status != _GOOD:
            raise BadInput(f"{path}: rank {low + rank}: {_COMPLAINTS[status]}; the file is corrupt")
        nodes = nodes[: first_node[-1]]
        nodes["peer"][nodes["type"] == GOAL_CALC] = 0
        yield Blocks(n_ranks, low, nodes, edges[: first_edge[-1]], first_node, first_edge)
        file.forget(int(ends[high - 1]))
        low = high
