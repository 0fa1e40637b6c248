"""Folded Clos trees: their shape, and how up-links are dealt to the level above.

Shared by every family that contains a tree. Leaves are dealt in order into pods of `pod_leaves`.
Inside a pod the up-links, leaf after leaf, go round-robin to the pod's spines, so that in a full pod
up-link i of a leaf ends at spine i. The up-links of all spines, in order, go round-robin to the cores,
so that with `radix` full pods up-link j of spine i ends at core i * radix/2 + j (Al-Fares, Loukissas,
Vahdat, SIGCOMM 2008). The same rule wires partial and tapered trees and never exceeds a radix.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from topologies.fabric import FabricBuilder

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Tree:
    """The shape of a tree of one to three levels; counts of one plane.

    Leaves have `up` up-links each; `pod_spines` spines serve `pod_leaves` leaves (the last pod may be
    smaller); a spine has up-links for its down-links in the ratio `spine_taper`, down to up.
    """

    leaves: int
    up: int = 0
    pod_leaves: int = 0
    pod_spines: int = 0
    spines: int = 0
    cores: int = 0
    spine_taper: tuple[int, int] = (1, 1)

    @property
    def pods(self) -> int:
        """Pods, the last of which may be partial; 1 in trees of fewer than three levels."""
        return -(-self.leaves // self.pod_leaves) if self.cores else 1

    @cached_property
    def leaf_pod(self) -> Ints:
        """The pod of each leaf [leaves]."""
        return np.arange(self.leaves) // (self.pod_leaves or self.leaves)

    @cached_property
    def spine_pod(self) -> Ints:
        """The pod of each spine [spines]."""
        return np.arange(self.spines) // (self.pod_spines or 1)

    @cached_property
    def leaf_links(self) -> tuple[Ints, Ints]:
        """Leaf and spine of every link between them, in leaf order [leaves * up]."""
        leaf = np.repeat(np.arange(self.leaves), self.up)
        pod = self.leaf_pod[leaf]
        within = np.arange(len(leaf)) - pod * self.pod_leaves * self.up
        first = pod * self.pod_spines
        return leaf, first + within % np.minimum(self.pod_spines, self.spines - first)

    @cached_property
    def spine_links(self) -> tuple[Ints, Ints]:
        """Spine and core of every link between them, in spine order; empty without cores."""
        if not self.cores:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        down, up = self.spine_taper
        ups = np.bincount(self.leaf_links[1], minlength=self.spines) * up // down
        spine = np.repeat(np.arange(self.spines), ups)
        return spine, np.arange(len(spine)) % self.cores


@dataclass(frozen=True)
class TreeNodes:
    """Where a tree sits in a fabric: first node numbers of its levels, and the leaf of each host."""

    host_leaf: Ints
    first_leaf: int
    first_spine: int = 0
    first_core: int = 0


def wire_above(
    graph: FabricBuilder, tree: Tree, leaf: Ints, host_leaf: Ints, gbps: float, latency_ns: float
) -> TreeNodes:
    """Add the switches above the leaves and their links; return where the tree sits."""
    if not tree.spines:
        return TreeNodes(host_leaf, int(leaf[0]))
    prefix, group = ("agg", tree.spine_pod) if tree.cores else ("spine", -1)
    spine = graph.switches(prefix, tree.spines, 2, group)
    a, b = tree.leaf_links
    graph.links(leaf[a], spine[b], "aoc", gbps, latency_ns)
    if not tree.cores:
        return TreeNodes(host_leaf, int(leaf[0]), int(spine[0]))
    core = graph.switches("core", tree.cores, 3)
    a, b = tree.spine_links
    graph.links(spine[a], core[b], "aoc", gbps, latency_ns)
    return TreeNodes(host_leaf, int(leaf[0]), int(spine[0]), int(core[0]))
