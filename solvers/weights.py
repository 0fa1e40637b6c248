"""Certified bounds on maximum concurrent flow by multiplicative weights, for large or irregular fabrics.

Garg and Koenemann (1998, 2007) with Fleischer's (2000) rounds over sources: each source routes its whole
demand, and every arc class it loads becomes longer in proportion to its relative load. Many sources
take shortest-path trees; a few, as in trees of switches whose leaves are alike, spread over all good
paths, the more strictly the later (a tree of theirs would load a few arcs with everything). The step
halves from stage to stage. After each stage

* the mean of its lengths, as a dual solution, gives an upper bound;
* the best mix of all routings seen (each the mean over some rounds) gives a flow: a lower bound.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from solvers.bound import Bound, Proof
from solvers.concurrent import Arrays, ConcurrentFlow
from solvers.linear import best_mix
from solvers.network import Floats, Ints
from solvers.paths import fill_row, load_logit, load_tree, shortest_tree
from uet.base.jit import kernel

FIRST_STEP, LAST_STEP = 0.5, 0.005
"""Relative lengthening of an arc class by a load equal to its capacity, in the first stage and at least."""
FIRST_ROUNDS = 10
FEW_SOURCES = 64
FIRST_SHARPNESS, SHARPER = 3.0, 1.5
"""How strictly a few sources avoid detours, relative to one of the mean length of arcs: at first, and by stage."""
ROUTINGS_PER_STAGE = 10


def solve(
    problem: ConcurrentFlow,
    start: Bound,
    tolerance: float,
    most_rounds: int,
    seed: int = 1,
    enough: float = np.inf,
    settled: Callable[[Bound], bool] = lambda bound: False,
) -> Bound:
    """Return bounds on theta, at least as good as `start`.

    They close to `tolerance`, or the lower one reaches `enough`, or they are `settled`, or the rounds of all
    stages reach `most_rounds`.
    """
    rng = np.random.default_rng(seed)
    unit, lower, upper = start.upper, start.lower, start.upper
    length = problem.arcs_in_class / problem.capacity
    length /= problem.capacity @ length
    routings: list[Floats] = []
    proof: Proof | None = None
    step, left, rounds = FIRST_STEP, most_rounds, FIRST_ROUNDS
    sharpness = FIRST_SHARPNESS if len(problem.sources) <= FEW_SOURCES else 0.0
    while left > 0 and upper - lower > tolerance * lower and lower < enough and not settled(Bound(lower, upper, "")):
        mean = np.zeros(problem.n_classes)
        routings += _stage(problem, length, mean, min(rounds, left), unit, step, sharpness, rng)
        left -= min(rounds, left)
        lower = max(lower, unit * float(best_mix(unit * np.stack(routings, axis=1)).sum()))
        bound = problem.upper(mean)
        if bound < upper:
            upper, proof = bound, Proof(mean)
        unit = upper
        step, rounds = max(step / 2, LAST_STEP), rounds if step == FIRST_STEP else 2 * rounds
        sharpness *= SHARPER
    return Bound(lower, max(lower, upper), "", proof)


def _stage(
    problem: ConcurrentFlow, length: Floats, mean: Floats, rounds: int, unit: float, step: float,
    sharpness: float, rng: np.random.Generator,
) -> list[Floats]:  # fmt: skip
    """Run some rounds; change `length`, add the lengths met to `mean`, return relative loads at theta = 1."""
    every = -(-rounds // ROUTINGS_PER_STAGE)
    routings, total = [], np.zeros(problem.n_classes)
    for done in range(1, rounds + 1):
        _round(problem, length, rng.permutation(len(problem.sources)), unit, step, sharpness, total)
        length /= problem.capacity @ length
        mean += length
        if done % every == 0:
            routings.append(total / every / unit)
            total[:] = 0
    return routings


def _round(
    problem: ConcurrentFlow, length: Floats, order: Ints, unit: float, step: float, sharpness: float, total: Floats
) -> None:
    """Let every source route its demand once at theta = `unit`; add the relative loads to `total`."""
    n = problem.network
    _route(
        problem.sources[order], problem.multiplicity[order], n.first_arc, n.tail, n.head, n.reverse,
        problem.arc_class, length, n.forwards, problem.rows, problem.scratch, problem.capacity / unit, total,
        np.zeros(problem.n_classes), step, sharpness * problem.capacity.sum(), np.zeros(n.n_nodes),
    )  # fmt: skip


@kernel
def _route(
    sources: np.ndarray, multiplicity: np.ndarray, first_arc: np.ndarray, tail: np.ndarray, head: np.ndarray,
    back: np.ndarray, arc_class: np.ndarray, length: np.ndarray, forwards: np.ndarray,
    rows: Arrays, scratch: Arrays, capacity: np.ndarray, total: np.ndarray, load: np.ndarray, step: float,
    sharpness: float, weight: np.ndarray,
) -> None:  # fmt: skip
    distance, entry, queue, marks, row = scratch
    for k in range(len(sources)):
        fill_row(sources[k], *rows, row)
        shortest_tree(sources[k], first_arc, head, arc_class, length, forwards, distance, entry, queue, marks)
        if sharpness > 0.0 and load_logit(
                sources[k], first_arc, head, back, arc_class, length, forwards, distance, queue, weight, row,
                sharpness, multiplicity[k], load,
            ):  # fmt: skip
            for c in range(len(load)):
                _lengthen(c, capacity, step, total, length, load)
        else:
            load_tree(tail, arc_class, entry, marks, queue, row, multiplicity[k], load)
            for node in range(len(entry)):
                if entry[node] >= 0:
                    _lengthen(arc_class[entry[node]], capacity, step, total, length, load)


@kernel
def _lengthen(
    c: int, capacity: np.ndarray, step: float, total: np.ndarray, length: np.ndarray, load: np.ndarray
) -> None:
    """Make a class longer in proportion to its relative load, add that to `total`, and clear the load."""
    if load[c] > 0.0:
        part = load[c] / capacity[c]
        total[c] += part
        length[c] *= 1.0 + step * part
        load[c] = 0.0
