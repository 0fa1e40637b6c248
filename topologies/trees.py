"""Folded Clos trees: their shape, and how up-links are dealt to the level above.

Shared by every family that contains a tree. Leaves are dealt in order into pods of `pod_leaves`.
Inside a pod the up-links, leaf after leaf, go round-robin to the pod's spines, so that in a full pod
up-link i of a leaf ends at spine i. The up-links of all spines, in order, go round-robin to the cores,
so that with `radix` full pods up-link j of spine i ends at core i * radix/2 + j (Al-Fares, Loukissas,
Vahdat, SIGCOMM 2008). The same rule wires partial and tapered trees and never exceeds a radix.
"""

from __future__ import annotations

from collections.abc import Sequence
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
    smaller); a spine has `spine_up` up-links or, where that is 0, some for its down-links in the ratio
    `spine_taper`, down to up; `bundle` of them in a row lead to the same core.
    """

    leaves: int
    up: int = 0
    pod_leaves: int = 0
    pod_spines: int = 0
    spines: int = 0
    cores: int = 0
    spine_taper: tuple[int, int] = (1, 1)
    bundle: int = 1
    spine_up: int = 0

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
        below = np.bincount(self.leaf_links[1], minlength=self.spines)
        ups = np.full(self.spines, self.spine_up) if self.spine_up else below * up // down
        spine = np.repeat(np.arange(self.spines), ups)
        return spine, np.arange(len(spine)) // self.bundle % self.cores


@dataclass(frozen=True)
class TreeNodes:
    """Where a tree sits in a fabric: its `hosts` and the leaf of each, and its first leaf, spine and core.

    A host's first port leads to its leaf.
    """

    hosts: Ints
    host_leaf: Ints
    first: tuple[int, int, int]


def clos(leaves: int, up: int, radix: int, levels: int) -> Tree:
    """Return the tree with just enough switches of `radix` ports above the leaves, 1:1 from there on."""
    if levels == 1:
        return Tree(leaves)
    ups, half = leaves * up, radix // 2
    if levels == 2:
        spines = -(-ups // radix)
        return Tree(leaves, up, leaves, spines, spines)
    return Tree(leaves, up, half, up, -(-ups // half), -(-ups // radix))


def most_leaves(radix: int, levels: int) -> int:
    """Return the leaves that the levels above can join: 1, radix, or radix pods of radix/2."""
    return (1, radix, radix * (radix // 2))[levels - 1]


def wire_above(
    graph: FabricBuilder, tree: Tree, leaf: Ints, links: Sequence[tuple[float, float]], copies: int = 1
) -> tuple[int, int, int]:
    """Add the switches above the leaves and their links; return the first leaf, spine and core.

    `links` are the rate in Gb/s and latency in ns of links between leaves and spines, then spines and
    cores. `copies` equal trees may stand side by side, each with its leaves, spines and cores in a row.
    """
    first = [int(leaf[0]), 0, 0]
    levels = (("agg" if tree.cores else "spine", tree.spines, tree.leaf_links), ("core", tree.cores, tree.spine_links))
    below, n_below = leaf, tree.leaves
    for level, (prefix, count, (a, b)) in enumerate(levels, start=1):
        if not count:
            break
        group = np.tile(tree.spine_pod, copies) if prefix == "agg" else -1
        above = graph.switches(prefix, count * copies, level + 1, group)
        copy = np.arange(copies)[:, None]
        low, high = below[copy * n_below + a], above[copy * count + b]
        graph.links(low.reshape(-1), high.reshape(-1), "aoc", *links[level - 1])
        first[level] = int(above[0])
        below, n_below = above, count
    return first[0], first[1], first[2]


def copy_of(tree: Tree, first: tuple[int, int, int], copy: int) -> tuple[int, int, int]:
    """Return the first leaf, spine and core of the given copy."""
    leaf, spine, core = first
    return leaf + copy * tree.leaves, spine + copy * tree.spines, core + copy * tree.cores
