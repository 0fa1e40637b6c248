"""Free-form fabrics as candidates: for every number of switches the best graph that is found, with its bound.

Every switch has as many accelerators as the others; its other ports lead to switches. For each way to use the
switches on sale and each number of them a bound says what a graph can be worth at best; the most promising are
searched one after the other (`solvers.freeform`), for the traffic of the specification or else a uniform alltoall,
until no other number of switches promises more than the best graph found, or time is up.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import inf, isfinite
from typing import Any

import numpy as np

from solvers.design.forms.base import Lane
from solvers.design.forms.families import WIRED
from solvers.design.parts import Shelf
from solvers.design.spec import DesignSpec, Traffic
from solvers.freeform import FreeformDemand, FreeformResult, fewest_cables, free_form, uniform
from solvers.freeform_bound import HopProof, hop_bound, least_cables, least_ends, node_bound, out_of_reach
from topologies.families.base import ceil_div
from topologies.families.free_form import LETTERS, graph_text

USUAL_S = 60.0
"""Seconds for the search where no time limit is given."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Option:
    """So many switches with `hosts` accelerators each in every plane; prices are the least there can be.

    `bound` is what the best graph costs at least (USD of all planes), with `least` cables in a plane, or carries at
    most.
    """

    lane: Lane
    planes: int
    switches: int
    hosts: int
    wanted: float
    demand: FreeformDemand
    fixed_usd: float
    bound: float = 0.0
    least: int = 0
    proof: HopProof | None = None

    def cost_usd(self, cables: float) -> float:
        """Return the least cost with so many cables between switches in each plane."""
        return self.fixed_usd + self.planes * self.demand.cable_usd * cables


@dataclass(frozen=True)
class Wiring:
    """The graphs found, by spec; `open_bound` is the best that is not ruled out by these or by a proof, None if all is.

    `rows`: for each number of switches that was searched how that ended; `options`: all there are, with bounds.
    """

    specs: tuple[str, ...] = ()
    open_bound: float | None = None
    runtime_s: float = 0.0
    interrupted: bool = False
    rows: tuple[dict[str, Any], ...] = ()
    options: tuple[Option, ...] = ()


def wiring(spec: DesignSpec, shelf: Shelf, deadline: float = inf, seed: int = 1, say: Say | None = None) -> Wiring:
    """Return the best free-form fabrics for a specification; none where they are not allowed or nothing is asked.

    Ctrl-C, the deadline (of time.perf_counter) and else USUAL_S seconds end it with what was found so far.
    """
    began = time.perf_counter()
    until = deadline if deadline < inf else began + USUAL_S
    cheapest = spec.objective == "cheapest"
    sign = 1 if cheapest else -1
    try:
        every = tuple(bounded(option, cheapest, spec.most) for option in options(spec, shelf))
    except KeyboardInterrupt:
        return Wiring(interrupted=True)
    best, left, specs, rows, interrupted = inf, [], [], [], False
    for option in sorted(every, key=lambda o: (sign * o.bound, o.switches)):
        if sign * option.bound >= best or interrupted or time.perf_counter() > until:
            left.append(option.bound)
            continue
        if say:
            say(f"joining {option.switches} switches with {option.hosts} accelerators each")
        found = _search(option, spec, max(0.1, (until - time.perf_counter()) / 2), seed)
        interrupted = found.outcome.interrupted
        value, open_bound = _values(option, found, cheapest, spec.most)
        best = min(best, sign * value)
        left += [] if open_bound is None else [open_bound]
        if isfinite(value):
            specs.append(_spec(option, found))
        rows.append(_row(option, found, value, open_bound))
    unsure = [bound for bound in left if sign * bound < best]
    return Wiring(
        tuple(specs), (min if cheapest else max)(unsure, default=None), time.perf_counter() - began, interrupted,
        tuple(rows), every,
    )  # fmt: skip


def _row(option: Option, found: FreeformResult, value: float, open_bound: float | None) -> dict[str, Any]:
    """Return how the search over graphs of so many switches ended, objective and bound in those of the design."""
    objective = value if isfinite(value) else None
    bound = objective if open_bound is None else open_bound
    gap = replace(found.outcome, objective=objective, bound=bound).gap
    return {
        "switches": option.switches, "hosts_per_switch": option.hosts,
        "cables": None if objective is None else int(found.cables.sum()) // 2,
        "status": found.outcome.status, "objective": objective, "bound": bound, "gap": gap,
    }  # fmt: skip


def _search(option: Option, spec: DesignSpec, time_limit_s: float, seed: int) -> FreeformResult:
    if spec.objective == "cheapest":
        return fewest_cables(replace(option.demand, budget_usd=None), option.wanted, time_limit_s, seed)
    return free_form(option.demand, time_limit_s, seed, spec.most)


def _values(option: Option, found: FreeformResult, cheapest: bool, most: float) -> tuple[float, float | None]:
    """Return what the graph found is worth (infinitely bad if there is none), and what a better one might be."""
    outcome = found.outcome
    if not cheapest:
        return min(found.theta, most), None if outcome.status == "optimal" else outcome.bound
    value = inf if outcome.objective is None else option.cost_usd(outcome.objective)
    done = outcome.status in ("optimal", "infeasible")
    return value, None if done or outcome.bound is None else option.cost_usd(outcome.bound)


def _spec(option: Option, found: FreeformResult) -> str:
    planes = f",planes={option.planes}"
    return (
        f"{WIRED.name}:radix={option.lane.radix},switches={option.switches},hosts_per_switch={option.hosts},"
        f"graph={graph_text(found.cables)}{planes},gbps={option.lane.gbps:g}"
    )


def options(spec: DesignSpec, shelf: Shelf) -> Iterator[Option]:
    """Yield every number of switches that may do, still without a bound."""
    need = spec.alltoall.injections("alltoall", spec.injection_gbps) if spec.alltoall else 0.0
    if spec.objective == "best":
        asked = spec.maximise in ("alltoall", "traffic")
    else:
        asked = spec.traffic is not None or need > 0
    if WIRED.name not in spec.families or spec.growth or not asked:
        return
    for lane in shelf.lanes(spec.radix):
        planes = spec.injection_gbps / lane.gbps
        if abs(planes - round(planes)) > 1e-9:
            continue
        for switches in _counts(spec, lane):
            option = _option(spec, shelf, lane, round(planes), switches, need)
            if option is not None:
                yield option


def _counts(spec: DesignSpec, lane: Lane) -> list[int]:
    """Return the numbers of switches: one for each group of the traffic, or all that are filled evenly."""
    traffic = _traffic(spec)
    if traffic is not None:
        return [traffic.groups] if traffic.groups <= len(LETTERS) else []
    most = int(spec.accelerators * (1 + spec.excess))
    hosts = range(1, lane.radix)
    found = {ceil_div(spec.accelerators, h) for h in hosts}
    return sorted(n for n in found if 2 <= n <= len(LETTERS) and ceil_div(spec.accelerators, n) * n <= most)


def _traffic(spec: DesignSpec) -> Traffic | None:
    """Return the traffic that graphs are made for; None where that is a uniform alltoall."""
    return None if spec.objective == "best" and spec.maximise == "alltoall" else spec.traffic


def _option(spec: DesignSpec, shelf: Shelf, lane: Lane, planes: int, switches: int, need: float) -> Option | None:
    hosts = ceil_div(spec.accelerators, switches)
    prices = [_least_usd(shelf, lane, kind) for kind in ("switch", "dac", "aoc")]
    if hosts >= lane.radix or None in prices:
        return None
    switch, dac, aoc = (float(p or 0.0) for p in prices)
    asked, wanted = _traffic(spec), need
    traffic = uniform(np.full(switches, hosts), lane.gbps)
    if asked is not None:
        traffic, wanted = np.array(asked.gbps, np.float64) / planes, asked.share
    ports, budget_usd = np.full(switches, lane.radix - hosts), None
    if spec.budget_usd is not None:
        budget_usd = spec.budget_usd / planes - switches * hosts * dac
        if budget_usd < switches * switch:
            return None
    demand = FreeformDemand(traffic, ports, lane.gbps, switch, aoc, budget_usd)
    return Option(lane, planes, switches, hosts, wanted, demand, planes * switches * (switch + hosts * dac))


def bounded(option: Option, cheapest: bool, most: float) -> Option:
    """Return the option with its bound: the least cables and their cost (infinite if no ports suffice), or theta up
    to `most`.
    """
    demand, wanted = option.demand, option.wanted
    traffic, ports, gbps = demand.traffic, demand.ports, demand.gbps
    if not cheapest:
        proof = hop_bound(traffic, ports, demand.cables, gbps)
        return replace(option, bound=min(proof.theta, node_bound(traffic, ports, gbps), most), proof=proof)
    all_ports = int(ports.sum()) // 2
    least, found = least_cables(traffic, ports, gbps, wanted, all_ports)
    bound = inf if least > all_ports else option.cost_usd(least)
    return replace(option, bound=bound, least=least, proof=found)


def holds(option: Option, cheapest: bool, most: float) -> bool:
    """Tell whether the proof of an option proves its bound (up to `most`); nothing is optimized for that."""
    demand, proof = option.demand, option.proof
    traffic, ports, gbps = demand.traffic, demand.ports, demand.gbps
    if proof is not None and not ((proof.port_price >= 0).all() and proof.cable_price >= 0):
        return False
    if not cheapest:
        most = min(most, node_bound(traffic, ports, gbps))
        if proof is not None and out_of_reach(proof, traffic, ports, demand.cables, gbps):
            most = min(most, proof.theta)
        return option.bound >= most * (1 - 1e-9)
    if option.bound > (inf if option.least > ports.sum() // 2 else option.cost_usd(option.least)):
        return False
    ends = least_ends(traffic, gbps, option.wanted)
    if (ends > ports).any() or option.least <= -(-int(ends.sum()) // 2):
        return True
    known = proof is not None and proof.theta <= option.wanted * (1 + 1e-9)
    return known and proof is not None and out_of_reach(proof, traffic, ports, option.least - 1, gbps)


def _least_usd(shelf: Shelf, lane: Lane, kind: str) -> float | None:
    """Return the least price of a switch or a link, None if no part fits."""
    offers = shelf.switches(lane) if kind == "switch" else shelf.cables(kind, lane.gbps, 0.0)
    share = 1.0 if kind == "switch" else None
    return min(((p.price_usd or 0.0) * (share or p.port_share(lane.gbps) or 1.0) for p in offers), default=None)
