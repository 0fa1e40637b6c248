"""`design`: from a specification to the best fabric, its proof, its rivals, and what stands in the way of one."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from math import inf

from solvers.design import front
from solvers.design.candidate import SEARCHED, Candidate, candidates
from solvers.design.conflicts import Conflict, conflicts
from solvers.design.forms.families import SIZED
from solvers.design.parts import Shelf
from solvers.design.requirements import Requirement, requirements
from solvers.design.select import Selection, Selector
from solvers.design.sensitivity import Repricing, sensitivity
from solvers.design.sized import Sizing, anything_better, sizing
from solvers.design.spec import DesignSpec
from solvers.design.study import Study
from solvers.design.wiring import Wiring, wiring
from solvers.outcome import Outcome, Status

RUNNERS_UP, RUNNER_STEPS = 5, 60
LOOKED_AT = 100_000
"""Accelerators of all candidates together that are looked at for one rival or other price."""

Say = Callable[[str], None]


@dataclass
class Answer:
    """What came out. `better` are the candidates a proof has to exclude; `counts`: candidates by family.

    `interrupted`: the user stopped it (Ctrl-C); what was found by then is there.
    """

    study: Study
    requirements: list[Requirement]
    selection: Selection
    counts: dict[str, int]
    sizing: Sizing = field(default_factory=Sizing)
    wiring: Wiring = field(default_factory=Wiring)
    trees: list[Candidate] = field(default_factory=list)
    interrupted: bool = False
    better: list[Candidate] = field(default_factory=list)
    runners_up: list[Candidate] = field(default_factory=list)
    points: list[Candidate] = field(default_factory=list)
    pareto: list[Candidate] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)
    repricings: list[Repricing] = field(default_factory=list)

    @property
    def winner(self) -> Candidate | None:
        """The design."""
        return self.selection.winner

    @property
    def outcome(self) -> Outcome:
        """How it ended: the selection, and what the searches for trees and graphs leave open."""
        found, cheapest = self.selection.outcome, self.study.spec.objective == "cheapest"
        interrupted = self.interrupted or found.interrupted
        unsure = [b for b in (self.sizing.open_bound, self.wiring.open_bound) if b is not None]
        left = (min if cheapest else max)(unsure, default=None)
        if left is None or (found.bound is not None and (left >= found.bound if cheapest else left <= found.bound)):
            return replace(found, interrupted=interrupted)
        status: Status = "feasible" if found.solved else "unknown"
        return replace(found, status=status, bound=left, interrupted=interrupted)


def design(
    spec: DesignSpec, seed: int = 1, time_limit_s: float | None = None, extras: bool = True, say: Say | None = None
) -> Answer:
    """Return the best fabric for a specification.

    `extras`: look for runners-up, the Pareto front, and what other prices would change as well. Ctrl-C ends all of
    it with what was found so far: the best candidate that is certain, and the comparison as far as it got.
    """
    deadline = time.perf_counter() + time_limit_s if time_limit_s else inf
    shelf = Shelf(spec.prices, spec.rule, spec.rack)
    study = Study(spec, shelf, seed)
    sized = sizing(spec, shelf, deadline, say)
    wired = Wiring() if sized.interrupted else wiring(spec, shelf, deadline, seed, say)
    pool, counts, listed = _listed(spec, shelf, sized, wired, say)
    wanted = requirements(study)
    likely = [c for c in pool if c.family.name in SEARCHED]
    selector = Selector(study, wanted, spec.objective == "cheapest", spec.maximise, say)
    selection = selector.run(pool, deadline if listed else 0.0, likely=likely)
    if not listed:
        sized = replace(sized, open_bound=anything_better(spec), interrupted=True)
    trees = [c for c in likely if c.family is SIZED]
    answer = Answer(study, wanted, selection, counts, sized, wired, trees, sized.interrupted)
    try:
        _explain(answer, selector, pool, deadline, extras, say)
    except KeyboardInterrupt:
        answer.interrupted = True
    return answer


def _listed(
    spec: DesignSpec, shelf: Shelf, sized: Sizing, wired: Wiring, say: Say | None
) -> tuple[list[Candidate], dict[str, int], bool]:
    """Return the candidates, their number by family, and whether these are all: after Ctrl-C what searches found."""
    found = (*sized.specs, *wired.specs)
    try:
        if not (sized.interrupted or wired.interrupted):
            if say:
                say("listing candidates")
            return *candidates(spec, shelf, found), True
    except KeyboardInterrupt:
        pass
    searched = spec.model_copy(update={"families": tuple(name for name in spec.families if name in SEARCHED)})
    return *candidates(searched, shelf, found), False


def _explain(
    answer: Answer, selector: Selector, pool: Sequence[Candidate], deadline: float, extras: bool, say: Say | None
) -> None:
    """Add to an answer why nothing fits, or else what could have been better, and rivals."""
    interrupted = answer.outcome.interrupted
    if answer.outcome.status == "infeasible" and not interrupted:
        answer.conflicts = conflicts(answer.study, pool, answer.requirements)
    if answer.winner is None:
        return
    answer.better = [c for c in pool if c is not answer.winner and _could_beat(selector, c, answer.winner)]
    if extras and not interrupted:
        _compare(answer, selector, pool, deadline, say)


def _could_beat(selector: Selector, candidate: Candidate, winner: Candidate) -> bool:
    if selector.cheapest_wins:
        return candidate.cost_usd < winner.cost_usd
    return selector.value(candidate) > selector.certain(winner)


def _compare(answer: Answer, selector: Selector, pool: Sequence[Candidate], deadline: float, say: Say | None) -> None:
    """Add runners-up, front and sensitivity, as far as the time allows."""
    winner, study = answer.winner, answer.study
    assert winner is not None
    if time.perf_counter() > deadline:
        return
    answer.runners_up = runners_up(selector, pool, winner, deadline)
    if time.perf_counter() > deadline:
        return
    answer.repricings = sensitivity(selector, pool, winner, looks(winner))
    if time.perf_counter() > deadline:
        return
    proposed = [winner, *answer.runners_up]
    for candidate in proposed:
        front.look_closer(study, candidate, "alltoall", "allreduce")
    answer.points = list({c.spec: c for c in (*proposed, *front.points(study, pool, say))}.values())
    front.measure_flexibility(study, answer.points, say)
    answer.pareto = front.undominated(answer.points)


def runners_up(
    selector: Selector, pool: Sequence[Candidate], winner: Candidate, deadline: float = inf
) -> list[Candidate]:
    """Return the best design of each other kind, best first; kinds that are not settled soon are left out."""
    steps = looks(winner)
    found: list[Candidate] = []
    kinds = {winner.kind}
    left = [c for c in pool if c.kind not in kinds]
    while left and len(found) < RUNNERS_UP:
        choice = selector.run(left, deadline, steps)
        if choice.outcome.interrupted:
            raise KeyboardInterrupt
        if choice.winner is not None:
            found.append(choice.winner)
            kinds.add(choice.winner.kind)
        elif choice.undecided and time.perf_counter() < deadline:
            kinds.add(choice.undecided[0].kind)
        else:
            break
        left = [c for c in left if c.kind not in kinds]
    return found


def looks(winner: Candidate) -> int:
    """Return how many candidates are looked at for one rival: fewer where they are large."""
    return max(1, min(RUNNER_STEPS, LOOKED_AT // winner.hosts))
