"""Symmetry of a network together with a demand: verified automorphisms and the orbits they give.

Generators are found by individualisation and refinement (McKay and Piperno 2014, "Practical graph
isomorphism II"), without backtracking beyond one level: what is not found only makes the orbits
smaller. Each permutation is verified to keep arcs, capacities, forwarding and demand before it is used,
so results that rest on the orbits are certified. By convexity an optimal concurrent flow may be
averaged over the group: one source per node orbit and one capacity per arc orbit suffice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from solvers.demand import Demand
from solvers.network import Ints, Network
from solvers.refinement import Refiner, Structure, Words, hashed

FAILURES_ALLOWED = 8
"""Pairs of nodes that may turn out not to be equivalent, one after the other, before the search stops."""
TRIES_PER_LEVEL = 4


@dataclass(frozen=True, eq=False)
class Symmetry:
    """Orbits: `node_orbit` [n_nodes], `arc_orbit` [n_arcs], numbered from 0; generators that gave them."""

    node_orbit: Ints
    arc_orbit: Ints
    generators: tuple[Ints, ...]

    @property
    def n_arc_orbits(self) -> int:
        """Classes of equivalent arcs."""
        return int(self.arc_orbit.max(initial=-1)) + 1

    def representatives(self, nodes: Ints) -> tuple[Ints, Ints]:
        """Return one member of each orbit that `nodes` (a union of orbits) meet, and the orbit sizes."""
        _, first, sizes = np.unique(self.node_orbit[nodes], return_index=True, return_counts=True)
        return nodes[first], sizes.astype(np.int64)


def trivial(network: Network) -> Symmetry:
    """Return the symmetry that equates nothing."""
    return Symmetry(np.arange(network.n_nodes), np.arange(network.n_arcs), ())


def find(network: Network, demand: Demand, seed: int = 1) -> Symmetry:
    """Return the orbits of as much of the automorphism group of (network, demand) as is found cheaply."""
    structure = _structure(network, demand)
    generators = _Search(structure, seed).run()
    return from_generators(network, [g[: network.n_nodes] for g in generators])


def from_generators(network: Network, generators: list[Ints]) -> Symmetry:
    """Return the orbits of nodes and arcs under node permutations that are known to be automorphisms."""
    node_orbit, arc_orbit = np.arange(network.n_nodes), np.arange(network.n_arcs)
    keys = network.tail * network.n_nodes + network.head
    for g in generators:
        image = np.searchsorted(keys, g[network.tail] * network.n_nodes + g[network.head])
        node_orbit = _join(node_orbit, g)
        arc_orbit = _join(arc_orbit, image)
    return Symmetry(node_orbit, arc_orbit, tuple(generators))


def _join(orbit: Ints, permutation: Ints) -> Ints:
    """Merge the orbits that a permutation connects."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n = len(orbit)
    links = coo_array((np.ones(n, np.int8), (orbit, orbit[permutation])), (n, n))
    label = connected_components(links, directed=False)[1][orbit]
    return np.unique(label, return_inverse=True)[1].astype(np.int64)


def _structure(network: Network, demand: Demand) -> Structure:
    """Join network and demand into one coloured graph; destination lists are nodes after the network's."""
    n, lists = network.n_nodes, demand.n_lists
    user = np.repeat(np.arange(n), np.diff(demand.first_used))
    listing = np.repeat(np.arange(lists), np.diff(demand.first_member)) + n
    uses, has = np.uint64(0x5851F42D4C957F2D), np.uint64(0x14057B7EF767814F)
    tail = np.concatenate([network.tail, user, demand.used + n, listing, demand.member])
    head = np.concatenate([network.head, demand.used + n, user, demand.member, listing])
    factor, weight = hashed(demand.factor) ^ uses, hashed(demand.weight) ^ has
    kind = np.concatenate([hashed(network.capacity_gbps), factor, factor, weight, weight])
    order = np.argsort(tail, kind="stable")
    first = np.searchsorted(tail[order], np.arange(n + lists + 1)).astype(np.int64)
    colour = hashed(np.concatenate([network.forwards.astype(np.float64), np.full(lists, 2.0)]))
    return Structure(first, head[order], kind[order], colour)


class _Search:
    """Collects generators until every refinement class is one orbit or searching stops paying."""

    def __init__(self, structure: Structure, seed: int) -> None:
        self.s = structure
        self.random = np.random.default_rng(seed)
        self.orbit = np.arange(structure.n)
        self.generators: list[Ints] = []
        self.refiner = Refiner(structure)
        twin, rank = structure.twins()
        self._rotate_twins(twin, rank)
        # any automorphism can be made to keep the ranks of twins, so ranks may count as colours
        self.base = self.refiner.start(structure.colour ^ hashed(rank.astype(np.float64)))

    def run(self) -> list[Ints]:
        for start in self.base.starts:
            self._merge_cell(self.base.members(start))
        return self.generators

    def _merge_cell(self, members: Ints) -> None:
        """Look for automorphisms between the orbits inside one class of the refinement."""
        failures = 0
        while failures < FAILURES_ALLOWED:
            leaders = np.unique(self.orbit[members], return_index=True)[1]
            if len(leaders) < 2:
                return
            a, b = self.random.choice(len(leaders), 2, replace=False)
            found = self._map(int(members[leaders[a]]), int(members[leaders[b]]))
            if found is None:
                failures += 1
            else:
                failures = 0
                self._accept(found)

    def _accept(self, permutation: Ints) -> None:
        self.generators.append(permutation)
        self.orbit = _join(self.orbit, permutation)

    def _rotate_twins(self, twin: Ints, rank: Ints) -> None:
        """Twins may be permuted at will: rotating every class makes each one orbit."""
        order = np.lexsort((rank, twin))
        starts = np.searchsorted(twin[order], twin)
        sizes = np.bincount(twin)[twin]
        permutation = order[starts + (rank + 1) % sizes]
        if np.any(sizes > 1) and self._verified(permutation):
            self._accept(permutation)

    def _map(self, a: int, b: int) -> Ints | None:
        """Return a verified automorphism that takes `a` to `b`, or None."""
        left, right = self.base.copy(), self.base.copy()
        if self.refiner.individualise(left, a) != self.refiner.individualise(right, b):
            return None
        while (start := left.smallest()) >= 0:
            trace = self.refiner.individualise(left, int(left.members(start).min()))
            for candidate in np.sort(right.members(start))[:TRIES_PER_LEVEL]:
                fresh = right.copy()
                if self.refiner.individualise(fresh, int(candidate)) == trace:
                    break
            else:
                return None
            right = fresh
        permutation = np.empty(self.s.n, np.int64)
        permutation[left.nodes] = right.nodes
        return permutation if self._verified(permutation) else None

    def _verified(self, permutation: Ints) -> bool:
        """Tell whether a permutation of the nodes keeps node colours, arcs and arc colours."""
        s = self.s
        tail = np.repeat(np.arange(s.n), np.diff(s.first))
        before, after = _sorted_arcs(tail, s.head, s.kind), _sorted_arcs(permutation[tail], permutation[s.head], s.kind)
        kept = np.array_equal(s.colour[permutation], s.colour)
        return bool(kept and all(np.array_equal(x, y) for x, y in zip(before, after, strict=True)))


def _sorted_arcs(tail: Ints, head: Ints, kind: Words) -> tuple[Ints, Ints, Words]:
    order = np.lexsort((kind, head, tail))
    return tail[order], head[order], kind[order]
