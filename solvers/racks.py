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
from solvers.racks_mip import is_small, solve_exactly
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
    return _Solver(problem, deadline, gap, say).run(start, seed)


class _Solver:
    """What is known so far: the `best` place and its `cost`, the bound `lower` and what proves it."""

    def __init__(self, problem: RackProblem, deadline: float, gap: float, say: Say | None) -> None:
        self.problem, self.deadline, self.gap, self.say = problem, deadline, gap, say
        self.began = time.perf_counter()
        self.best: Place | None = None
        self.cost, self.lower = inf, 0.0
        self.prices: RackPrices | None = None
        self.by_program = self.interrupted = self.excluded = False

    def run(self, start: Place | None, seed: int) -> RackResult:
        """Bound, search, and try the integer program, as far as each is needed."""
        if impossible(self.problem):
            self.excluded = True
            return self.result()
        self._bound()
        if start is not None:
            self._search(start, seed)
        if not self._done() and is_small(self.problem):
            self._program()
        return self.result()

    @property
    def enough(self) -> float:
        """The cost at which nothing better is looked for."""
        return self.lower + self.gap * max(self.lower, 1.0)

    def _done(self) -> bool:
        """Tell whether to end: the user says so, time is up, or the best is good enough."""
        solved = self.best is not None and self.cost <= self.enough
        return solved or self.interrupted or time.perf_counter() >= self.deadline

    def _bound(self) -> None:
        bound = RackBound(self.problem)
        self.prices = bound.nothing
        try:
            self.prices = bound.prices()
        except KeyboardInterrupt:
            self.interrupted = True
        self.lower = bound.usd(self.prices)

    def _search(self, start: Place, seed: int) -> None:
        search = Search(self.problem, start, seed)
        if not self.interrupted:
            search.run(self.deadline, self.enough, self.say)
            self.interrupted = search.interrupted
        if search.cost_usd < inf:
            self.best, self.cost = search.best, search.cost_usd

    def _program(self) -> None:
        if self.say:
            self.say("integer program")
        left = max(self.deadline - time.perf_counter(), 0.1)
        exact, place = solve_exactly(self.problem, self.best, left, 0.0 if self.gap == CLOSE else self.gap)
        self.interrupted = exact.interrupted
        self.excluded = exact.status == "infeasible"
        if place is not None:
            cost = self.problem.cost_usd(self.problem.layout(place))
            if cost < self.cost:
                self.best, self.cost = place, cost
        if exact.bound is not None and exact.bound > self.lower:
            self.lower, self.by_program = min(exact.bound, self.cost), True

    def result(self) -> RackResult:
        """Return what is known, beside the cost of the usual layout."""
        runtime_s, solved = time.perf_counter() - self.began, self.best is not None
        status: Status = "infeasible" if self.excluded else "unknown"
        if solved:
            status = "optimal" if self.cost <= self.lower * (1 + CLOSE) else "feasible"
        lower = None if self.excluded else self.lower
        outcome = Outcome(status, self.cost if solved else None, lower, runtime_s, self.interrupted)
        usual = usual_place(self.problem)
        usual_usd = inf if usual is None else self.problem.cost_usd(self.problem.layout(usual))
        known = usual_usd if usual_usd < inf else None
        return RackResult(self.problem, outcome, self.best, known, self.prices, self.by_program)
