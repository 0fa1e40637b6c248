"""Breadth-first distances on a fabric's graph, 64 sources to a machine word.

A level of the search is one OR per link and word, so that all-pairs distances of a 3,000-switch tree
take a fraction of a second. Hosts with a single link cannot lie on a path between others; they are
searched through their switch, their attachment.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topologies.bits import ones
from topologies.fabric import Fabric
from uet.base.jit import kernel

Ints = NDArray[np.int64]
Bits = NDArray[np.uint64]
_BATCH_WORDS = 16  # 1,024 sources at a time keep the three bit sets of 100,000 nodes below 40 MB


@dataclass(frozen=True)
class Graph:
    """CSR neighbour lists in port order, offsets [n_nodes + 1] and neighbours [n_ports]; hosts come first."""

    offsets: NDArray[np.int32]
    neighbours: NDArray[np.int32]
    n_hosts: int

    @classmethod
    def of(cls, fabric: Fabric) -> Graph:
        """Return the graph of one plane of a fabric."""
        return cls(*fabric.adjacency, fabric.n_hosts)

    @property
    def n_nodes(self) -> int:
        """Hosts and switches."""
        return len(self.offsets) - 1


@dataclass(frozen=True)
class Attachments:
    """Where hosts hang: `node` [n_hosts] is the switch of a host with one link, else the host itself.

    `nodes` are the distinct attachments, ascending; `number` [n_hosts] is the index of each host's in
    `nodes`, `weight` [len(nodes)] how many hosts hang on each.
    """

    node: Ints
    nodes: Ints
    number: Ints
    weight: Ints


def attachments(graph: Graph) -> Attachments:
    """Return the attachments of a graph's hosts; a host with one link to another host is its own."""
    n = graph.n_hosts
    single = np.flatnonzero(np.diff(graph.offsets[: n + 1]) == 1)
    far = graph.neighbours[graph.offsets[single]].astype(np.int64)
    node = np.arange(n)
    node[single[far >= n]] = far[far >= n]
    nodes, number, weight = np.unique(node, return_inverse=True, return_counts=True)
    return Attachments(node, nodes, number, weight)


def forwarding(graph: Graph, at: Attachments) -> tuple[Graph, Ints]:
    """Return the graph without the hosts that hang on a switch, and each node's number in it, -1 if left out."""
    kept = np.ones(graph.n_nodes, bool)
    kept[: graph.n_hosts] = at.node == np.arange(graph.n_hosts)
    number = np.where(kept, np.cumsum(kept) - 1, -1)
    owner = np.repeat(np.arange(graph.n_nodes), np.diff(graph.offsets))
    inside = kept[owner] & kept[graph.neighbours]
    degree = np.bincount(number[owner[inside]], minlength=int(kept.sum()))
    offsets = np.concatenate([[0], np.cumsum(degree)]).astype(np.int32)
    neighbours = number[graph.neighbours[inside]].astype(np.int32)
    return Graph(offsets, neighbours, int(kept[: graph.n_hosts].sum())), number


def batches(n_sources: int) -> Iterator[slice]:
    """Yield slices of sources that one search handles at a time."""
    for start in range(0, n_sources, 64 * _BATCH_WORDS):
        yield slice(start, min(start + 64 * _BATCH_WORDS, n_sources))


def hop_matrix(graph: Graph, sources: Ints) -> NDArray[np.int16]:
    """Return links between each node and each source, -1 where there is no path; [n_nodes, n_sources]."""
    hops = np.full((graph.n_nodes, len(sources)), -1, np.int16)
    for part in batches(len(sources)):
        hops[:, part] = _hops(graph, sources[part])
    return hops


def distance_counts(graph: Graph, sources: Ints, source_weight: Ints, target_weight: Ints) -> Ints:
    """Return how many weighted (source, node) pairs lie at each distance.

    `target_weight` has one entry per node; nodes of weight 0 are passed over.
    """
    counts = np.zeros(graph.n_nodes + 1, np.int64)
    for part in batches(len(sources)):
        _count_levels(graph, sources[part], source_weight[part], target_weight, counts)
    return np.trim_zeros(counts, "b")


def _start(n_nodes: int, sources: Ints) -> tuple[Bits, Bits, Bits]:
    """Return the bit sets seen, front and fresh [n_nodes, words] with every search at its source."""
    shape = (n_nodes, -(-len(sources) // 64))
    front = np.zeros(shape, np.uint64)
    number = np.arange(len(sources))
    np.bitwise_or.at(front, (sources, number // 64), np.uint64(1) << (number % 64).astype(np.uint64))
    return front.copy(), front, np.zeros(shape, np.uint64)


def _hops(graph: Graph, sources: Ints) -> NDArray[np.int16]:
    seen, front, fresh = _start(graph.n_nodes, sources)
    hops = np.full((graph.n_nodes, len(sources)), -1, np.int16)
    hops[sources, np.arange(len(sources))] = 0
    level = 0
    while _advance(graph.offsets, graph.neighbours, seen, front, fresh):
        level += 1
        _write_hops(fresh, level, hops)
        front, fresh = fresh, front
    return hops


def _count_levels(graph: Graph, sources: Ints, source_weight: Ints, target_weight: Ints, counts: Ints) -> None:
    seen, front, fresh = _start(graph.n_nodes, sources)
    counts[0] += int((source_weight * target_weight[sources]).sum())
    common = int(source_weight[0]) if np.all(source_weight == source_weight[0]) else 0
    level = 0
    while _advance(graph.offsets, graph.neighbours, seen, front, fresh):
        level += 1
        counts[level] += _weigh(fresh, source_weight, common, target_weight)
        front, fresh = fresh, front


@kernel
def _advance(offsets: Any, neighbours: Any, seen: Any, front: Any, fresh: Any) -> bool:
    """Move every search one link on: `fresh` becomes the nodes first reached now; tell if there are any."""
    n_nodes, n_words = seen.shape
    fresh[:] = 0
    for u in range(n_nodes):
        active = False
        for w in range(n_words):
            active = active or front[u, w] != 0
        if active:
            for k in range(offsets[u], offsets[u + 1]):
                for w in range(n_words):
                    fresh[neighbours[k], w] |= front[u, w]
    found = False
    for u in range(n_nodes):
        for w in range(n_words):
            new = fresh[u, w] & ~seen[u, w]
            fresh[u, w] = new
            seen[u, w] |= new
            found = found or new != 0
    return found


@kernel
def _bit_number(bit: np.uint64) -> int:
    """Return the number of the only bit set in `bit`."""
    number = 0
    for shift in (32, 16, 8, 4, 2, 1):
        if bit >> np.uint64(shift):
            bit >>= np.uint64(shift)
            number += shift
    return number


@kernel
def _write_hops(fresh: Any, level: int, hops: Any) -> None:
    n_nodes, n_words = fresh.shape
    for u in range(n_nodes):
        for w in range(n_words):
            left = fresh[u, w]
            while left:
                bit = left & (~left + np.uint64(1))
                hops[u, w * 64 + _bit_number(bit)] = level
                left ^= bit


@kernel
def _weigh(fresh: Any, source_weight: Any, common: int, target_weight: Any) -> int:
    """Sum source weight times target weight over the bits set; `common` > 0 is every source's weight."""
    total = 0
    n_nodes, n_words = fresh.shape
    for u in range(n_nodes):
        weight = target_weight[u]
        if weight == 0:
            continue
        for w in range(n_words):
            left = fresh[u, w]
            if common:
                total += weight * common * ones(left)
                continue
            while left:
                bit = left & (~left + np.uint64(1))
                total += weight * source_weight[w * 64 + _bit_number(bit)]
                left ^= bit
    return total
