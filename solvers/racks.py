"""`assign_racks`: which rack and height every host, chassis and switch gets, so that cables cost the least.

The usual layout of `topologies.racks` is the beginning; annealing improves it; few devices are then left to an
integer program. Counting what fits one rack (`racks_bound`) says what no assignment can undercut, whatever the size.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf
from typing import TYPE_CHECKING

from solvers.outcome import Outcome, Status
from solvers.racks_bound import RackBound, RackPrices
from solvers.racks_pack import first_fit, impossible, usual_place
from solvers.racks_problem import Place, RackLimits, RackProblem, rack_problem
from solvers.racks_search import Search
from topologies.catalogue.catalogue import Catalogue
from topologies.fabric import Fabric
from topologies.racks import Layout, RackModel, lay_out, rack_positions

if TYPE_CHECKING:
    from solvers.racks_conflicts import RackConflict

CLOSE = 1e-6
"""Relative gap at which an assignment counts as optimal."""
Say = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class RackResult:
    """How the assignment ended (its objective are USD of cables), the place of every item, and what proves the bound.

    `usual_usd` is the cost of the usual layout in the same hall, None where it breaks a limit or no cable
    reaches. `prices` are those of `RackBound`; `by_program` tells that the integer program proves more.
    """

    problem: RackProblem
    outcome: Outcome
    place: Place | None
    usual_usd: float | None
    prices: RackPrices | None
    by_program: bool
    conflicts: tuple[RackConflict, ...] = ()

    @property
    def layout(self) -> Layout | None:
        """Where everything stands."""
        return None if self.place is None else self.problem.layout(self.place)


def assign_racks(
    fabric: Fabric,
    catalogue: Catalogue,
    model: RackModel | None = None,
    limits: RackLimits | None = None,
    time_limit_s: float = 60.0,
    seed: int = 1,
    say: Say | None = None,
    explain: bool = True,
) -> RackResult:
    """Return the assignment of least cable cost that was found, and a proven bound on that of any.

    `model` are the sizes of racks and hall. Where nothing fits, `explain` finds the conflicting requirements, which
    takes some searches more. Ctrl-C and the time limit end the search with the best assignment so far. Raises
    BadInput for wrong limits and where the catalogue lacks a part or figure.
    """
    began = time.perf_counter()
    task = RackTask(fabric, catalogue, lay_out(fabric, model), limits or RackLimits())
    task.limits.check()
    problem, start = task.begin()
    found = solve(problem, start, began + time_limit_s, seed, say)
    if explain and found.outcome.status == "infeasible":
        from solvers.racks_conflicts import conflicts

        found = replace(found, conflicts=conflicts(task, problem, seed))
    return replace(found, outcome=replace(found.outcome, runtime_s=time.perf_counter() - began))


@dataclass(frozen=True, eq=False)
class RackTask:
    """What is asked, apart from the number of racks in the hall."""

    fabric: Fabric
    catalogue: Catalogue
    usual: Layout
    limits: RackLimits

    def begin(self) -> tuple[RackProblem, Place | None]:
        """Return the problem in the hall as limited, or in the smallest one found in which everything fits."""
        if self.limits.racks is not None:
            return self.hall(self.limits.racks)
        racks = len(self.usual.rack_position_m)
        while True:
            problem, start = self.hall(racks)
            if start is not None or racks > problem.items or problem.power_w.max() > problem.feed_w:
                return problem, start
            fed = math.ceil(problem.power_w.sum() / problem.feed_w)
            racks = max(racks + max(1, racks // 20), fed)

    def hall(self, racks: int) -> tuple[RackProblem, Place | None]:
        """Return the problem in a hall of so many racks, and an assignment that fits, if one was found."""
        usual = self.usual
        if racks > len(usual.rack_position_m):
            usual = lay_out(self.fabric, usual.model, racks)
        position = rack_positions(usual.model, racks)
        problem = rack_problem(self.fabric, self.catalogue, usual, self.limits, position)
        start = usual_place(problem)
        if start is None and not impossible(problem):
            start = first_fit(problem)
        return problem, start


def solve(
    problem: RackProblem,
    start: Place | None,
    deadline: float,
    seed: int = 1,
    say: Say | None = None,
    gap: float = CLOSE,
) -> RackResult:
    """Return the best assignment found from `start` on until `deadline` (of time.perf_counter), or one within `gap`."""
    from solvers.racks_mip import is_small, solve_exactly

    began = time.perf_counter()
    if impossible(problem):
        return _result(problem, Outcome("infeasible", None, None, time.perf_counter() - began))
    bound = RackBound(problem)
    prices = bound.prices()
    lower, by_program, interrupted = bound.usd(prices), False, False
    best, cost = None, inf
    if start is not None:
        search = Search(problem, start, seed)
        search.run(deadline, lower + gap * max(lower, 1.0), say)
        interrupted, cost = search.interrupted, search.cost_usd
        best = search.best if math.isfinite(cost) else None
    left = deadline - time.perf_counter()
    done = interrupted or left <= 0 or (best is not None and cost <= lower + gap * max(lower, 1.0))
    if not done and is_small(problem):
        if say:
            say("integer program")
        exact, place = solve_exactly(problem, best, left, 0.0 if gap == CLOSE else gap)
        if exact.status == "infeasible":
            return _result(problem, replace(exact, runtime_s=time.perf_counter() - began))
        interrupted = exact.interrupted
        found = inf if place is None else problem.cost_usd(problem.layout(place))
        if found < cost:
            best, cost = place, found
        if exact.bound is not None and exact.bound > lower:
            lower, by_program = min(exact.bound, cost), True
    runtime_s = time.perf_counter() - began
    if best is None:
        return _result(problem, Outcome("unknown", None, lower, runtime_s, interrupted))
    status: Status = "optimal" if cost <= lower * (1 + CLOSE) else "feasible"
    return _result(problem, Outcome(status, cost, lower, runtime_s, interrupted), best, prices, by_program)


def _result(
    problem: RackProblem,
    outcome: Outcome,
    place: Place | None = None,
    prices: RackPrices | None = None,
    by_program: bool = False,
) -> RackResult:
    usual = usual_place(problem)
    usual_usd = None if usual is None else problem.cost_usd(problem.layout(usual))
    known = None if usual_usd is None or usual_usd == inf else usual_usd
    return RackResult(problem, outcome, place, known, prices, by_program)
