"""The free-form fabric as an integer program, for few switches.

Whole numbers of cables n(a, b), flows f(s, a, b) of each source, theta:
max theta, flows of a source leaving it and ending in proportion to its traffic, sum over s of f(s, a, b) at
most gbps * n(a, b) in each direction, ports and cables not exceeded. With theta given the cables are as few as
possible, and whole cables must cross every cut: that rounds up what the flows need of them (cut-set inequalities).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, permutations

import numpy as np

from solvers.freeform import FreeformDemand
from solvers.mip import solve
from solvers.network import Ints
from solvers.outcome import Outcome


def solve_exactly(
    demand: FreeformDemand, start: Ints, time_limit_s: float, wanted: float | None = None
) -> tuple[Outcome, Ints | None]:
    """Return how the program ended and the cables [n, n] of its solution, if it has one.

    The objective is theta, or the number of cables that carry `wanted`.
    """
    import pulp

    n = len(demand.ports)
    unit = demand.gbps
    nodes, pairs = range(n), list(combinations(range(n), 2))
    sources = [s for s in nodes if demand.traffic[s].any()]
    problem = pulp.LpProblem("freeform", pulp.LpMaximize if wanted is None else pulp.LpMinimize)
    theta = problem.add_variable("theta", 0) if wanted is None else wanted
    count = {
        (a, b): problem.add_variable(f"n_{a}_{b}", 0, int(min(demand.ports[a], demand.ports[b])), "Integer")
        for a, b in pairs
    }
    flow = {
        (s, a, b): problem.add_variable(f"f_{s}_{a}_{b}", 0) for s in sources for a, b in permutations(nodes, 2)
    }  # fmt: skip
    problem += theta if wanted is None else pulp.lpSum(count.values())
    for s in sources:
        for v in nodes:
            if v != s:
                into = pulp.lpSum(flow[s, u, v] - flow[s, v, u] for u in nodes if u != v)
                problem += into == theta * float(demand.traffic[s, v] / unit)
    for a, b in permutations(nodes, 2):
        problem += pulp.lpSum(flow[s, a, b] for s in sources) <= count[min(a, b), max(a, b)]
    for v in nodes:
        problem += pulp.lpSum(count[pair] for pair in pairs if v in pair) <= int(demand.ports[v])
    problem += pulp.lpSum(count.values()) <= demand.cables
    for inside, least in cut_sets(demand, wanted) if wanted is not None else ():
        problem += pulp.lpSum(count[pair] for pair in pairs if (pair[0] in inside) != (pair[1] in inside)) >= least
    begin = {count[a, b]: float(start[a, b]) for a, b in pairs}
    outcome = solve(problem, time_limit_s, start=begin)
    if not outcome.solved:
        return outcome, None
    cables = np.zeros((n, n), np.int64)
    for (a, b), variable in count.items():
        cables[a, b] = cables[b, a] = round(variable.varValue)
    return outcome, cables


def cut_sets(demand: FreeformDemand, wanted: float) -> Iterator[tuple[frozenset[int], int]]:
    """Yield every cut of the switches, by one of its sides, with the cables that must cross it."""
    n = len(demand.ports)
    for size in range(1, n // 2 + 1):
        for inside in combinations(range(n), size):
            mine = np.isin(np.arange(n), inside)
            crossing = max(demand.traffic[np.ix_(mine, ~mine)].sum(), demand.traffic[np.ix_(~mine, mine)].sum())
            yield frozenset(inside), int(np.ceil(wanted * crossing / demand.gbps - 1e-9))
