"""Concurrent flow on graphs of few switches given as matrices: a quick certified value, and the exact one.

`capacity` [n, n] are Gb/s from switch to switch (symmetric, 0 without a cable), `demand` [n, n] Gb/s at full
injection. The value theta is the part of the demand that can be carried.
"""

from __future__ import annotations

import numpy as np

from solvers.linear import Program, solve
from solvers.network import Floats
from uet.base.jit import kernel

ROUNDS = 24
"""Rounds of the quick value; the search calls it thousands of times."""
STEP = 0.4


def quick(capacity: Floats, demand: Floats, unit: float, rounds: int = ROUNDS) -> float:
    """Return a theta that is certain: the mean of `rounds` routings under multiplicative weights.

    Each routes `unit` times the demand, a guess of theta, along shortest paths of the lengths so far.
    """
    n = len(demand)
    scratch = np.zeros((3, n)), np.zeros((3, n), np.int64)
    return float(_quick(capacity, demand * unit, rounds, STEP, np.zeros((n, n)), np.zeros((n, n)), *scratch)) * unit


@kernel
def _quick(
    capacity: np.ndarray, demand: np.ndarray, rounds: int, step: float, length: np.ndarray, total: np.ndarray,
    reals: np.ndarray, whole: np.ndarray,
) -> float:  # fmt: skip
    n = len(demand)
    for a in range(n):
        for b in range(n):
            length[a, b] = 1.0 / capacity[a, b] if capacity[a, b] > 0.0 else np.inf
    for _ in range(rounds):
        for s in range(n):
            if not _route(s, capacity, demand, step, length, total, reals, whole):
                return 0.0
    worst = 0.0
    for a in range(n):
        for b in range(n):
            if total[a, b] > 0.0:
                worst = max(worst, total[a, b] / capacity[a, b])
    return rounds / worst if worst > 0.0 else np.inf


@kernel
def _route(
    source: int, capacity: np.ndarray, demand: np.ndarray, step: float, length: np.ndarray, total: np.ndarray,
    reals: np.ndarray, whole: np.ndarray,
) -> bool:  # fmt: skip
    """Route one source's demand along its shortest paths and lengthen what it loads; False if one is cut off."""
    n = len(demand)
    distance, load = reals[0], reals[1]
    before, order, done = whole[0], whole[1], whole[2]
    for v in range(n):
        distance[v], before[v], done[v], load[v] = np.inf, -1, 0, demand[source, v]
    distance[source] = 0.0
    for k in range(n):
        near = -1
        for v in range(n):
            if done[v] == 0 and distance[v] < np.inf and (near < 0 or distance[v] < distance[near]):
                near = v
        if near < 0:
            for v in range(n):
                if done[v] == 0 and load[v] > 0.0:
                    return False
            order[k] = -1
            break
        done[near] = 1
        order[k] = near
        for v in range(n):
            if done[v] == 0 and distance[near] + length[near, v] < distance[v]:
                distance[v] = distance[near] + length[near, v]
                before[v] = near
    for k in range(n - 1, 0, -1):
        v = order[k]
        if v >= 0 and load[v] > 0.0:
            u = before[v]
            load[u] += load[v]
            total[u, v] += load[v]
            length[u, v] *= 1.0 + step * load[v] / capacity[u, v]
    return True


def exact(capacity: Floats, demand: Floats) -> tuple[float, Floats]:
    """Return theta and flows [sources, n, n] in Gb/s that carry theta times the demand within the capacities.

    Flows of the sources that send, in their order. Raises NoAnswer when the linear program fails.
    """
    n, sources = len(demand), np.flatnonzero(demand.sum(axis=1))
    tail, head = np.nonzero(capacity)
    unit = float(capacity.max())
    arcs, base = len(tail), len(sources) * n
    k = np.repeat(np.arange(len(sources)), arcs)
    a, b, arc = (np.tile(column, len(sources)) for column in (tail, head, np.arange(arcs)))
    rows = np.stack([k * n + a, k * n + b, base + arc], axis=1)
    values = np.tile([-1.0, 1.0, 1.0], (len(rows), 1))
    keep = np.ones(rows.shape, bool)
    keep[:, 0], keep[:, 1] = a != sources[k], b != sources[k]  # a source's own row says nothing new
    scale = float(demand[sources].sum() / capacity.sum())
    wanted = demand[sources] / scale / unit
    theta_rows = np.flatnonzero(wanted)
    low, high = np.zeros(base + arcs), np.zeros(base + arcs)
    low[base:], high[base:] = -np.inf, capacity[tail, head] / unit
    solution = solve(
        Program(
            np.concatenate([[0], np.cumsum(np.append(keep.sum(axis=1), len(theta_rows)))]),
            np.concatenate([rows[keep], theta_rows]),
            np.concatenate([values[keep], -wanted.reshape(-1)[theta_rows]]),
            np.append(np.zeros(len(rows)), 1.0),
            low,
            high,
        ),
        interior=True,
    )
    flows = np.zeros((len(sources), n, n))
    flows[k, a, b] = solution.x[:-1] * unit
    return solution.value / scale, flows
