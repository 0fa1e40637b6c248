"""Why no assignment of racks exists: a smallest set of limits that exclude each other, and what would do."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf

import numpy as np

from solvers.racks import CLOSE, RackResult, RackTask, solve
from solvers.racks_problem import RackProblem
from topologies.cabling import measure

SECONDS = 5.0
"""Time for one question."""
HALVINGS = 20
ANY = 1e9
"""Gap of whatever fits."""
LIMITS = ("racks", "rack_power_w", "reach_m")


@dataclass(frozen=True)
class RackConflict:
    """A limit that cannot be met with the other ones named; `possible` is a value that can, with its cables' cost."""

    requirement: str
    asked: float
    possible: float | None
    cost_usd: float | None
    cheapest: bool = False


def conflicts(task: RackTask, problem: RackProblem, seed: int) -> tuple[RackConflict, ...]:
    """Return limits none of which is spare, the one marked whose change leaves the cheapest cables."""
    asked = {
        "racks": task.limits.racks,
        "rack_power_w": task.limits.rack_power_w,
        "reach_m": min(float(rate.reach_m[-1]) for rate in problem.rates),
    }
    kept = [name for name in LIMITS if asked[name] is not None]
    for name in list(kept):
        fewer = [other for other in kept if other != name]
        if _ask(task, {other: asked[other] for other in fewer}, seed).outcome.status == "infeasible":
            kept = fewer
    found = []
    for name in kept:
        rest = {other: asked[other] for other in kept if other != name}
        value, usd = _NEAREST[name](task, rest, float(asked[name] or 0), seed)
        found.append(RackConflict(name, float(asked[name] or 0), value, usd))
    least = min((c.cost_usd for c in found if c.cost_usd is not None), default=None)
    return tuple(replace(c, cheapest=c.cost_usd is not None and c.cost_usd == least) for c in found)


def _ask(task: RackTask, limits: dict[str, float | None], seed: int, gap: float = ANY) -> RackResult:
    """Return an answer with these limits alone: the first, or one within a gap."""
    racks, power = limits.get("racks"), limits.get("rack_power_w")
    own = replace(task.limits, racks=None if racks is None else int(racks), rack_power_w=power)
    problem, start = replace(task, limits=own).begin()
    if limits.get("reach_m") is None:
        problem = _reaching(problem)
    return solve(problem, start, time.perf_counter() + SECONDS, seed, gap=gap)


def _reaching(problem: RackProblem) -> RackProblem:
    """Return the problem in which the longest part of each rate reaches anything."""
    far = [
        replace(rate, parts=(*rate.parts[:-1], rate.parts[-1].model_copy(update={"reach_m": 1e9})))
        for rate in problem.rates
    ]  # fmt: skip
    return replace(problem, rates=tuple(far))


Nearest = tuple[float | None, float | None]


def _racks(task: RackTask, rest: dict[str, float | None], asked: float, seed: int) -> Nearest:
    """Return the least number of racks that does, as far as could be told, and the cost there."""
    free = _ask(task, rest, seed)
    if not free.outcome.solved:
        return None, None
    return _halved(lambda n, gap: _ask(task, {**rest, "racks": n}, seed, gap), asked, float(free.problem.racks), 1.0)


def _power(task: RackTask, rest: dict[str, float | None], asked: float, seed: int) -> Nearest:
    """Return the least power of a rack that does, to a thousandth of what was asked, and the cost there."""
    free = _ask(task, rest, seed)
    if free.place is None:
        return None, None
    # without a limit nobody has counted what the devices draw
    problem = replace(task, limits=replace(task.limits, rack_power_w=inf)).hall(free.problem.racks)[0]
    most = float(np.bincount(free.place.rack, problem.power_w).max())
    return _halved(lambda w, gap: _ask(task, {**rest, "rack_power_w": w}, seed, gap), asked, most, asked / 1000)


def _halved(ask: Callable[[float, float], RackResult], low: float, high: float, step: float) -> Nearest:
    """Return the least value in steps between `low`, which fails, and `high` that `ask` can do, and the cost there."""
    for _ in range(HALVINGS):
        if high - low <= step:
            break
        middle = low + max(1, round((high - low) / step / 2)) * step
        if ask(middle, ANY).outcome.solved:
            high = middle
        else:
            low = middle
    return high, ask(high, CLOSE).outcome.objective


def _reach(task: RackTask, rest: dict[str, float | None], asked: float, seed: int) -> Nearest:
    """Return the longest cable of a layout that is cheap if cables reach anything, and the cost of its cables."""
    free = _ask(task, rest, seed, CLOSE)
    if free.layout is None:
        return None, None
    cables = free.problem.cables.copy()
    measure(free.layout, cables)
    return float(cables["length_m"].max()), free.outcome.objective


_NEAREST = {"racks": _racks, "rack_power_w": _power, "reach_m": _reach}
