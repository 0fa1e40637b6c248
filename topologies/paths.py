"""Counts of paths between hosts: what spraying over several paths lives on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topologies.distances import Graph, attachments
from topologies.fabric import Fabric
from uet.base.jit import kernel

Ints = NDArray[np.int64]
Reals = NDArray[np.float64]


@dataclass(frozen=True)
class Range:
    """Least, mean and most over pairs."""

    least: float
    mean: float
    most: float


@dataclass(frozen=True)
class PathCounts:
    """Paths between hosts on different attachments, per ordered pair; parallel links count separately.

    `minimal` counts shortest paths, `plus_one` paths that are one link longer, `spread` the different
    first links of shortest paths at the attachment. `sources` attachments were searched of `of_sources`:
    an even sample in large fabrics, where least and most are those of the sample.
    """

    minimal: Range
    plus_one: Range
    spread: Range
    sources: int
    of_sources: int


def path_counts(fabric: Fabric, most_sources: int = 256) -> PathCounts | None:
    """Return the path counts of a fabric; None if all hosts share one attachment."""
    graph = Graph.of(fabric)
    at = attachments(graph)
    n = len(at.nodes)
    if n < 2:
        return None
    chosen = np.unique(np.linspace(0, n - 1, min(n, most_sources)).astype(np.int64))
    totals = _Totals()
    rows = [np.zeros(graph.n_nodes, np.int64), np.zeros(graph.n_nodes, np.int64)]
    values = np.zeros((3, graph.n_nodes))
    for index in chosen:
        _count_from(graph.offsets, graph.neighbours, int(at.nodes[index]), rows[0], rows[1], values)
        others = np.arange(n) != index
        reached = rows[0][at.nodes] >= 0
        keep = at.nodes[others & reached]
        totals.add(values[:, keep], at.weight[others & reached] * at.weight[index])
    return totals.result(len(chosen), n)


class _Totals:
    """Running least, weighted sum and most of three quantities."""

    def __init__(self) -> None:
        self.least, self.sum, self.most, self.weight = np.full(3, np.inf), np.zeros(3), np.zeros(3), 0.0

    def add(self, values: Reals, weight: Ints) -> None:
        if values.shape[1]:
            self.least = np.minimum(self.least, values.min(axis=1))
            self.most = np.maximum(self.most, values.max(axis=1))
            self.sum += values @ weight
            self.weight += float(weight.sum())

    def result(self, sources: int, of_sources: int) -> PathCounts | None:
        if not self.weight:
            return None
        minimal, plus_one, spread = (
            Range(float(a), float(b / self.weight), float(c))
            for a, b, c in zip(self.least, self.sum, self.most, strict=True)
        )
        return PathCounts(minimal, plus_one, spread, sources, of_sources)


@kernel
def _count_from(offsets: Any, neighbours: Any, source: int, hops: Any, queue: Any, values: Any) -> None:
    """Fill `hops` (-1 unreached) and per node `values`: shortest paths, paths one longer, last links.

    A path one link longer has exactly one link between nodes at equal distance from the source.
    """
    hops[:] = -1
    values[:] = 0
    hops[source], queue[0], values[0, source] = 0, source, 1
    head, tail = 0, 1
    while head < tail:
        u = queue[head]
        head += 1
        for k in range(offsets[u], offsets[u + 1]):
            v = neighbours[k]
            if hops[v] < 0:
                hops[v] = hops[u] + 1
                queue[tail] = v
                tail += 1
            if hops[v] == hops[u] + 1:
                values[0, v] += values[0, u]
                values[2, v] += 1
    for i in range(tail):
        u = queue[i]
        for k in range(offsets[u], offsets[u + 1]):
            v = neighbours[k]
            if hops[v] == hops[u]:
                values[1, u] += values[0, v]
            elif hops[v] == hops[u] - 1:
                values[1, u] += values[1, v]
