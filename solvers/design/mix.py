"""Integer programs of a design: which candidate, and which parts it is bought from, within a power limit.

A binary per candidate, exactly one of them 1; for each line of a candidate whose cheapest parts would draw
too much an integer per option, together as many as the line's links if the candidate is chosen.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import TYPE_CHECKING, Any

from solvers.design.parts import Line, Mix, cheapest, least_power_w, read_mix
from solvers.mip import solve
from solvers.outcome import Outcome

if TYPE_CHECKING:
    from pulp import LpProblem, LpVariable


def best_mix(lines: Sequence[Line], limit_w: float) -> Mix | None:
    """Return the mix of parts that costs least and draws at most `limit_w`; None if every mix draws more."""
    plain = cheapest(lines)
    if plain.power_w <= limit_w:
        return plain
    if least_power_w(lines) > limit_w:
        return None
    import pulp

    problem = pulp.LpProblem("parts", pulp.LpMinimize)
    counts = [_line_variables(problem, f"x{k}", line, 1) for k, line in enumerate(lines)]
    problem += _total(counts, [line.usd for line in lines])
    problem += _total(counts, [line.watts for line in lines]) <= limit_w, "power"
    if not _solved(problem):
        return None
    return read_mix(lines, [[v.varValue for v in row] for row in counts])


def choose(
    offers: Sequence[tuple[Sequence[Line], float]], limit_w: float, budget_usd: float = inf, cheapest_wins: bool = True
) -> tuple[int, Outcome] | None:
    """Return the number of the best offer and how its choice was proven; None if none fits power and budget.

    An offer is (lines, value): the cheapest mix wins, or the highest value that the budget pays.
    """
    import pulp

    problem = pulp.LpProblem("family", pulp.LpMinimize if cheapest_wins else pulp.LpMaximize)
    chosen = [problem.add_variable(f"y{k}", 0, 1, "Integer") for k in range(len(offers))]
    cost, power = [], []
    for k, (lines, _) in enumerate(offers):
        plain = cheapest(lines)
        if plain.power_w <= limit_w:
            cost.append(plain.cost_usd * chosen[k])
            power.append(plain.power_w * chosen[k])
            continue
        counts = [_line_variables(problem, f"x{k}_{j}", line, chosen[k]) for j, line in enumerate(lines)]
        cost.append(_total(counts, [line.usd for line in lines]))
        power.append(_total(counts, [line.watts for line in lines]))
    values = pulp.lpSum(value * y for (_, value), y in zip(offers, chosen, strict=True))
    problem += pulp.lpSum(cost) if cheapest_wins else values
    problem += pulp.lpSum(chosen) == 1, "one"
    if limit_w < inf:
        problem += pulp.lpSum(power) <= limit_w, "power"
    if budget_usd < inf:
        problem += pulp.lpSum(cost) <= budget_usd, "budget"
    outcome = _solved(problem)
    if outcome is None:
        return None
    return max(range(len(chosen)), key=lambda k: chosen[k].varValue), outcome


def _solved(problem: LpProblem) -> Outcome | None:
    """Return how a program was solved, None if it has no solution; Ctrl-C stops more than this one program."""
    outcome = solve(problem)
    if outcome.interrupted:
        raise KeyboardInterrupt
    return outcome if outcome.solved else None


def _line_variables(problem: LpProblem, name: str, line: Line, chosen: Any) -> list[LpVariable]:
    """Add how many of each option a line takes: all its links if `chosen` is 1."""
    import pulp

    counts = [problem.add_variable(f"{name}_{o}", 0, line.count, "Integer") for o in range(len(line.options))]
    problem += pulp.lpSum(counts) == line.count * chosen
    return counts


def _total(counts: Sequence[Sequence[LpVariable]], prices: Sequence[Sequence[float]]) -> Any:
    import pulp

    return pulp.lpSum(
        price * x for row, mine in zip(counts, prices, strict=True) for x, price in zip(row, mine, strict=True)
    )
