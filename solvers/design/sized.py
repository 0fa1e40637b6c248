"""Sized trees as candidates: of all Clos trees with free counts, parts and rates the best for a specification.

They are too many to list, so `solvers.clos` finds the cheapest for each number of levels and planes that gives
the alltoall and bisection asked for (or a step time in closed form), and for some shares beyond it; for a budget
the fastest of each number of levels. Prices are those of the published rule, also where lengths decide.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from math import inf

from solvers.clos import ClosDemand, ClosResult, fastest_clos, size_clos
from solvers.design.forms.base import ring_peak
from solvers.design.forms.families import SIZED
from solvers.design.parts import Shelf
from solvers.design.spec import DesignSpec
from solvers.design.workloads import Network, Workload, step_time
from topologies.catalogue.catalogue import Catalogue
from uet.base.errors import BadInput

BEYOND = (0.25, 0.5, 0.75, 1.0)
"""Shares of alltoall for which the cheapest trees are shown too where less is asked."""
MEASURED = ("alltoall", "bisection")
"""What the fastest trees for a budget can be found by."""
STEPS = 40
"""Halvings in the search for the bandwidth that a step time needs."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Sizing:
    """The trees found, by spec; `open_bound` is the best that a search that was stopped may have missed, USD or
    injections, None if all came to their end.
    """

    specs: tuple[str, ...] = ()
    open_bound: float | None = None
    runtime_s: float = 0.0
    interrupted: bool = False


def sizing(spec: DesignSpec, shelf: Shelf, deadline: float = inf, say: Say | None = None) -> Sizing:
    """Return the best trees for a specification; none where trees are not allowed, nothing fits, or all must grow.

    Ctrl-C and the deadline (of time.perf_counter) end it with the trees found so far.
    """
    began = time.perf_counter()
    demand = tree_demand(spec, shelf)
    if demand is None:
        return Sizing()
    found: list[ClosResult] = []
    ended = interrupted = False
    try:
        for result in _results(spec, demand, of_radix(shelf.prices, spec.radix), deadline):
            found.append(result)
            interrupted = result.outcome.interrupted
            if say and result.design:
                say(f"sizing trees: {result.design.spec}")
            if interrupted or time.perf_counter() > deadline:
                break
        else:
            ended = True
    except KeyboardInterrupt:
        interrupted = True
    specs = tuple(dict.fromkeys(r.design.spec for r in found if r.design))
    return Sizing(specs, _open_bound(spec, found, ended), time.perf_counter() - began, interrupted)


def _open_bound(spec: DesignSpec, found: list[ClosResult], ended: bool) -> float | None:
    """Return the best of what stopped searches leave open, None if there are none."""
    anything = anything_better(spec)
    measured = spec.objective == "cheapest" or spec.maximise in MEASURED
    left = [r.outcome.bound if measured else anything for r in found if r.outcome.status == "feasible"]
    left += [anything for r in found if r.outcome.status == "unknown"]
    left += [] if ended else [anything]
    best = min if spec.objective == "cheapest" else max
    return best((bound for bound in left if bound is not None), default=None)


def anything_better(spec: DesignSpec) -> float:
    """Return the objective that nothing is better than."""
    return 0.0 if spec.objective == "cheapest" else spec.most


def _results(spec: DesignSpec, demand: ClosDemand, prices: Catalogue, deadline: float) -> Iterator[ClosResult]:
    """Yield the result of every search for which there are parts."""
    for search in _searches(spec, demand):
        left = None if deadline == inf else max(0.0, deadline - time.perf_counter())
        with suppress(BadInput):  # no part fits such trees
            yield search(prices, left, explain=False)


def _searches(spec: DesignSpec, demand: ClosDemand) -> Iterator[Callable[..., ClosResult]]:
    """Yield the searches of a specification, those for what it asks first."""
    if spec.objective == "best" and spec.maximise in MEASURED:
        for level in demand.levels:
            yield partial(fastest_clos, replace(demand, levels=(level,)), measure=spec.maximise)
        return
    for level, planes in product(demand.levels, demand.planes):
        yield partial(size_clos, replace(demand, levels=(level,), planes=(planes,)))
    if (traffic := spec.traffic) is not None:  # what carries any traffic of groups so busy carries this one
        busiest = traffic.share * traffic.busiest_gbps * traffic.groups / spec.accelerators / spec.injection_gbps
        yield partial(size_clos, replace(demand, bisection=max(demand.bisection, min(1.0, busiest))))
    for share in BEYOND:
        if share > demand.alltoall:
            yield partial(size_clos, replace(demand, alltoall=share))


def tree_demand(spec: DesignSpec, shelf: Shelf) -> ClosDemand | None:
    """Return what a specification asks of trees; None where there can be none."""
    if SIZED.name not in spec.families or spec.growth:
        return None
    injection = spec.injection_gbps
    alltoall, bisection = (
        need.injections(pattern, injection) if (need := getattr(spec, pattern)) else 0.0
        for pattern in ("alltoall", "bisection")
    )
    for work in spec.workloads:
        least = _least_alltoall(spec, work)
        if least is None:
            return None
        alltoall = max(alltoall, least)
    usual = ClosDemand(spec.accelerators, injection)
    planes = {round(n) for lane in shelf.lanes(None) if abs((n := injection / lane.gbps) - round(n)) < 1e-9}
    published = shelf.rule == "published"
    return replace(
        usual, alltoall=alltoall, bisection=bisection, racks=spec.racks, rack_model=spec.rack,
        planes=tuple(sorted({*usual.planes, *planes} - {0})),
        budget_usd=spec.budget_usd if published else None,
        power_w=spec.power_kw * 1000 if published and spec.power_kw else None,
    )  # fmt: skip


def _least_alltoall(spec: DesignSpec, work: Workload) -> float | None:
    """Return the share of injection as alltoall that a job needs beside the allreduce of trees, None if all is too
    little.
    """
    reduced = ring_peak(spec.accelerators) * spec.injection_gbps
    limit = inf if work.step_s is None else work.step_s

    def fits(share: float) -> bool:
        net = Network(spec.accelerators, share * spec.injection_gbps, reduced, spec.island, spec.island_gbps)
        return step_time(work, net).total_s <= limit

    low, high = 0.0, 1.0
    if fits(low):
        return low
    if not fits(high):
        return None
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if fits(middle) else (middle, high)
    return high


def of_radix(prices: Catalogue, radix: int | None) -> Catalogue:
    """Return the catalogue with switches of at most so many ports, broken out no further than that allows."""
    if radix is None:
        return prices
    parts = []
    for part in prices.part:
        if part.kind == "switch":
            splits = [k for k in range(1, part.breakout + 1) if part.breakout % k == 0 and part.radix * k <= radix]
            if not splits:
                continue
            part = part.model_copy(update={"breakout": splits[-1]})
        parts.append(part)
    return prices.model_copy(update={"part": tuple(parts)})
