"""What can be measured on a fabric's graph: distances between hosts."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from topologies.distances import Attachments, Graph, attachments, distance_counts, forwarding
from topologies.fabric import Fabric
from topologies.symmetry import host_orbits

Ints = NDArray[np.int64]
_WORTH_A_SYMMETRY = 2048  # attachments; below, searching from all is quicker than verifying permutations


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


def distances(fabric: Fabric, counted: NDArray[np.bool_] | None = None) -> Distances:
    """Return the exact distances of a fabric by breadth-first search, from one source of each orbit.

    Only pairs of the hosts that are `counted` [n_hosts] matter, all by default.
    """
    graph = Graph.of(fabric)
    at = attachments(graph)
    if counted is not None:
        at = replace(at, weight=np.bincount(at.number[counted], minlength=len(at.nodes)))
    inner, number = forwarding(graph, at)
    place = number[at.nodes]
    source, source_weight = _sources(fabric, at, counted is None)
    hanging = (at.nodes >= graph.n_hosts).astype(np.int64)  # 1 where hosts hang on a switch, a link each
    pairs = np.zeros(inner.n_nodes + 3, np.int64)
    longest = 0
    for near in (0, 1):
        mine = hanging[source] == near
        for far in (0, 1):
            targets = np.zeros(inner.n_nodes, np.int64)
            targets[place] = np.where(hanging == far, at.weight, 0)
            counts = distance_counts(inner, place[source[mine]], source_weight[mine], targets)
            pairs[near + far : near + far + len(counts)] += counts
            longest = max(longest, len(counts) - 1)
    pairs[0] = 0
    pairs[2] -= int(at.weight[hanging == 1].sum())  # a host is no pair with itself over its switch
    return _summary(np.trim_zeros(pairs, "b"), longest, int(at.weight.sum()))


def _sources(fabric: Fabric, at: Attachments, whole: bool) -> tuple[Ints, Ints]:
    """Return indices of attachments to search from, and how many hosts each stands for."""
    if not whole or len(at.nodes) < _WORTH_A_SYMMETRY:
        used = np.flatnonzero(at.weight)
        return used, at.weight[used]
    orbit = host_orbits(fabric)
    _, first, size = np.unique(orbit, return_index=True, return_counts=True)
    source, which = np.unique(at.number[first], return_inverse=True)
    return source, np.bincount(which, weights=size).astype(np.int64)


def _summary(pairs: Ints, longest: int, n_hosts: int) -> Distances:
    reached = int(pairs.sum())
    missing = n_hosts * (n_hosts - 1) - reached
    mean = float((np.arange(len(pairs)) * pairs).sum()) / reached if reached else None
    whole = missing == 0
    return Distances(
        max(len(pairs) - 1, 0) if whole else None,
        longest if whole else None,
        mean,
        tuple(int(c) for c in pairs),
        missing,
    )
