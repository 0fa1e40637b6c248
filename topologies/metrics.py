"""What can be measured on a fabric's graph: distances and counts of paths between hosts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from topologies.distances import Graph, attachments, distance_counts
from topologies.fabric import Fabric

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Distances:
    """Distances between hosts in links of one plane.

    `diameter` and `router_diameter` (between the switches that hosts hang on, or hosts that forward) are
    None where some pair has no path; `avg_distance` is the mean over ordered pairs of distinct hosts that
    have one, None if no pair has; `pairs[d]` counts ordered pairs at distance d.
    """

    diameter: int | None
    router_diameter: int | None
    avg_distance: float | None
    pairs: tuple[int, ...]
    unreachable_pairs: int


def distances(fabric: Fabric) -> Distances:
    """Return the exact distances of a fabric by breadth-first search from every attachment."""
    graph = Graph.of(fabric)
    at = attachments(graph)
    weight = np.zeros(graph.n_nodes, np.int64)
    weight[at.nodes] = at.weight
    behind = (at.nodes >= graph.n_hosts).astype(np.int64)  # 1 where hosts hang on a switch by a link each
    pairs = np.zeros(graph.n_nodes + 2, np.int64)
    longest = 0
    for near in (0, 1):
        mine = behind == near
        for far in (0, 1):
            targets = weight.copy()
            targets[at.nodes[behind != far]] = 0
            counts = distance_counts(graph, at.nodes[mine], at.weight[mine], targets)
            pairs[near + far : near + far + len(counts)] += counts
            longest = max(longest, len(counts) - 1)
    n = fabric.n_hosts
    pairs[0] = 0
    pairs[2] -= int(at.weight[behind == 1].sum())  # a host is not its own neighbour on its switch
    reached = int(pairs.sum())
    missing = n * (n - 1) - reached
    trimmed = np.trim_zeros(pairs, "b")
    mean = float((np.arange(len(trimmed)) * trimmed).sum()) / reached if reached else None
    whole = missing == 0
    return Distances(
        max(len(trimmed) - 1, 0) if whole else None,
        longest if whole else None,
        mean,
        tuple(int(c) for c in trimmed),
        missing,
    )
