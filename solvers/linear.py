"""Linear programs as arrays, handed to HiGHS at once and silently."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.highs import new_highs
from uet.base.errors import NoAnswer

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Program:
    """max cost @ x subject to row_low <= A x <= row_high and x >= 0, A by columns (CSC).

    `starts` [columns + 1], `rows` and `values` [non-zeros], `cost` [columns], `row_low`, `row_high` [rows].
    """

    starts: Ints
    rows: Ints
    values: Floats
    cost: Floats
    row_low: Floats
    row_high: Floats


@dataclass(frozen=True, eq=False)
class Solution:
    """Variables [columns], their cost, and the sizes of the row duals [rows]."""

    x: Floats
    value: float
    dual: Floats


def solve(program: Program, interior: bool = False) -> Solution:
    """Return an optimal solution; `interior` takes the interior point method and leaves out crossover.

    Without presolve, whose undoing would spoil the duals of an interior solution. Raises NoAnswer when
    HiGHS does not end with an optimum.
    """
    import highspy

    highs = new_highs()
    if interior:
        for option, setting in {"solver": "ipm", "run_crossover": "off", "presolve": "off"}.items():
            highs.setOptionValue(option, setting)
    highs.passModel(_model(highspy, program))
    highs.run()
    status = highs.getModelStatus()
    if status != highspy.HighsModelStatus.kOptimal:
        raise NoAnswer(f"the linear program ended with '{highs.modelStatusToString(status)}' instead of an optimum")
    solution = highs.getSolution()
    x = np.asarray(solution.col_value)
    return Solution(x, float(program.cost @ x), np.abs(np.asarray(solution.row_dual)))


def _model(highspy: Any, program: Program) -> Any:
    n = len(program.cost)
    model = highspy.HighsLp()
    model.num_col_, model.num_row_ = n, len(program.row_low)
    model.sense_ = highspy.ObjSense.kMaximize
    model.col_cost_ = program.cost
    model.col_lower_, model.col_upper_ = np.zeros(n), np.full(n, np.inf)
    model.row_lower_, model.row_upper_ = program.row_low, program.row_high
    model.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    model.a_matrix_.start_ = program.starts.astype(np.int32)
    model.a_matrix_.index_ = program.rows.astype(np.int32)
    model.a_matrix_.value_ = program.values
    return model


def best_mix(load: Floats) -> Floats:
    """Return the weights x >= 0 [columns] of largest sum with load @ x <= 1, load being [rows, columns] >= 0.

    Rows enter the program when they are violated; what is left of violation is scaled away.
    """
    n = load.shape[1]
    chosen = np.zeros(len(load), bool)
    chosen[load.argmax(axis=0)] = True
    while True:
        rows = np.flatnonzero(chosen)
        part = load[rows]
        nothing = np.full(len(rows), -np.inf)
        x = solve(
            Program(
                np.arange(n + 1) * len(rows), np.tile(np.arange(len(rows)), n), part.T.reshape(-1), np.ones(n),
                nothing, np.ones(len(rows)),
            )
        ).x  # fmt: skip
        total = load @ x
        worst = np.argsort(-total, kind="stable")[: 2 * n + 8]
        new = worst[(total[worst] > 1 + 1e-6) & ~chosen[worst]]
        if len(new) == 0:
            return x / max(1.0, float(total.max()))
        chosen[new] = True
