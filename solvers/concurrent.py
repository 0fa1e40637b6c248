"""`ConcurrentFlow`: one maximum concurrent flow problem, reduced by symmetry, and its two basic oracles.

theta is the largest number such that theta times the demand can be routed. For any lengths l >= 0 of
the arcs theta <= sum(capacity * l) / sum(demand * distance under l): linear programming duality. For
any routing of the demand theta >= min(capacity / load). `trees` and `spread` give routings and the
sums of demand times distance; one source per node orbit stands for all of its orbit, and arcs of an
orbit ("class") share one length and one load.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from solvers.demand import Demand
from solvers.network import Floats, Ints, Network
from solvers.paths import breadth_first, fill_row, load_all_shortest, load_tree, shortest_tree
from solvers.symmetry import Symmetry
from uet.base.jit import kernel

Arrays = tuple[np.ndarray, ...]


class ConcurrentFlow:
    """Network, demand and symmetry; `sources` [s] with `multiplicity` [s], `capacity` [classes] in Gb/s."""

    def __init__(self, network: Network, demand: Demand, symmetry: Symmetry) -> None:
        """Collect the sources and classes; raises nothing, an empty demand has no sources."""
        self.network, self.demand, self.symmetry = network, demand, symmetry
        self.sources, self.multiplicity = symmetry.representatives(demand.sources)
        self.arc_class = symmetry.arc_orbit
        self.n_classes = symmetry.n_arc_orbits
        self.capacity = np.bincount(self.arc_class, network.capacity_gbps, self.n_classes).astype(np.float64)
        self.arcs_in_class: Ints = np.bincount(self.arc_class, minlength=self.n_classes)

    @property
    def work(self) -> int:
        """Arc visits of one round over all sources."""
        return len(self.sources) * self.network.n_arcs

    @cached_property
    def rows(self) -> tuple[Ints | Floats, ...]:
        """The demand as arguments of `fill_row`."""
        d = self.demand
        return d.first_used, d.used, d.factor, d.first_member, d.member, d.weight

    @cached_property
    def scratch(self) -> tuple[Ints | Floats, ...]:
        """distance, entry, queue, marks and row for the kernels."""
        n = self.network.n_nodes
        return (np.zeros(n), *(np.zeros(n, np.int64) for _ in range(3)), np.zeros(n))

    def trees(self, length: Floats) -> tuple[Floats, float]:
        """Route each source's demand on its shortest-path tree under `length` [classes].

        Return the loads [sources, classes] of the class totals, in Gb/s at theta = 1, and the sum of
        demand times distance (infinite if some demand cannot be met).
        """
        n = self.network
        loads = np.zeros((len(self.sources), self.n_classes))
        total = _trees(
            self.sources, self.multiplicity, n.first_arc, n.tail, n.head, self.arc_class, length, n.forwards,
            self.rows, self.scratch, loads,
        )  # fmt: skip
        return loads, float(total)

    def spread(self) -> tuple[Floats, float]:
        """Route the demand over all shortest paths by hops, split in proportion to capacity.

        Return the loads [classes] and the sum of demand times hops.
        """
        n = self.network
        load = np.zeros(self.n_classes)
        total = _spread(
            self.sources, self.multiplicity, n.first_arc, n.head, n.reverse, n.capacity_gbps, self.arc_class,
            n.forwards, self.rows, self.scratch[1], self.scratch[2], self.scratch[4], load,
        )  # fmt: skip
        return load, float(total)

    def upper(self, length: Floats) -> float:
        """Return the upper bound on theta that `length` certifies."""
        return float(self.capacity @ length) / self.trees(length)[1]

    def node_cut(self) -> float:
        """Return the upper bound on theta by what leaves each single source."""
        leaving = np.bincount(self.network.tail, self.network.capacity_gbps, self.network.n_nodes)
        return float((leaving[self.sources] / self.demand.sent[self.sources]).min())

    def lower(self, load: Floats) -> float:
        """Return the theta that a routing with these class loads reaches."""
        used = load > 0
        return float((self.capacity[used] / load[used]).min(initial=np.inf))


@kernel
def _trees(
    sources: np.ndarray, multiplicity: np.ndarray, first_arc: np.ndarray, tail: np.ndarray, head: np.ndarray,
    arc_class: np.ndarray, length: np.ndarray, forwards: np.ndarray, rows: Arrays, scratch: Arrays, loads: np.ndarray,
) -> float:  # fmt: skip
    distance, entry, queue, marks, row = scratch
    total = 0.0
    for k in range(len(sources)):
        fill_row(sources[k], *rows, row)
        shortest_tree(sources[k], first_arc, head, arc_class, length, forwards, distance, entry, queue, marks)
        for node in range(len(row)):
            if row[node] > 0.0:
                total += multiplicity[k] * row[node] * distance[node]
        load_tree(tail, arc_class, entry, marks, queue, row, multiplicity[k], loads[k])
    return total


@kernel
def _spread(
    sources: np.ndarray, multiplicity: np.ndarray, first_arc: np.ndarray, head: np.ndarray, back: np.ndarray,
    capacity: np.ndarray, arc_class: np.ndarray, forwards: np.ndarray, rows: Arrays, hops: np.ndarray,
    order: np.ndarray, row: np.ndarray, load: np.ndarray,
) -> float:  # fmt: skip
    total = 0.0
    for k in range(len(sources)):
        fill_row(sources[k], *rows, row)
        targets = 0
        for node in range(len(row)):
            if row[node] > 0.0:
                targets += 1
        reached = breadth_first(sources[k], first_arc, head, forwards, row, targets, hops, order)
        for node in range(len(row)):
            if row[node] > 0.0:
                if hops[node] < 0:
                    return np.inf
                total += multiplicity[k] * row[node] * hops[node]
        load_all_shortest(
            sources[k], first_arc, head, back, capacity, arc_class, forwards, hops, order, reached, row,
            multiplicity[k], load,
        )  # fmt: skip
    return total
