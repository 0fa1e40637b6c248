"""Graphs with short ways: far ends of cables are exchanged while the traffic takes ever fewer hops (annealing).

What a graph carries is close to its capacity over the hops that the traffic takes, and hops are counted much
quicker than flows are found; so this is where the search over flows begins.
"""

from __future__ import annotations

import numpy as np

from solvers.network import Floats, Ints
from uet.base.jit import kernel
from uet.base.rng import below, draw

MOVES = 640_000
"""Exchanges that are tried, over the number of switches."""
WARMTH = 0.003
"""Share of all hops that an exchange may cost, at first, to be taken in one of e cases."""


def short_ways(cables: Ints, traffic: Floats, seed: int) -> Ints:
    """Return the graph with the fewest hops on the way from a given one, every switch with as many cables."""
    low, high = np.nonzero(np.triu(cables))
    count = cables[low, high]
    ends = np.stack([np.repeat(low, count), np.repeat(high, count)], axis=1)
    n = len(cables)
    if len(ends) < 2:
        return cables
    best = ends.copy()
    room = np.zeros((n, int(cables.sum(axis=1).max())), np.int64)
    _anneal(ends, best, traffic, MOVES // n, WARMTH, seed, room, np.zeros((3, n), np.int64))
    found = np.zeros_like(cables)
    np.add.at(found, (best[:, 0], best[:, 1]), 1)
    return found + found.T


@kernel
def _anneal(
    ends: np.ndarray, best: np.ndarray, traffic: np.ndarray, moves: int, warmth: float, seed: int, near: np.ndarray,
    rows: np.ndarray,
) -> float:  # fmt: skip
    cost = _hops(ends, traffic, near, rows)
    least, warm = cost, warmth * cost
    for k in range(moves):
        one, other = below(draw(seed, 0, k), len(ends)), below(draw(seed, 1, k), len(ends))
        side = below(draw(seed, 2, k), 2)
        a, b, c, d = ends[one, side], ends[one, 1 - side], ends[other, 0], ends[other, 1]
        if a in (c, d) or b in (c, d):
            continue
        ends[one, 1 - side], ends[other, 1] = d, b
        found = _hops(ends, traffic, near, rows)
        heat = warm * (1.0 - k / moves)
        chance = float(below(draw(seed, 3, k), 1 << 30)) / float(1 << 30)
        if found <= cost or (heat > 0.0 and chance < np.exp((cost - found) / heat)):
            cost = found
            if cost < least:
                least = cost
                best[:] = ends
        else:
            ends[one, 1 - side], ends[other, 1] = b, d
    return least


@kernel
def _hops(ends: np.ndarray, traffic: np.ndarray, near: np.ndarray, rows: np.ndarray) -> float:
    """Return the sum of traffic times hops; what is cut off counts as many hops as there are switches."""
    n = len(traffic)
    degree, hops, queue = rows[0], rows[1], rows[2]
    degree[:] = 0
    for e in range(len(ends)):
        a, b = ends[e, 0], ends[e, 1]
        near[a, degree[a]], near[b, degree[b]] = b, a
        degree[a] += 1
        degree[b] += 1
    total = 0.0
    for s in range(n):
        hops[:] = n
        hops[s] = 0
        queue[0] = s
        read, write = 0, 1
        while read < write:
            v = queue[read]
            read += 1
            for k in range(degree[v]):
                u = near[v, k]
                if hops[u] == n and u != s:
                    hops[u] = hops[v] + 1
                    queue[write] = u
                    write += 1
        for v in range(n):
            total += traffic[s, v] * hops[v]
    return total
