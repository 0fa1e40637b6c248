"""Exact maximum concurrent flow as a linear program in arrays, reduced by symmetry.

Variables: for one source r of each node orbit the flow on every arc, and theta. For every node v but r
inflow - outflow = theta * demand(r, v); for every arc orbit the mean flow, weighted by the size of the
orbit of its source, fits into the capacity. Without symmetry this is the source-aggregated formulation
(Shahrokhi and Matula 1990); with it, averaging an optimal flow over the group shows that nothing is
lost. HiGHS gets the matrix at once and runs its interior point method without crossover; the upper
bound comes from its dual lengths through shortest paths of our own.
"""

from __future__ import annotations

import numpy as np

from solvers.bound import Bound, Proof
from solvers.concurrent import ConcurrentFlow
from solvers.linear import Program
from solvers.linear import solve as solve_program
from solvers.network import Floats, Ints


def size(problem: ConcurrentFlow) -> int:
    """Return the number of flow variables of the program that `solve` makes."""
    return problem.work


def solve(problem: ConcurrentFlow, guess: float) -> Bound:
    """Return bounds on theta that agree up to the solver's tolerance.

    `guess` is an upper bound on theta; it scales the numbers. Raises NoAnswer when HiGHS fails.
    """
    demands = [problem.demand.row(int(s)) * guess for s in problem.sources]
    positive = np.concatenate([d[d > 0] for d in demands])
    unit = float(np.exp(np.log(positive).mean()))  # a typical demand at the guessed throughput counts as 1
    solution = solve_program(_build(problem, [d / unit for d in demands], unit), interior=True)
    theta = solution.value * guess
    price = solution.dual[len(problem.sources) * problem.network.n_nodes :]
    lengths = price / problem.arcs_in_class
    return Bound(theta, max(theta, problem.upper(lengths)), "", Proof(lengths))


def _build(problem: ConcurrentFlow, demands: list[Floats], unit: float) -> Program:
    """Rows are conservation at node v for source k (number k n + v), then the capacity of each class."""
    n, sources = problem.network.n_nodes, problem.sources
    base = len(sources) * n
    parts = [_columns(problem, k, int(s), base) for k, s in enumerate(sources)]
    row, value = (np.concatenate(p) for p in zip(*parts, strict=True))
    inner = np.ones(row.shape, bool)
    inner[:, 0] = ~np.isin(row[:, 0], np.arange(len(sources)) * n + sources)  # a source's own row says nothing new
    theta_rows = np.concatenate([k * n + np.flatnonzero(d) for k, d in enumerate(demands)])
    theta_values = np.concatenate([-d[d != 0] for d in demands])
    low, high = np.zeros(base + problem.n_classes), np.zeros(base + problem.n_classes)
    low[base:], high[base:] = -np.inf, problem.capacity / problem.arcs_in_class / unit
    lengths = np.append(inner.sum(axis=1), len(theta_rows))
    return Program(
        np.concatenate([[0], np.cumsum(lengths)]),
        np.concatenate([row[inner], theta_rows]),
        np.concatenate([value[inner], theta_values]),
        np.append(np.zeros(len(row)), 1.0),
        low,
        high,
    )


def _columns(problem: ConcurrentFlow, k: int, source: int, base: int) -> tuple[Ints, Floats]:
    """Return rows and values [arcs, 3] of the flows of source number k: tail, head, capacity."""
    n = problem.network
    arcs = np.flatnonzero(((n.forwards[n.tail] != 0) | (n.tail == source)) & (n.head != source))
    kind = problem.arc_class[arcs]
    row = np.stack([k * n.n_nodes + n.tail[arcs], k * n.n_nodes + n.head[arcs], base + kind], axis=1)
    share = problem.multiplicity[k] / problem.arcs_in_class[kind]
    return row, np.stack([np.full(len(arcs), -1.0), np.ones(len(arcs)), share], axis=1)
