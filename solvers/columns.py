"""Exact maximum concurrent flow by column generation, for problems with few arc classes.

With K classes the dual has K lengths only. The master program mixes the routings found so far (Dantzig
and Wolfe 1960) and proposes lengths; shortest-path trees under them, mixed with the best lengths known
(Wentges 1997), give an upper bound and new routings. Both sides are certificates, so the result does
not rest on solver tolerances: the lower bound is a flow, the upper one a dual solution.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from solvers.bound import EXACT_GAP, Bound, Proof
from solvers.concurrent import ConcurrentFlow
from solvers.highs import new_highs
from solvers.network import Floats

SMOOTHING = 0.5
MOST_ROUNDS = 400


def solve(
    problem: ConcurrentFlow,
    tolerance: float = EXACT_GAP / 2,
    settled: Callable[[Bound], bool] = lambda bound: False,
    most_rounds: int = MOST_ROUNDS,
) -> Bound:
    """Return bounds on theta, equal up to `tolerance` unless they are `settled` or the number of rounds runs out."""
    length = problem.arcs_in_class / problem.capacity
    weights = np.zeros((0, len(problem.sources)))
    best = length / (problem.capacity @ length)
    lower, upper = 0.0, np.inf
    master: _Master | None = None
    tried: list[Floats] = []
    for _ in range(most_rounds):
        loads, total = problem.trees(length)
        bound = float(problem.capacity @ length) / total
        if bound < upper:
            upper, best = bound, length / (problem.capacity @ length)
        master = master or _Master(problem.capacity, len(problem.sources), upper)
        proposed = master.add(loads)
        tried.append(length)
        if master.theta > lower:
            lower, weights = master.theta, master.weights
        if upper - lower <= tolerance * upper or settled(Bound(lower, upper, "")):
            break
        length = SMOOTHING * best + (1 - SMOOTHING) * proposed
    return Bound(lower, upper, "", Proof(best, np.array(tried[: len(weights)]), weights))


class _Master:
    """max theta: every source mixes its routings with weights that sum to theta, within class capacities."""

    def __init__(self, capacity: Floats, n_sources: int, unit: float) -> None:
        import highspy

        self.capacity, self.unit, self.n_sources = capacity, unit, n_sources
        self.highs: Any = new_highs()
        none = np.zeros(0, np.int32), np.zeros(0)
        for _ in capacity:
            self.highs.addRow(-np.inf, 1.0, 0, *none)
        for _ in range(n_sources):
            self.highs.addRow(0.0, 0.0, 0, *none)
        sums = np.arange(len(capacity), len(capacity) + n_sources, dtype=np.int32)
        self.highs.changeObjectiveSense(highspy.ObjSense.kMaximize)
        self.highs.addCol(1.0, 0.0, np.inf, n_sources, sums, -np.ones(n_sources))

    def add(self, loads: Floats) -> Floats:
        """Add one routing per source, loads [sources, classes]; return proposed lengths of unit volume."""
        for k, load in enumerate(loads):
            used = np.flatnonzero(load)
            rows = np.append(used, len(self.capacity) + k).astype(np.int32)
            values = np.append(load[used] * self.unit / self.capacity[used], 1.0)
            self.highs.addCol(0.0, 0.0, np.inf, len(rows), rows, values)
        self.highs.run()
        dual = np.asarray(self.highs.getSolution().row_dual)[: len(self.capacity)]
        length: Floats = np.abs(dual) / self.capacity
        return length / (self.capacity @ length)

    @property
    def weights(self) -> Floats:
        """The mix behind `theta`, [routings, sources], in shares of the whole demand."""
        x = np.asarray(self.highs.getSolution().col_value)
        return (x[1:] * self.theta / x[0] if x[0] > 0 else 0 * x[1:]).reshape(-1, self.n_sources)

    @property
    def theta(self) -> float:
        """The best mix so far, scaled down to respect every capacity to the last digit."""
        activity = np.asarray(self.highs.getSolution().row_value)[: len(self.capacity)]
        value = float(self.highs.getSolution().col_value[0]) * self.unit
        return value / max(1.0, float(activity.max()))
