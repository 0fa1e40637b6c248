"""Traffic that hurts: permutations of far-away pairs, and the throughput bound that they prove.

Longest matching (Jyothi et al., TopoBench, SC16): the permutation of the largest total distance is close
to the worst there is. For any permutation M of a fabric theta <= sum of capacities / sum over M of demand
times distance; the longest one gives the least such bound, TUB (Namyar et al., SIGCOMM 2021).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from solvers.network import Ints, Network
from solvers.paths import breadth_first
from uet.base.jit import kernel

EXACT_NODES = 3000
"""Nodes with hosts up to which the longest matching is exact; beyond, far pairs are chosen greedily."""

Small = NDArray[np.int16]


def longest_matching(network: Network) -> tuple[Ints, Ints, bool]:
    """Return (source, target) hosts of the permutation of largest total distance, and whether that is certain.

    Every living host sends to one and receives from one, perhaps under its own switch where nothing is farther.
    """
    hosts = np.flatnonzero(network.alive)
    hosts = hosts[np.argsort(network.node_of_host[hosts], kind="stable")].astype(np.int64)
    at, per_node = np.unique(network.node_of_host[hosts], return_counts=True)
    equal = bool((per_node == per_node[0]).all())
    rows = at if equal else network.node_of_host[hosts]
    if len(rows) > EXACT_NODES:
        return hosts, hosts[_greedy(network, at, per_node)], False
    from scipy.optimize import linear_sum_assignment

    far = _distances(network, rows)[:, rows]
    partner = linear_sum_assignment(far, maximize=True)[1].astype(np.int64)
    if equal:
        partner = (partner[:, None] * per_node[0] + np.arange(per_node[0])).reshape(-1)
    return hosts, hosts[partner], True


def _distances(network: Network, sources: Ints) -> Small:
    """Return hops from each source to every node, [sources, n_nodes]; unreachable is 0."""
    found = np.zeros((len(sources), network.n_nodes), np.int16)
    _fill(sources, network.first_arc, network.head, network.forwards, found)
    return np.maximum(found, 0)


@kernel
def _fill(
    sources: np.ndarray, first_arc: np.ndarray, head: np.ndarray, forwards: np.ndarray, found: np.ndarray
) -> None:
    hops, order = np.zeros(found.shape[1], np.int64), np.zeros(found.shape[1], np.int64)
    nothing = np.zeros(found.shape[1])
    for k in range(len(sources)):
        breadth_first(sources[k], first_arc, head, forwards, nothing, 1, hops, order)
        found[k] = hops


def _greedy(network: Network, at: Ints, per_node: Ints) -> Ints:
    """Return for each host (in the order of their nodes) the place of a far one that is still free.

    Nodes choose in the order of their numbers among the farthest that still receive.
    """
    place = np.full(network.n_nodes, -1, np.int64)
    place[at] = np.arange(len(at))
    start = np.concatenate([[0], np.cumsum(per_node)]).astype(np.int64)
    left = per_node.astype(np.int64).copy()
    partner = np.zeros(int(start[-1]), np.int64)
    _choose(at, place, start, left, network.first_arc, network.head, network.forwards, partner)
    return partner


@kernel
def _choose(
    at: np.ndarray, place: np.ndarray, start: np.ndarray, left: np.ndarray, first_arc: np.ndarray, head: np.ndarray,
    forwards: np.ndarray, partner: np.ndarray,
) -> None:  # fmt: skip
    hops, order = np.zeros(len(place), np.int64), np.zeros(len(place), np.int64)
    nothing = np.zeros(len(place))
    for k in range(len(at)):
        reached = breadth_first(at[k], first_arc, head, forwards, nothing, 1, hops, order)
        want, mine = start[k + 1] - start[k], start[k]
        for j in range(reached - 1, -1, -1):  # the farthest come last
            other = place[order[j]]
            while want > 0 and other >= 0 and left[other] > 0:
                left[other] -= 1
                partner[mine] = start[other] + left[other]
                mine += 1
                want -= 1
            if want == 0:
                break
        for other in range(len(at)):  # what cannot be reached goes anywhere
            while want > 0 and left[other] > 0:
                left[other] -= 1
                partner[mine] = start[other] + left[other]
                mine += 1
                want -= 1
