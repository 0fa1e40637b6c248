"""`design`: from a specification to the best fabric, its proof, its rivals, and what stands in the way of one."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import inf

from solvers.design import front
from solvers.design.candidate import Candidate, candidates
from solvers.design.conflicts import Conflict, conflicts
from solvers.design.parts import Shelf
from solvers.design.requirements import Requirement, requirements
from solvers.design.select import Selection, Selector
from solvers.design.sensitivity import Repricing, sensitivity
from solvers.design.spec import DesignSpec
from solvers.design.study import Study
from solvers.outcome import Outcome

RUNNERS_UP, RUNNER_STEPS = 5, 60

Say = Callable[[str], None]


@dataclass
class Answer:
    """What came out; `outcome` is that of the selection. `better` are the candidates a proof has to exclude.

    `counts`: candidates by family.
    """

    study: Study
    requirements: list[Requirement]
    selection: Selection
    counts: dict[str, int]
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
        """How the selection ended."""
        return self.selection.outcome


def design(
    spec: DesignSpec, seed: int = 1, time_limit_s: float | None = None, extras: bool = True, say: Say | None = None
) -> Answer:
    """Return the best fabric for a specification.

    `extras`: look for runners-up, the Pareto front, and what other prices would change as well. Ctrl-C ends the
    selection with the best found so far, and what comes after it altogether.
    """
    deadline = time.perf_counter() + time_limit_s if time_limit_s else inf
    shelf = Shelf(spec.prices, spec.rule, spec.rack)
    study = Study(spec, shelf, seed)
    if say:
        say("listing candidates")
    pool, counts = candidates(spec, shelf)
    wanted = requirements(study)
    selector = Selector(study, wanted, spec.objective == "cheapest", spec.maximise, say)
    answer = Answer(study, wanted, selector.run(pool, deadline), counts)
    if answer.outcome.status == "infeasible":
        answer.conflicts = conflicts(study, pool, wanted)
    if answer.winner is None:
        return answer
    answer.better = [c for c in pool if c is not answer.winner and _could_beat(selector, c, answer.winner)]
    if extras and not answer.outcome.interrupted:
        _compare(answer, selector, pool, deadline, say)
    return answer


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
    answer.repricings = sensitivity(selector, pool, winner)
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
    found: list[Candidate] = []
    kinds = {winner.kind}
    left = [c for c in pool if c.kind not in kinds]
    while left and len(found) < RUNNERS_UP:
        choice = selector.run(left, deadline, RUNNER_STEPS)
        if choice.winner is None:
            break
        found.append(choice.winner)
        kinds.add(choice.winner.kind)
        left = [c for c in left if c.kind not in kinds]
    return found
