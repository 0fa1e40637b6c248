"""Bisection: the least bandwidth between two halves of a machine, over half of all injections.

Families with a closed form are exact. For all others the least is enclosed: above by the best of a few
halves (by number, group and grid, and along the second eigenvector of the network), below by

* the second eigenvalue of the network's Laplacian, where every node has equally many hosts (Fiedler 1973):
  halves that put e hosts apart from their switch cut e access links and at least
  lambda/4 (n - (2e/p)^2 / n) of n switches with p hosts each, least for no such host or all of a half;
* a concurrent flow of theta injections between all pairs, N/2 * N/2 of which cross: theta N / (2 (N - 1)).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from solvers.bound import EXACT_GAP
from solvers.concurrent import ConcurrentFlow
from solvers.demand import alltoall
from solvers.network import Floats, Ints, Network
from solvers.symmetry import trivial
from topologies.fabric import Fabric
from topologies.grids import coordinates
from topologies.halving import Halving, closed_halving

MOST_WORK = 150_000_000  # arc visits for the bound by flow, a few seconds
MOST_NODES = 20_000  # for eigenvectors
SWEEPS = 6  # until switches have chosen their sides


@dataclass(frozen=True)
class Bisection:
    """The least bandwidth between halves lies in [lower, upper]; `least_found` is that of the best halves tried.

    Where the method speaks of straight halves, `least_found` may be less: halves of another shape.
    """

    lower: float
    upper: float
    method: str
    least_found: float

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain data."""
        return asdict(self)


def bisection(fabric: Fabric, network: Network, damaged: bool = False) -> Bisection:
    """Return the bisection of a fabric whose network (whole or what is left of it) has at least two hosts."""
    closed = None if damaged else closed_halving(fabric)
    exact = closed is not None and closed.upper - closed.lower <= EXACT_GAP * closed.lower
    if closed is not None and exact and not closed.straight:
        return Bisection(closed.lower, closed.upper, "closed form", closed.upper)
    vector, smallest = _second_eigenvector(network)
    found = min(_cut(network, order) for order in _orders(fabric, network, vector))
    if closed is not None and exact:
        return Bisection(closed.lower, closed.upper, "closed form of halves with a straight border", found)
    lower, how = _lower(network, smallest, closed)
    return Bisection(min(lower, found), found, f"{how}; above, the best halves found", found)


def _lower(network: Network, smallest: float, closed: Halving | None) -> tuple[float, str]:
    """Return the best lower bound and what gave it."""
    offers = [(_by_eigenvalue(network, smallest), "bound by the second eigenvalue")]
    if closed is not None:
        offers.append((closed.lower, "bound by the links that all leaves have to all spines"))
    if closed is None and offers[0][0] == 0:
        offers.append((_by_flow(network), "bound by an alltoall over shortest paths"))
    return max(offers)


def _by_eigenvalue(network: Network, smallest: float) -> float:
    hosts = np.bincount(network.node_of_host[network.alive], minlength=network.n_nodes)
    if hosts.min() != hosts.max() or smallest <= 0:
        return 0.0
    cut = smallest * network.n_nodes / 4 / (_half(network) * network.injection_gbps)
    return float(min(cut * (1 - EXACT_GAP), network.access_fraction()))


def _by_flow(network: Network) -> float:
    demand = alltoall(network)
    problem = ConcurrentFlow(network, demand, trivial(network))
    if len(demand.sources) == 0 or problem.work > MOST_WORK:
        return 0.0
    load, hops = problem.spread()
    if hops == np.inf:
        return 0.0
    n = int(network.alive.sum())
    return min(problem.lower(load), network.access_fraction()) * n / (2 * (n - 1))


def _half(network: Network) -> float:
    return int(network.alive.sum()) / 2


def _second_eigenvector(network: Network) -> tuple[Floats | None, float]:
    """Return the eigenvector of the second smallest eigenvalue of the Laplacian, and that eigenvalue; (None, 0) if
    the network is too large or the iteration does not converge.
    """
    from scipy.sparse import csr_array, diags_array, eye_array
    from scipy.sparse.linalg import ArpackNoConvergence, eigsh

    n = network.n_nodes
    if not 3 <= n <= MOST_NODES:
        return None, 0.0
    weight = csr_array((network.capacity_gbps, (network.tail, network.head)), shape=(n, n))
    degree = weight.sum(axis=1)
    shift = 2 * float(degree.max())
    turned = eye_array(n) * shift - (diags_array(degree) - weight)  # largest instead of smallest: quicker
    start = np.random.default_rng(0).standard_normal(n)
    try:
        values, vectors = eigsh(turned.tocsr(), k=2, which="LA", v0=start, maxiter=2000, tol=1e-9)
    except ArpackNoConvergence:
        return None, 0.0
    second = int(values.argmin())
    return vectors[:, second], shift - float(values[second])


def _orders(fabric: Fabric, network: Network, vector: Floats | None) -> Iterator[Ints]:
    """Yield orders of the hosts that are alive; the first half of an order is half a machine."""
    alive = np.flatnonzero(network.alive)
    yield alive
    group = fabric.nodes["group"][alive]
    yield alive[np.argsort(group, kind="stable")]
    if vector is not None:
        yield alive[np.argsort(vector[network.node_of_host[alive]], kind="stable")]
    place = _places(fabric)
    if place is not None:
        for axis in range(place.shape[1]):
            yield alive[np.argsort(place[alive, axis], kind="stable")]
        yield alive[np.argsort(place[alive].max(axis=1), kind="stable")]  # a corner of all dimensions


def _places(fabric: Fabric) -> Floats | None:
    """Return the place of every host on the family's grid, in shares of its sides, [n_hosts, dimensions]."""
    p = fabric.parameters
    if fabric.family == "hammingmesh":
        dims, each = (p["board"][0] * p["grid"][0], p["board"][1] * p["grid"][1]), 1
    elif fabric.family == "bcube":
        dims, each = (p["n"],) * (p["k"] + 1), 1
    elif fabric.family in ("torus", "full-mesh", "hyperx"):
        dims, each = tuple(p["dims"]), int(p.get("p", 1))
    else:
        return None
    return np.repeat(coordinates(dims) / np.array(dims), each, axis=0)


def _cut(network: Network, order: Ints) -> float:
    """Return the bandwidth between the first half of `order` and the rest, over half of all injections.

    Switches take the side that most of their bandwidth leads to, a few times over; any sides give a cut.
    """
    side = np.zeros(network.n_hosts)
    side[order[: len(order) // 2]], side[order[len(order) // 2 :]] = 1.0, -1.0
    folded = np.isfinite(network.access_gbps)
    pull_of_hosts = np.bincount(
        network.node_of_host[folded], side[folded] * network.access_gbps[folded], minlength=network.n_nodes
    )
    node = np.zeros(network.n_nodes)
    fixed = np.zeros(network.n_nodes, bool)
    fixed[network.node_of_host[~folded]] = True
    node[network.node_of_host[~folded]] = side[~folded]
    node[~fixed] = np.sign(pull_of_hosts[~fixed])
    least = np.inf
    for _ in range(1 if fixed.all() else SWEEPS):
        pull = pull_of_hosts + np.bincount(
            network.tail, network.capacity_gbps * node[network.head], minlength=network.n_nodes
        )
        choice = np.where(pull == 0, node, np.sign(pull))
        node = np.where(fixed, node, choice)
        settled = np.where(node == 0, 1.0, node)
        apart = folded & (side != 0) & (side != settled[network.node_of_host])
        cut = float(network.capacity_gbps[settled[network.tail] > settled[network.head]].sum())
        least = min(least, cut + float(network.access_gbps[apart].sum()))
    return least / (_half(network) * network.injection_gbps)
