"""Print how well the Clos and the free-form models do: seconds to optimality, gaps at a time limit.

python benchmarks/clos_and_freeform.py [seconds for 16 switches [seconds for 40]]
"""

from __future__ import annotations

import sys
import time

import numpy as np

from solvers.clos import ClosDemand, compare_clos, size_clos
from solvers.freeform import FreeformDemand, free_form, value
from topologies.catalogue.catalogue import load_catalogue
from topologies.families.jellyfish import random_regular


def clos() -> None:
    catalogue = load_catalogue("ethernet-800g-2024")
    began = time.process_time()
    found = size_clos(ClosDemand(100_000, 800), catalogue)
    print(f"100,000 accelerators: {found.outcome.status} in {time.process_time() - began:.2f} CPU s")
    for levels, planes, row in compare_clos(ClosDemand(100_000, 800), catalogue):
        print(f"  {levels} levels, {planes:2} planes: {(row.outcome.objective or 0) / 1e6:7.1f} M$")


def traffic(n: int, kind: str) -> np.ndarray:
    rng = np.random.default_rng(1)
    if kind == "uniform":
        matrix = np.ones((n, n))
    elif kind == "lognormal":
        matrix = rng.lognormal(0, 1.5, (n, n))
    elif kind == "groups of 4":
        matrix = 1.0 + 8.0 * (np.arange(n)[:, None] // 4 == np.arange(n) // 4)
    else:
        matrix = 0.01 + (rng.random((n, n)) < 0.2)
    np.fill_diagonal(matrix, 0)
    return matrix * 1600 / matrix.sum(axis=1).max()


def free(n: int, ports: int, kind: str, limit_s: float) -> None:
    demand = FreeformDemand(traffic(n, kind), np.full(n, ports), 400.0)
    began = time.process_time()
    found = free_form(demand, limit_s).outcome
    used, best = time.process_time() - began, 0.0
    for seed in range(1, 101 if n <= 16 else 11):
        a, b = random_regular(n, ports, seed)
        cables = np.zeros((n, n), np.int64)
        cables[a, b] = cables[b, a] = 1
        best = max(best, value(demand, cables)[0])
    ratio = (found.objective or 0) / best
    print(
        f"{n} switches, {ports} ports, {kind}: gap {found.gap:.1%} in {used:.0f} CPU s, {ratio:.3f} of random regular"
    )


if __name__ == "__main__":
    limits = [float(x) for x in sys.argv[1:]] + [60.0, 300.0][len(sys.argv) - 1 :]
    clos()
    for ports, kind in (
        (4, "uniform"),
        (6, "uniform"),
        (8, "uniform"),
        (6, "lognormal"),
        (6, "groups of 4"),
        (6, "20 %"),
    ):
        free(16, ports, kind, limits[0])
    free(40, 8, "uniform", limits[1])
