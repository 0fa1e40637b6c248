"""Small mixed-integer programs written with PuLP 3 or 4, solved by HiGHS.

Both versions of PuLP agree on `LpProblem`, `problem.add_variable`, `problem.add_variable_dicts`, `lpSum`,
`problem += constraint` and `problem.get_constraint_by_name`; models use nothing else of it. How a solve
ended is read from HiGHS itself, since the two report it differently.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from solvers.highs import absorb_greeting
from solvers.outcome import Outcome

if TYPE_CHECKING:
    from pulp import LpProblem, LpVariable


def solve(
    problem: LpProblem,
    time_limit_s: float | None = None,
    gap: float = 0.0,
    start: Mapping[LpVariable, float] | None = None,
    options: Mapping[str, Any] | None = None,
) -> Outcome:
    """Solve a PuLP problem that has an objective; its variables then hold the solution, if there is one.

    Stops at a relative gap of `gap`, after `time_limit_s` seconds, or at Ctrl-C; the best solution found by
    then stays in the variables. `start` are values of (some) variables to begin with, `options` are passed
    to HiGHS. One thread and a fixed seed: same problem, same result, unless time is up.
    """
    import pulp

    began = time.perf_counter()
    settings = {"output_flag": False, "threads": 1, "mip_rel_gap": gap, **(options or {})}
    absorb_greeting()
    solver = pulp.HiGHS(msg=False, timeLimit=time_limit_s, **settings)
    solver.createAndConfigureSolver(problem)
    solver.buildSolverModel(problem)
    highs = problem.solverModel
    if start:
        _begin_with(problem, start)
    interrupted = run(highs)
    status = _status(highs)
    if status not in ("optimal", "feasible"):
        return Outcome(status, None, None, time.perf_counter() - began, interrupted)
    for variable, value in zip(_columns(problem), highs.getSolution().col_value, strict=True):
        variable.varValue = value
    objective = float(pulp.value(problem.objective))
    # HiGHS leaves the bound at 0 where a start is found to be optimal before the search begins
    proven = status == "optimal" and (gap == 0 or not problem.isMIP())
    bound = objective if proven else _bound(problem)
    return Outcome(status, objective, bound, time.perf_counter() - began, interrupted)


def run(highs: Any) -> bool:
    """Run a loaded highspy.Highs to its end; Ctrl-C stops it where it is. Return whether that happened."""
    highs.HandleUserInterrupt = True
    highs.startSolve()
    interrupted = False
    while True:
        try:
            if highs.wait(0.5)[0]:
                return interrupted
        except KeyboardInterrupt:
            interrupted = True
            highs.cancelSolve()


def _begin_with(problem: LpProblem, start: Mapping[LpVariable, float]) -> None:
    known = [(k, start[v]) for k, v in enumerate(_columns(problem)) if v in start]
    problem.solverModel.setSolution(len(known), [k for k, _ in known], [value for _, value in known])


def _columns(problem: LpProblem) -> list[LpVariable]:
    """Return the variables in the order in which HiGHS has them."""
    columns: list[LpVariable] = getattr(problem, "exported_variables", problem.variables)()
    return columns


def _status(highs: Any) -> Any:
    import highspy

    model, ended = highspy.HighsModelStatus, highs.getModelStatus()
    if ended == model.kOptimal:
        return "optimal"
    if ended == model.kInfeasible:
        return "infeasible"
    if ended in (model.kTimeLimit, model.kInterrupt, model.kIterationLimit, model.kSolutionLimit):
        found = highs.getInfo().primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
        return "feasible" if found else "unknown"
    raise ValueError(f"the model is not well formed: HiGHS ends with '{highs.modelStatusToString(ended)}'")


def _bound(problem: LpProblem) -> float | None:
    """Return the proven bound in the sense of the problem: PuLP 3 hands over a negated objective to maximize and
    leaves out its constant, PuLP 4 does not.
    """
    from math import isfinite

    import highspy
    import pulp

    highs = problem.solverModel
    bound = highs.getInfo().mip_dual_bound
    if not isfinite(bound):
        return None
    negated = problem.sense == pulp.LpMaximize and highs.getObjectiveSense()[1] == highspy.ObjSense.kMinimize
    return float((-bound if negated else bound) + problem.objective.constant - highs.getObjectiveOffset()[1])
