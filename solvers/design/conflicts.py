"""Why nothing fits: a smallest set of requirements that exclude each other, and the least that must be given up.

Every candidate certainly fails some requirement. Requirements are dropped one after the other as long as the
rest still excludes everything (deletion filter; Chinneck and Dravnieks 1991); what is left conflicts, and
loses its conflict if any one of it is relaxed far enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from solvers.design.candidate import Candidate
from solvers.design.requirements import Requirement
from solvers.design.study import Study

MOST_LOOKS = 40
"""Candidates that are looked at closely for one relaxation."""


@dataclass(frozen=True)
class Conflict:
    """A requirement of the conflict. If all others stay, `possible` can be had, from `spec` at `cost_usd`.

    `change` is the relative distance from `needed`. All are None if relaxing this one alone does not help.
    """

    requirement: str
    needed: float
    unit: str
    possible: float | None = None
    change: float | None = None
    spec: str | None = None
    cost_usd: float | None = None
    cheapest: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain data."""
        return dict(self.__dict__)


def conflicts(study: Study, pool: Sequence[Candidate], requirements: Sequence[Requirement]) -> list[Conflict]:
    """Return the requirements that exclude each other, the one with the least relaxation first."""
    found = [_relaxed(study, pool, requirements, r) for r in conflicting(pool, requirements)]
    found.sort(key=lambda c: (c.change is None, c.change or 0.0))
    if found and found[0].change is not None:
        found[0] = Conflict(**{**found[0].__dict__, "cheapest": True})
    return found


def conflicting(pool: Sequence[Candidate], requirements: Sequence[Requirement]) -> list[Requirement]:
    """Return an irreducible set of requirements of which every candidate certainly fails one."""
    fails = [frozenset(k for k, r in enumerate(requirements) if r.verdict(c) is False) for c in pool]
    kept = set(range(len(requirements)))
    for k in range(len(requirements)):
        rest = kept - {k}
        if all(failed & rest for failed in fails):
            kept = rest
    return [requirements[k] for k in sorted(kept)]


def _relaxed(
    study: Study, pool: Sequence[Candidate], requirements: Sequence[Requirement], given_up: Requirement
) -> Conflict:
    """Return the value nearest to what is needed that some candidate certainly has which meets all the rest."""
    others = [r for r in requirements if r is not given_up]
    sign = -1 if given_up.at_least else 1
    open_ = [c for c in pool if all(r.verdict(c) is not False for r in others)]
    best: Candidate | None = None
    for _ in range(MOST_LOOKS):
        open_ = [c for c in open_ if best is None or sign * given_up.best(c) < sign * _certain(given_up, best)]
        if not open_:
            break
        pick = min(open_, key=lambda c: (sign * given_up.best(c), c.cost_usd, c.spec))
        open_.remove(pick)
        if not all(_settled(r, pick) for r in others):
            continue
        while given_up.measure(pick)[0] != given_up.measure(pick)[1] and given_up.closer(pick):
            pass
        if _finite(_certain(given_up, pick)) and (
            best is None or sign * _certain(given_up, pick) < sign * _certain(given_up, best)
        ):
            best = pick
    if best is None:
        return Conflict(given_up.name, given_up.need, given_up.unit)
    possible = _certain(given_up, best)
    study.choose_parts(best)
    change = abs(possible - given_up.need) / given_up.need
    return Conflict(given_up.name, given_up.need, given_up.unit, possible, change, best.spec, best.cost_usd)


def _certain(requirement: Requirement, candidate: Candidate) -> float:
    low, high = requirement.measure(candidate)
    return low if requirement.at_least else high


def _finite(value: float) -> bool:
    return abs(value) < float("inf")


def _settled(requirement: Requirement, candidate: Candidate) -> bool:
    while (verdict := requirement.verdict(candidate)) is None:
        if not requirement.closer(candidate):
            return False
    return verdict
