"""Certified bounds on maximum concurrent flow by multiplicative weights, for large or irregular fabrics.

Garg and Koenemann (1998, 2007) with Fleischer's (2000) rounds over sources: each source routes its whole
demand on a shortest-path tree, and every arc class it loads becomes longer in proportion to its relative
load. The step halves from stage to stage. After each stage

* the mean of its lengths, as a dual solution, gives an upper bound;
* the best mix of all routings seen (each the mean over some rounds) gives a flow: a lower bound.
"""

from __future__ import annotations

import numpy as np

from solvers.bound import Bound
from solvers.concurrent import ConcurrentFlow
from solvers.linear import best_mix
from solvers.network import Floats, Ints
from solvers.paths import fill_row, load_tree, shortest_tree
from uet.base.jit import kernel

FIRST_STEP, LAST_STEP = 0.5, 0.005
"""Relative lengthening of an arc class by a load equal to its capacity, in the first stage and at least."""
FIRST_ROUNDS = 10
ROUTINGS_PER_STAGE = 10


def solve(
    problem: ConcurrentFlow, start: Bound, tolerance: float, most_rounds: int, seed: int = 1, enough: float = np.inf
) -> Bound:
    """Return bounds on theta, at least as good as `start`.

    They close to `tolerance`, or the lower one reaches `enough`, or the rounds of all stages `most_rounds`.
    """
    rng = np.random.default_rng(seed)
    unit, lower, upper = start.upper, start.lower, start.upper
    length = problem.arcs_in_class / problem.capacity
    routings: list[Floats] = []
    step, left, rounds = FIRST_STEP, most_rounds, FIRST_ROUNDS
    while left > 0 and upper - lower > tolerance * lower and lower < enough:
        mean = np.zeros(problem.n_classes)
        routings += _stage(problem, length, mean, min(rounds, left), unit, step, rng)
        left -= min(rounds, left)
        upper = min(upper, problem.upper(mean))
        lower = max(lower, unit * float(best_mix(np.stack(routings, axis=1)).sum()))
        step, rounds = max(step / 2, LAST_STEP), rounds if step == FIRST_STEP else 2 * rounds
    return Bound(lower, max(lower, upper), "")


def _stage(
    problem: ConcurrentFlow, length: Floats, mean: Floats, rounds: int, unit: float, step: float,
    rng: np.random.Generator,
) -> list[Floats]:  # fmt: skip
    """Run some rounds; change `length`, add the lengths met to `mean`, return relative loads at theta = unit."""
    every = -(-rounds // ROUTINGS_PER_STAGE)
    routings, total = [], np.zeros(problem.n_classes)
    for done in range(1, rounds + 1):
        _round(problem, length, rng.permutation(len(problem.sources)), unit, step, total)
        length /= problem.capacity @ length
        mean += length
        if done % every == 0:
            routings.append(total / every)
            total[:] = 0
    return routings


def _round(problem: ConcurrentFlow, length: Floats, order: Ints, unit: float, step: float, total: Floats) -> None:
    """Let every source route its demand once at theta = `unit`; add the relative loads to `total`."""
    n = problem.network
    _route(
        problem.sources[order], problem.multiplicity[order], n.first_arc, n.tail, n.head, problem.arc_class, length,
        n.forwards, problem.rows, problem.scratch, problem.capacity / unit, total, np.zeros(problem.n_classes), step,
    )  # fmt: skip


@kernel
def _route(
    sources: np.ndarray, multiplicity: np.ndarray, first_arc: np.ndarray, tail: np.ndarray, head: np.ndarray,
    arc_class: np.ndarray, length: np.ndarray, forwards: np.ndarray, rows: tuple, scratch: tuple,
    capacity: np.ndarray, total: np.ndarray, load: np.ndarray, step: float,
) -> None:  # fmt: skip
    distance, entry, queue, marks, row = scratch
    for k in range(len(sources)):
        fill_row(sources[k], *rows, row)
        shortest_tree(sources[k], first_arc, head, arc_class, length, forwards, distance, entry, queue, marks)
        load_tree(tail, arc_class, entry, marks, queue, row, multiplicity[k], load)
        for node in range(len(entry)):
            c = arc_class[entry[node]] if entry[node] >= 0 else 0
            if load[c] > 0.0:
                part = load[c] / capacity[c]
                total[c] += part
                length[c] *= 1.0 + step * part
                load[c] = 0.0
