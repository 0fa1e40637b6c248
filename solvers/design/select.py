"""Selection: the best candidate that meets all requirements, and the proof that no better one does.

Candidates are kept as intervals. Of those that no bound rules out the integer program picks the best by
its optimistic value; the pick is looked at more closely until it is certain to meet everything and its value
is exact, or is ruled out; then the program picks again. So the proof is that every better candidate has a
bound that fails a requirement, and that the winner's bounds meet all of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import inf

from solvers.design.candidate import Candidate
from solvers.design.mix import choose
from solvers.design.requirements import Requirement
from solvers.design.study import Study
from solvers.outcome import Outcome, Status

AT_ONCE = 40
"""Offers of one integer program; the others cannot be better than what it picks."""

Say = Callable[[str], None]


@dataclass
class Selection:
    """The winner (None if there is none) and how the search ended; `undecided` could not be settled."""

    winner: Candidate | None
    outcome: Outcome
    undecided: list[Candidate] = field(default_factory=list)


@dataclass
class Selector:
    """Chooses among candidates for one study; `cheapest_wins`, or the highest of `pattern` does."""

    study: Study
    requirements: Sequence[Requirement]
    cheapest_wins: bool = True
    pattern: str = "alltoall"
    say: Say | None = None

    def value(self, candidate: Candidate) -> float:
        """Return the best objective that is not ruled out: USD, or injections."""
        return candidate.cost_usd if self.cheapest_wins else candidate.bounds[self.pattern].upper

    def certain(self, candidate: Candidate) -> float:
        """Return the objective that is certain."""
        if not self.cheapest_wins:
            return candidate.bounds[self.pattern].lower
        return candidate.cost_usd if self.study.cost_is_exact(candidate) else inf

    def ruled_out(self, candidate: Candidate) -> Requirement | None:
        """Return a requirement that the candidate certainly fails, None if there is no such one yet."""
        return next((r for r in self.requirements if r.verdict(candidate) is False), None)

    def accepted(self, candidate: Candidate) -> bool:
        """Tell whether the candidate certainly meets every requirement."""
        return all(r.verdict(candidate) is True for r in self.requirements)

    def run(
        self,
        pool: Sequence[Candidate],
        deadline: float = inf,
        most_steps: int | None = None,
        likely: Sequence[Candidate] = (),
    ) -> Selection:
        """Return the best of `pool`; the first `likely` ones that do are there if the search is stopped.

        Past the `deadline` (of time.perf_counter), after `most_steps` looks at a candidate or at Ctrl-C it is the
        best found so far.
        """
        began = time.perf_counter()
        search = _Search(self, [c for c in pool if self.ruled_out(c) is None])
        interrupted, steps = False, 0
        try:
            search.begin_with(likely)
            while search.step():
                steps += 1
                if time.perf_counter() > deadline or steps == most_steps:
                    break
        except KeyboardInterrupt:
            interrupted = True
        return search.result(time.perf_counter() - began, interrupted)


class _Search:
    """One run of a selector: candidates that are open, the best that is accepted, and those that stay undecided."""

    def __init__(self, selector: Selector, pool: list[Candidate]) -> None:
        self.by, self.open = selector, pool
        self.best: Candidate | None = None
        self.undecided: list[Candidate] = []
        self.ended = False

    def begin_with(self, likely: Sequence[Candidate]) -> None:
        """Settle candidates that are likely to do, the most promising first, until one of them is accepted."""
        for candidate in sorted((c for c in likely if c in self.open), key=self._rank):
            if self.best is not None:
                return
            while self._settle(candidate):
                pass
            self.open.remove(candidate)

    def _rank(self, candidate: Candidate) -> tuple[float, float, str]:
        """Return what sorts the most promising first."""
        value = self.by.value(candidate)
        return value if self.by.cheapest_wins else -value, candidate.cost_usd, candidate.spec

    def step(self) -> bool:
        """Pick the most promising candidate and look closer at it; False when the best is proven."""
        pick = self._pick()
        if pick is None or (self.best is not None and not self._promises_more(pick)):
            self.ended = True
            return False
        if self.by.say:
            self.by.say(f"{len(self.open):,} candidates open; looking at {pick.spec}")
        if not self._settle(pick):
            self.open.remove(pick)
        return True

    def _pick(self) -> Candidate | None:
        self.open.sort(key=self._rank)
        limits = self.by.study.spec
        while self.open:
            offers = [(c.lines, self.by.value(c)) for c in self.open[:AT_ONCE]]
            limit_w = limits.power_kw * 1000 if limits.power_kw else inf
            found = choose(offers, limit_w, limits.budget_usd or inf, self.by.cheapest_wins)
            if found is not None:
                picked = self.open[found[0]]
                beyond = self.open[AT_ONCE] if len(self.open) > AT_ONCE else None
                if beyond is None or self._rank(picked)[0] <= self._rank(beyond)[0]:
                    return picked
                self._price_parts()
                return min(self.open, key=self._rank)
            del self.open[:AT_ONCE]
        return None

    def _price_parts(self) -> None:
        """Let the first offers cost what their best mix within the power limit does, so that the order is true."""
        for candidate in self.open[:AT_ONCE]:
            self.by.study.choose_parts(candidate)

    def _promises_more(self, candidate: Candidate) -> bool:
        assert self.best is not None
        if self.by.cheapest_wins:
            return self.by.value(candidate) < self.by.certain(self.best)
        return self.by.value(candidate) > self.by.certain(self.best) * (1 + 1e-6)

    def _settle(self, candidate: Candidate) -> bool:
        """Look closer at the pick; return whether it stays open."""
        self.by.study.choose_parts(candidate)
        for requirement in self.by.requirements:
            while (verdict := requirement.verdict(candidate)) is None:
                if not requirement.closer(candidate):
                    self.undecided.append(candidate)
                    return False
            if verdict is False:
                return False
        if self.by.cheapest_wins and not self.by.study.cost_is_exact(candidate):
            self.by.study.lay_out(candidate)
            return True
        if (
            not self.by.cheapest_wins
            and not candidate.bounds[self.by.pattern].exact
            and self.by.study.bandwidth(candidate, self.by.pattern)
        ):
            return True
        if self.best is None or self._better(candidate):
            self.best = candidate
        return False

    def _better(self, candidate: Candidate) -> bool:
        assert self.best is not None
        new, old = self.by.certain(candidate), self.by.certain(self.best)
        if new == old:
            return candidate.cost_usd < self.best.cost_usd
        return new < old if self.by.cheapest_wins else new > old

    def result(self, runtime_s: float, interrupted: bool) -> Selection:
        """Return what came out of the search so far."""
        by, unsure = self.by, list(self.undecided)
        if not self.ended:
            unsure += self.open
        best = self.best
        if best is not None:
            unsure = [c for c in unsure if c is not best and self._promises_more(c)]
        values = [by.value(c) for c in unsure] + ([by.value(best)] if best else [])
        bound = (min(values) if by.cheapest_wins else max(values)) if values else None
        if best is None:
            status: Status = "unknown" if unsure else "infeasible"
            return Selection(None, Outcome(status, None, bound, runtime_s, interrupted), unsure)
        objective = by.certain(best)
        proven = bound is None or abs(bound - objective) <= 1e-6 * abs(objective)
        status = "optimal" if proven else "feasible"
        return Selection(
            best, Outcome(status, objective, objective if proven else bound, runtime_s, interrupted), unsure
        )  # fmt: skip
