"""Small integer programs through PuLP and HiGHS: status, bound, start, time limit, interrupt."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from typing import Any

import numpy as np
import pulp
import pytest

from solvers.mip import solve


def knapsack(sense: int, constant: float = 0.0) -> tuple[Any, list[Any]]:
    problem = pulp.LpProblem("knapsack", sense)
    x = [problem.add_variable(f"x{k}", 0, 1, "Integer") for k in range(4)]
    sign = 1 if sense == pulp.LpMaximize else -1
    problem += sign * pulp.lpSum(v * value for v, value in zip(x, (10, 13, 7, 4), strict=True)) + constant
    problem += pulp.lpSum(v * weight for v, weight in zip(x, (5, 6, 4, 2), strict=True)) <= 11, "weight"
    return problem, x


def market_split() -> Any:
    """Return a program that takes long: Cornuejols and Dawande's market split, rows of slacks."""
    problem = pulp.LpProblem("split", pulp.LpMinimize)
    x = [problem.add_variable(f"x{k}", 0, 1, "Integer") for k in range(40)]
    slack = [problem.add_variable(f"s{k}", 0) for k in range(10)]
    problem += pulp.lpSum(slack)
    rng = np.random.default_rng(1)
    for row in range(5):
        weights = rng.integers(0, 100, 40).tolist()
        total = pulp.lpSum(w * v for w, v in zip(weights, x, strict=True))
        problem += total + slack[2 * row] - slack[2 * row + 1] == sum(weights) // 2
    return problem


@pytest.mark.parametrize("sense", [pulp.LpMaximize, pulp.LpMinimize])
def test_optimum_with_its_bound(sense: int) -> None:
    problem, x = knapsack(sense, constant=100)
    outcome = solve(problem)
    sign = 1 if sense == pulp.LpMaximize else -1
    assert outcome.status == "optimal"
    assert outcome.objective == pytest.approx(100 + sign * 23)
    assert outcome.bound == pytest.approx(100 + sign * 23)
    assert outcome.gap == pytest.approx(0)
    assert [round(v.varValue) for v in x] == [1, 1, 0, 0]


def test_linear_program_has_its_optimum_as_bound() -> None:
    problem = pulp.LpProblem("line", pulp.LpMaximize)
    x = problem.add_variable("x", 0, 4)
    problem += 2 * x
    outcome = solve(problem)
    assert (outcome.objective, outcome.bound, outcome.gap) == (8, 8, 0)


def test_infeasible() -> None:
    problem, x = knapsack(pulp.LpMaximize)
    problem += pulp.lpSum(x) >= 5
    outcome = solve(problem)
    assert (outcome.status, outcome.objective, outcome.bound, outcome.gap) == ("infeasible", None, None, None)
    assert not outcome.solved


def test_start_is_kept_when_there_is_no_time_for_better() -> None:
    problem, x = knapsack(pulp.LpMaximize)
    outcome = solve(
        problem, start=dict(zip(x, (0, 0, 1, 1), strict=True)), options={"mip_max_nodes": 0, "presolve": "off"}
    )
    assert outcome.objective is not None and outcome.objective >= 11


def test_time_limit_keeps_the_incumbent() -> None:
    outcome = solve(market_split(), time_limit_s=0.3)
    assert outcome.status == "feasible"
    assert outcome.objective is not None and outcome.bound is not None
    assert outcome.bound < outcome.objective


def test_interrupt_keeps_the_incumbent() -> None:
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    outcome = solve(market_split(), time_limit_s=60)
    timer.join()
    assert outcome.interrupted and outcome.status == "feasible"
    assert outcome.runtime_s < 30


def test_unbounded_model_is_an_error() -> None:
    problem = pulp.LpProblem("ray", pulp.LpMaximize)
    x = problem.add_variable("x", 0)
    problem += x
    with pytest.raises(ValueError, match="not well formed"):
        solve(problem)


def test_nothing_is_printed() -> None:
    code = """
import pulp
from solvers.mip import solve
problem = pulp.LpProblem("one", pulp.LpMaximize)
problem += problem.add_variable("x", 0, 1.5, "Integer")
assert solve(problem).objective == 1
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert (done.stdout, done.stderr) == ("", "")
