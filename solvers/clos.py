"""`size_clos`: the cheapest Clos for a demand, or the fastest for a budget, over all counts, parts and rates.

Planes, levels, tapers, the rate of the links between switches (ports may be broken out) and the part of each
level are free. For each choice of parts and rates the trees of one and two levels are enumerated whole; those
of three levels by leaves, in the order of a bound that counts ports, until no bound is below the best tree.
So the result is exact, and where the search is stopped the least bound left is the proof. (As an integer
program the sizes multiply each other; enumerating leaves makes what is left separable.)

Costs are those of the bill by the published rule: copper to hosts, optical cables between switches.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import product
from typing import Any

import numpy as np

from solvers.clos_trees import ROUNDING, Counts, Frame, Need, Trees, one_level, pod_shapes, three_levels, two_levels
from solvers.network import Floats, Ints
from solvers.outcome import Outcome, Status
from topologies.catalogue.catalogue import Catalogue
from topologies.families.base import ceil_div, spec_text
from topologies.families.clos import Parameters
from topologies.fitting import fitting_cable
from topologies.racks import RackModel, network_racks, switch_room
from uet.base.errors import BadInput

CLOSE = 1e-6
"""Relative distance of the bounds on a throughput that counts as none."""
FIGURES = {"cost_usd": "price_usd", "power_w": "power_w"}


@dataclass(frozen=True)
class ClosDemand:
    """What is asked of the network, and its limits; None where there is none.

    `alltoall` and `bisection` are fractions of the injection: of uniform traffic, and of any traffic at all.
    `planes`, `levels` and `up_gbps` may be restricted; the default planes are powers of two. `racks` are those
    of hosts and switches in the rack model.
    """

    hosts: int
    injection_gbps: float
    alltoall: float = 1.0
    bisection: float = 0.0
    budget_usd: float | None = None
    power_w: float | None = None
    racks: int | None = None
    planes: tuple[int, ...] = (1, 2, 4, 8, 16)
    levels: tuple[int, ...] = (1, 2, 3)
    up_gbps: tuple[float, ...] = ()
    rack_model: RackModel = field(default_factory=RackModel)

    @property
    def limits(self) -> dict[str, float]:
        """The limits that are set, by name."""
        named = {"budget_usd": self.budget_usd, "power_w": self.power_w, "racks": self.racks}
        return {name: value for name, value in named.items() if value is not None}


@dataclass(frozen=True)
class ClosDesign:
    """One tree: its spec, its bill by the published rule, and what it is certain to carry, in injections.

    `alltoall` is that of the network behind the access links, so it may pass 1.
    """

    spec: str
    cost_usd: float
    power_w: float | None
    switches: int
    racks: int
    planes: int
    levels: int
    alltoall: float
    bisection: float
    parts: tuple[str, ...]


@dataclass(frozen=True)
class Conflict:
    """A requirement that cannot be met with the other ones named; `possible` is the nearest value that can."""

    requirement: str
    asked: float
    possible: float | None


@dataclass(frozen=True)
class ClosResult:
    """How the search ended, the best tree or else a smallest set of requirements that exclude each other."""

    outcome: Outcome
    design: ClosDesign | None
    conflicts: tuple[Conflict, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain data, those of the outcome in line."""
        design = None if self.design is None else asdict(self.design)
        return {**self.outcome.as_dict(), "design": design, "conflicts": [asdict(c) for c in self.conflicts]}


def size_clos(
    demand: ClosDemand,
    catalogue: Catalogue,
    time_limit_s: float | None = None,
    objective: str = "cost_usd",
    explain: bool = True,
) -> ClosResult:
    """Return the tree of the least `objective` (cost_usd or power_w) that meets the demand within its limits.

    `explain` finds the conflicting requirements where there is none, which takes some searches more.

    Ctrl-C and the time limit end the search with the best tree so far. Raises BadInput for a wrong demand and
    where the catalogue lacks a part or figure that is asked about.
    """
    search = _Search(demand, catalogue, objective, time_limit_s)
    search.run()
    conflicts = _conflicts(demand, catalogue) if explain and search.status == "infeasible" else ()
    return ClosResult(search.outcome, search.design, conflicts)


def fastest_clos(
    demand: ClosDemand,
    catalogue: Catalogue,
    time_limit_s: float | None = None,
    measure: str = "alltoall",
    explain: bool = True,
) -> ClosResult:
    """Return the tree with the most of `measure` (alltoall or bisection), up to full injection, within the limits.

    Its objective is that fraction; what the demand asks of it is not looked at. The bound closes to a
    millionth by bisection over the least cost for a fraction. Its conflicts are those of the limits alone, left
    out unless `explain`.
    """
    began = time.perf_counter()
    slow = size_clos(_with(demand, measure, 0.0), catalogue, time_limit_s, explain=explain)
    if slow.design is None:
        return slow
    best, outcome, high, wanted = slow.design, slow.outcome, 1.0, 1.0
    low = min(getattr(best, measure), 1.0)
    while high - low > CLOSE * high:
        left = None if time_limit_s is None else time_limit_s - (time.perf_counter() - began)
        search = _Search(_with(demand, measure, wanted), catalogue, "cost_usd", left)
        search.run()
        outcome = search.outcome
        if search.design:
            best, low = search.design, max(low, min(getattr(search.design, measure), 1.0))
        elif outcome.status == "infeasible":
            high = wanted
        if outcome.status in ("unknown", "feasible"):
            break
        wanted = (low + high) / 2
    status: Status = "optimal" if high - low <= CLOSE * high else "feasible"
    return ClosResult(Outcome(status, low, max(low, high), time.perf_counter() - began, outcome.interrupted), best)


def compare_clos(
    demand: ClosDemand, catalogue: Catalogue, time_limit_s: float | None = None
) -> list[tuple[int, int, ClosResult]]:
    """Return the best tree of every (levels, planes) that has one, the cheapest first."""
    found = []
    for levels, planes in product(demand.levels, demand.planes):
        result = size_clos(replace(demand, levels=(levels,), planes=(planes,)), catalogue, time_limit_s, explain=False)
        if result.design:
            found.append((levels, planes, result))
    return sorted(found, key=lambda row: row[2].outcome.objective or 0.0)


def frames(demand: ClosDemand, catalogue: Catalogue) -> list[Frame]:
    """Return every choice of planes, rates and parts. Raises BadInput where no cable is fast enough for any."""
    switches = [p for p in catalogue.of("switch") if demand.power_w is None or p.power_w is not None]
    found, problems = [], []
    for planes in demand.planes:
        gbps = demand.injection_gbps / planes
        rates = demand.up_gbps or sorted(
            {gbps, *(p.gbps / k for p in switches for k in (1, 2, 4, 8) if k <= p.breakout)}
        )
        try:
            host_cable = fitting_cable(catalogue, "dac", gbps)
        except BadInput as problem:
            problems.append(problem)
            continue
        leaves = [p for p in switches if p.links_each(gbps)]
        if 1 in demand.levels:
            found += [Frame(planes, gbps, gbps, (leaf,), host_cable, None) for leaf in leaves]
        for rate, levels in product(rates, [n for n in demand.levels if n > 1]):
            able = [p for p in switches if p.links_each(rate)]
            try:
                up_cable = fitting_cable(catalogue, "aoc", rate)
            except BadInput as problem:
                problems.append(problem)
                continue
            parts = product([p for p in leaves if p in able], *[able] * (levels - 1))
            found += [Frame(planes, gbps, rate, chosen, host_cable, up_cable) for chosen in parts]
    if not found and problems:
        raise problems[0]
    return found


class _Search:
    """Best-first search over frames and, on three levels, leaves."""

    def __init__(self, demand: ClosDemand, catalogue: Catalogue, objective: str, time_limit_s: float | None) -> None:
        _check(demand, objective)
        self.demand, self.objective = demand, objective
        self.need = Need(demand.hosts, demand.injection_gbps, demand.alltoall, demand.bisection)
        self.frames = frames(demand, catalogue)
        _check_figures(self.frames, FIGURES[objective])
        self.best: Trees | None = None
        self.value = np.inf
        self.left = 0.0
        self.interrupted = False
        self.began = time.perf_counter()
        self.until = np.inf if time_limit_s is None else self.began + time_limit_s

    def run(self) -> None:
        """Search to the end, the time limit or Ctrl-C; `left` is then the least bound not looked at."""
        try:
            for bound, trees in self._nodes():
                self.left = bound
                if bound >= self.value or time.perf_counter() > self.until:
                    break
                for found in trees:
                    self._look_at(found)
            else:
                self.left = np.inf
        except KeyboardInterrupt:
            self.interrupted = True

    def _nodes(self) -> Iterator[tuple[float, Iterable[Trees]]]:
        """Yield (bound, trees): whole frames of one and two levels, then the leaves of three levels by bound."""
        for frame in self.frames:
            if frame.levels < 3:
                yield 0.0, [(one_level if frame.levels == 1 else two_levels)(frame, self.need)]
        nodes = [
            (float(ways.bound.min()), number, k, ways)
            for number, frame in enumerate(self.frames)
            if frame.levels == 3
            for k, ways in enumerate(pod_shapes(frame, self.need, self._worth).by_leaves())
        ]
        for bound, number, _, ways in sorted(nodes, key=lambda node: node[:3]):
            better = ways.take(ways.bound < self.value)
            yield bound, three_levels(self.frames[number], self.need, better, self._worth, lambda: self.value)

    def _look_at(self, trees: Trees) -> None:
        """Keep the best of the trees that meet the demand, if it is better than the best so far."""
        demand = self.demand
        fine = trees.alltoall >= demand.alltoall * (1 - ROUNDING)
        fine &= trees.bisection >= demand.bisection * (1 - ROUNDING)
        value = np.where(fine, self._worth(trees.counts), np.inf)
        if value.min(initial=np.inf) < self.value:
            self.best, self.value = trees.take(np.array([value.argmin()])), float(value.min())

    def _worth(self, counts: Counts) -> Floats:
        """Return the objective, infinite where a limit is passed."""
        demand, value = self.demand, counts.total(FIGURES[self.objective])
        if demand.budget_usd is not None:
            value[counts.total("price_usd") > demand.budget_usd] = np.inf
        if demand.power_w is not None:
            value[counts.total("power_w") > demand.power_w] = np.inf
        if demand.racks is not None:
            value[_racks(counts, demand) > demand.racks] = np.inf
        return value

    @property
    def status(self) -> Status:
        """How the search ended."""
        done = not self.interrupted and self.left >= self.value
        if self.best is None:
            return "infeasible" if done else "unknown"
        return "optimal" if done else "feasible"

    @property
    def outcome(self) -> Outcome:
        """The outcome of the search."""
        spent = time.perf_counter() - self.began
        if self.best is None:
            return Outcome(self.status, None, None, spent, self.interrupted)
        return Outcome(self.status, self.value, min(self.value, self.left), spent, self.interrupted)

    @property
    def design(self) -> ClosDesign | None:
        """The best tree found."""
        return None if self.best is None else _design(self.best, self.demand)


def _check(demand: ClosDemand, objective: str) -> None:
    if objective not in FIGURES:
        raise BadInput(f"objective '{objective}' is unknown; legal: {', '.join(FIGURES)}")
    positive = {"hosts": demand.hosts, "injection_gbps": demand.injection_gbps, **demand.limits}
    wrong = [f"{name}={value:g}: must be greater than 0" for name, value in positive.items() if value <= 0]
    fractions = {"alltoall": demand.alltoall, "bisection": demand.bisection}
    wrong += [f"{k}={v:g}: must be a fraction of 0 to 1" for k, v in fractions.items() if not 0 <= v <= 1]
    if not demand.planes or min(demand.planes) < 1 or not set(demand.levels) <= {1, 2, 3} or not demand.levels:
        wrong.append("planes must be 1 or more, and levels 1, 2 or 3; name at least one of each")
    if wrong:
        raise BadInput(*wrong)


def _check_figures(found: Sequence[Frame], figure: str) -> None:
    for name in sorted({part.name for frame in found for part in frame.parts if getattr(part, figure) is None}):
        raise BadInput(f"part '{name}' has no {figure}; state one in a catalogue of your own")


def _racks(counts: Counts, demand: ClosDemand) -> Ints:
    """Return the racks of hosts and switches, as the rack model fills them."""
    model = demand.rack_model
    leaves, spines, cores = (n * counts.frame.planes for n in counts.switches)
    full, rest = divmod(demand.hosts, model.accelerators_per_rack)
    per_rack = np.array([model.accelerators_per_rack] * full + [rest] * (rest > 0))
    return len(per_rack) + network_racks(model, switch_room(model, per_rack), leaves, spines + cores)


def parameters(trees: Trees, hosts: int) -> Parameters:
    """Return the keys of family `clos` for the first of the trees."""
    frame = trees.frame
    keys: dict[str, Any] = {"hosts": hosts, "down": int(trees.down[0])}
    if trees.up[0]:
        keys |= {"up": int(trees.up[0]), "spines": int(trees.spines[0])}
    if trees.cores[0]:
        pods = ceil_div(int(trees.leaves[0]), int(trees.pod_leaves[0]))
        keys |= {
            "spines": int(trees.spines[0]) // pods, "pod_leaves": int(trees.pod_leaves[0]),
            "spine_up": int(trees.spine_up[0]), "cores": int(trees.cores[0]),
        }  # fmt: skip
    if frame.levels > 1 and frame.up_gbps != frame.host_gbps:
        keys["up_gbps"] = float(frame.up_gbps)
    names = ("leaf_switch", "spine_switch", "core_switch")
    keys |= dict(zip(names, (part.name for part in frame.switches), strict=False))
    return Parameters(**keys, planes=frame.planes, gbps=float(frame.host_gbps))


def _design(trees: Trees, demand: ClosDemand) -> ClosDesign:
    frame, counts = trees.frame, trees.counts
    known = all(part.power_w is not None for part in frame.parts)
    return ClosDesign(
        spec_text("clos", parameters(trees, demand.hosts)), float(counts.total("price_usd")[0]),
        float(counts.total("power_w")[0]) if known else None,
        int(sum(n[0] for n in counts.switches)) * frame.planes, int(_racks(counts, demand)[0]),
        frame.planes, frame.levels, float(trees.alltoall[0]), float(trees.bisection[0]),
        tuple(part.name for part in frame.switches),
    )  # fmt: skip


def _conflicts(demand: ClosDemand, catalogue: Catalogue) -> tuple[Conflict, ...]:
    """Return a smallest set of requirements that cannot be met together, with what each of them could be.

    Requirements are given up one after another while the rest still cannot be met (a deletion filter).
    """
    kept = demand
    for name in (*demand.limits, "alltoall", "bisection"):
        without = _without(kept, name)
        search = _Search(without, catalogue, "cost_usd", None)
        search.run()
        if search.status == "infeasible":
            kept = without
    asked = {**kept.limits, "alltoall": kept.alltoall, "bisection": kept.bisection}
    left = {name: value for name, value in asked.items() if value}
    if not left:
        return (Conflict("hosts", demand.hosts, None),)
    return tuple(Conflict(name, value, _possible(kept, catalogue, name)) for name, value in left.items())


def _with(demand: ClosDemand, name: str, value: float | None) -> ClosDemand:
    changes: dict[str, Any] = {name: value}
    return replace(demand, **changes)


def _without(demand: ClosDemand, name: str) -> ClosDemand:
    return _with(demand, name, None if name in demand.limits else 0.0)


def _possible(demand: ClosDemand, catalogue: Catalogue, name: str) -> float | None:
    """Return the nearest value of one requirement that can be met with all others, None if there is none."""
    if name in ("alltoall", "bisection"):
        return fastest_clos(demand, catalogue, measure=name).outcome.objective
    free = _without(demand, name)
    if name != "racks":
        return size_clos(free, catalogue, objective="power_w" if name == "power_w" else "cost_usd").outcome.objective
    found = size_clos(free, catalogue).design
    low, high = demand.racks or 0, found.racks if found else None
    while high is not None and high - low > 1:
        middle = (low + high) // 2
        search = _Search(replace(demand, racks=middle), catalogue, "cost_usd", None)
        search.run()
        low, high = (low, middle) if search.design else (middle, high)
    return high
