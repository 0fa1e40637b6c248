"""The tables of the `table` rule for any graph, by breadth-first search from all attachments."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from topologies.distances import Attachments, Graph, attachments, batches, forwarding, hop_matrix
from topologies.fabric import HOST
from topologies.routes import ROUTE_NODE, WORD, Routes
from uet.base.errors import BadInput
from uet.base.jit import kernel
from uet.base.tables import Records

Ints = NDArray[np.int64]
SENTENCE = "the channel number grows with every link between forwarding nodes"
MOST_BYTES = 2**31
"""Tables above this size are refused."""


def table_routes(nodes: Records, ports: Records) -> Routes:
    """Return the `table` routes of a graph.

    Raises BadInput when the table would exceed MOST_BYTES or a path has more than 254 links.
    """
    graph = Graph(
        np.append(nodes["first_port"], len(ports)).astype(np.int32),
        ports["node"][ports["peer"]].astype(np.int32),
        int(np.count_nonzero(nodes["kind"] == HOST)),
    )
    at = attachments(graph)
    rows = _rows(nodes, ports, graph, at)
    row_words = np.where(rows["level"] == 1, -(-rows["b"].astype(np.int64) * len(at.nodes) // 32), 0)
    if row_words.sum() * 4 > MOST_BYTES:
        raise BadInput(
            f"a routing table for {graph.n_nodes} nodes and {len(at.nodes)} destinations needs "
            f"{row_words.sum() * 4 / 2**30:.1f} GiB, more than {MOST_BYTES / 2**30:.0f}; take a smaller fabric"
        )
    rows["a"] = np.cumsum(row_words) - row_words
    words = WORD.zeros(int(row_words.sum()))
    longest = _fill(rows, words["value"], graph, at)
    if longest > 254:
        raise BadInput(f"a path of {longest} links needs more virtual channels than there are (255)")
    return Routes("table", rows, words, longest + 1, SENTENCE)


def _rows(nodes: Records, ports: Records, graph: Graph, at: Attachments) -> Records:
    rows = ROUTE_NODE.zeros(len(nodes))
    rows["first_port"] = nodes["first_port"]
    hosts = slice(0, graph.n_hosts)
    rows["level"] = 1
    rows["level"][hosts] = at.node == np.arange(graph.n_hosts)
    rows["index"][hosts], rows["d"][hosts] = at.number, at.node
    far = ports["peer"][np.minimum(nodes["first_port"][hosts], max(len(ports) - 1, 0))]
    rows["c"][hosts] = np.where(rows["level"][hosts] == 0, far - nodes["first_port"][at.node], -1)
    needed = np.maximum(nodes["n_ports"].astype(np.int64), 1)
    narrow = 1 << np.ceil(np.log2(needed)).astype(np.int64)
    rows["b"] = np.where(needed > 32, -(-needed // 32) * 32, np.maximum(narrow, 4))
    return rows


def _fill(rows: Records, words: NDArray[np.int32], graph: Graph, at: Attachments) -> int:
    """Write the sets of all forwarding nodes; return the longest distance between attachments."""
    inner, number = forwarding(graph, at)
    targets = number[at.nodes]
    bits, start = (np.ascontiguousarray(rows[f], np.int64) for f in ("b", "a"))
    longest = 0
    for part in batches(len(targets)):
        hops = hop_matrix(inner, targets[part])
        longest = max(longest, int(hops[targets].max(initial=0)))
        buffer = np.zeros(hops.shape[1], np.uint32)
        _write_sets(graph.offsets, graph.neighbours, number, bits, start, hops, part.start, buffer, words)
    return longest


@kernel
def _write_sets(
    offsets: Any, neighbours: Any, number: Any, bits: Any, start: Any, hops: Any, first: int, buffer: Any, words: Any
) -> None:
    """Write the next-hop sets towards destinations first, first + 1, ... (the columns of `hops`).

    Row number[u] of `hops` is node u's; nodes of number -1 do not forward.
    """
    for u in range(len(number)):
        if number[u] < 0:
            continue
        degree = offsets[u + 1] - offsets[u]
        for low in range(0, degree, 32):
            buffer[:] = 0
            for k in range(low, min(low + 32, degree)):
                v = number[neighbours[offsets[u] + k]]
                if v >= 0:
                    _mark(hops[number[u]], hops[v], np.uint32(1) << np.uint32(k - low), buffer)
            for t in range(len(buffer)):
                entry = (first + t) * bits[u] + low
                word = start[u] + (entry >> 5)
                words[word] = np.int32(words[word] | np.int64(buffer[t]) << (entry & 31))


@kernel
def _mark(mine: Any, theirs: Any, bit: np.uint32, buffer: Any) -> None:
    """Set `bit` for the destinations that are one link nearer from the neighbour.

    Neighbours reach the same destinations, so that -1 for unreached never looks nearer.
    """
    for t in range(len(buffer)):
        buffer[t] |= bit if theirs[t] + np.int16(1) == mine[t] else np.uint32(0)
