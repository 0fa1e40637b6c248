"""`throughput`: how much of a demand a network carries, by the cheapest method that settles it.

1. Shortest paths by hops, spread evenly, against the bounds by distance and by what leaves each node:
   exact on tori, HyperX, Hamming graphs, Slim Fly and full trees.
2. Few classes of arcs under the symmetries that were found: exact by column generation.
3. Small programs: exact linear program.
4. All else: multiplicative weights, certified bounds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from solvers import columns, flow_lp, weights
from solvers.bound import EXACT_GAP, Bound
from solvers.concurrent import ConcurrentFlow
from solvers.demand import Demand
from solvers.network import Network
from solvers.symmetry import find

FEW_CLASSES, MANY_CLASSES = 60, 300
SMALL_PROGRAM = 60_000


@dataclass(frozen=True)
class Effort:
    """How hard to try where an exact answer would take long.

    The bounds close to a relative gap of `tolerance`, or `work` arc visits are spent; the default takes
    about half a minute on one core. With `decide` it is enough to know whether theta reaches that value;
    `exact` problems with few classes or variables are solved beyond the tolerance.
    """

    tolerance: float = 0.01
    work: int = 3_000_000_000
    decide: float | None = None
    exact: bool = True

    def decided(self, bound: Bound) -> bool:
        """Tell whether the bounds lie on one side of the value to be decided on."""
        return self.decide is not None and (bound.lower >= self.decide or bound.upper < self.decide)


def throughput(
    network: Network, demand: Demand, effort: Effort | None = None, enough: float = np.inf, seed: int = 1
) -> Bound:
    """Return bounds on theta, the part of the demand that can be carried; infinite if nothing is demanded.

    Exact where that is cheap; else with the `effort` given, of which less is spent once the lower bound
    reaches `enough`. Same seed, same result.
    """
    effort = effort or Effort()
    if len(demand.sources) == 0:
        return Bound(np.inf, np.inf, "no traffic crosses the network")
    problem = ConcurrentFlow(network, demand, find(network, demand, seed))
    load, hops = problem.spread()
    if hops == np.inf:
        return Bound(0.0, 0.0, "some accelerators cannot reach each other")
    start = _first(problem, problem.lower(load), hops)
    if start.exact or effort.decided(start):
        return start
    if problem.n_classes <= FEW_CLASSES:
        return _by_columns(problem, effort)
    if problem.work <= SMALL_PROGRAM:
        return _named(flow_lp.solve(problem, start.upper), "exact linear program over", problem)
    if start.lower >= enough:
        return start
    if problem.n_classes <= MANY_CLASSES:
        return _by_columns(problem, effort)
    if start.gap <= effort.tolerance:
        return start
    rounds = effort.work // problem.work
    closer = weights.solve(problem, start, effort.tolerance, rounds, seed, enough, effort.decided)
    return _named(closer, "multiplicative weights over", problem)


def _by_columns(problem: ConcurrentFlow, effort: Effort) -> Bound:
    tolerance = EXACT_GAP / 2 if effort.exact else effort.tolerance
    rounds = columns.MOST_ROUNDS if effort.exact else max(1, min(columns.MOST_ROUNDS, effort.work // problem.work))
    found = columns.solve(problem, tolerance, effort.decided, rounds)
    return _named(found, f"{'exact by ' if found.exact else ''}column generation over", problem)


def _first(problem: ConcurrentFlow, lower: float, hops: float) -> Bound:
    """Return what spreading over shortest paths and two simple upper bounds tell."""
    by_distance = float(problem.capacity.sum()) / hops
    by_node = problem.node_cut()
    upper = max(lower, min(by_distance, by_node))
    name = "distance" if by_distance <= by_node else "node cut"
    met = (upper - lower) <= EXACT_GAP * lower
    return Bound(lower, upper, f"even spread over shortest paths {'meets' if met else 'and'} the {name} bound")


def _named(bound: Bound, method: str, problem: ConcurrentFlow) -> Bound:
    """Say how large the problem was after symmetry."""
    found = f"{len(problem.sources)} sources and {problem.n_classes} classes of arcs"
    return replace(bound, method=f"{method} {found}")
