"""The Pareto front in cost, bandwidth and flexibility, among candidates that are worth a look.

Flexibility takes a simulated stream of jobs for each fabric, so it is measured for the candidates that no
other one beats in cost and alltoall bandwidth, thinned where there are many, and for the designs proposed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import log

from solvers.design.candidate import Candidate
from solvers.design.study import Study
from topologies.flexibility import flexibility

JOBS, LOAD = 100, 1.2
MOST_POINTS, ENOUGH_HOSTS = 12, 130_000
SMALL_ENOUGH = 40_000
"""Accelerators up to which flexibility is simulated and fabrics are laid out for the front."""


def staircase(pool: Sequence[Candidate]) -> list[Candidate]:
    """Return the candidates, cheapest first, each of which has more alltoall bandwidth than all cheaper ones."""
    found: list[Candidate] = []
    for candidate in sorted(pool, key=lambda c: (c.cost_usd, -c.bounds["alltoall"].upper, c.spec)):
        if not found or candidate.bounds["alltoall"].upper > found[-1].bounds["alltoall"].upper * (1 + 1e-9):
            found.append(candidate)
    return found


def points(study: Study, pool: Sequence[Candidate], say: Callable[[str], None] | None = None) -> list[Candidate]:
    """Return candidates that span the front in cost and bandwidth, looked at closely, the cheapest first."""
    most = max(4, min(MOST_POINTS, ENOUGH_HOSTS // max(study.spec.accelerators, 1)))
    for _ in range(2):  # a closer look may move candidates off the staircase
        chosen = thinned(staircase(pool), most)
        fresh = [c for c in chosen if "alltoall" not in c.done and not c.bounds["alltoall"].exact]
        for candidate in fresh:
            if say:
                say(f"front: {candidate.spec}")
            look_closer(study, candidate, "alltoall")
        if not fresh:
            break
    return chosen


def look_closer(study: Study, candidate: Candidate, *patterns: str) -> None:
    """Find bandwidths of patterns, and what lengths decide where that is quick."""
    for pattern in patterns:
        while not candidate.bounds[pattern].exact and study.bandwidth(candidate, pattern):
            pass
    if not study.cost_is_exact(candidate) and candidate.hosts <= SMALL_ENOUGH:
        study.lay_out(candidate)


def thinned(steps: Sequence[Candidate], most: int) -> list[Candidate]:
    """Return at most so many of them, spread over the logarithm of the cost, the first and last included."""
    if len(steps) <= most:
        return list(steps)
    low, high = log(steps[0].cost_usd + 1), log(steps[-1].cost_usd + 1)
    wanted = [low + (high - low) * k / (most - 1) for k in range(most)]
    picked = {min(range(len(steps)), key=lambda k: abs(log(steps[k].cost_usd + 1) - w)) for w in wanted}
    return [steps[k] for k in sorted(picked)]


def measure_flexibility(study: Study, chosen: Sequence[Candidate], say: Callable[[str], None] | None = None) -> None:
    """Find the flexibility of candidates, as `flexibility`, where the fabric is not too large for that."""
    for candidate in chosen:
        if "flexibility" in candidate.extra or candidate.hosts > SMALL_ENOUGH:
            continue
        if say:
            say(f"flexibility of {candidate.spec}")
        found = flexibility(study.fabric(candidate), study.spec.flexibility_mix, JOBS, LOAD, seed=study.seed)
        candidate.extra["flexibility"] = (found.flexibility,) * 2


def undominated(chosen: Sequence[Candidate]) -> list[Candidate]:
    """Return those that no other one beats in cost, alltoall bandwidth or flexibility without losing elsewhere."""

    def merits(c: Candidate) -> tuple[float, float, float]:
        return -c.cost_usd, c.bounds["alltoall"].lower, c.extra.get("flexibility", (0.0, 0.0))[0]

    unique = list({c.spec: c for c in chosen}.values())
    return [
        c for c in unique
        if not any(
            all(x >= y for x, y in zip(merits(o), merits(c), strict=True)) and merits(o) != merits(c) for o in unique
        )
    ]  # fmt: skip
