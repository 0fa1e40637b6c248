"""Requirements of a specification: what must hold, whether it does for a candidate, and how to find out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from solvers.bound import EXACT_GAP
from solvers.design.candidate import Candidate, Interval
from solvers.design.spec import PEAKS, DesignSpec, JobNeed
from solvers.design.study import Study, profile_name
from solvers.design.workloads import Network, Workload, step_time

SAME = 1e-9
"""Relative difference that rounding may make."""
SOLVED = EXACT_GAP
"""Relative difference that rounding may make to bandwidths that were solved for."""


@dataclass(frozen=True)
class Requirement:
    """`measure` of a candidate must be at least (or at most) `need`; `closer` narrows it, False if it cannot.

    `unit` is that of the need: a share, Gbps, s, USD, kW, m or a count.
    """

    name: str
    at_least: bool
    need: float
    unit: str
    measure: Callable[[Candidate], Interval]
    closer: Callable[[Candidate], bool]

    def verdict(self, candidate: Candidate) -> bool | None:
        """Return whether it certainly holds or certainly does not; None if that is not known yet."""
        low, high = self.measure(candidate)
        if self.at_least:
            wanted = self.need * (1 - SOLVED)
            return True if low >= wanted else False if high < wanted else None
        wanted = self.need * (1 + SAME)
        return True if high <= wanted else False if low > wanted else None

    def best(self, candidate: Candidate) -> float:
        """Return the best value that is not ruled out."""
        low, high = self.measure(candidate)
        return high if self.at_least else low


def requirements(study: Study) -> list[Requirement]:
    """Return all requirements of a study's specification, the quickest to check first."""
    spec = study.spec
    found = [*_limits(study), *_bandwidths(study), *_steps(study)]
    found += [_profile(study, need) for need in spec.profile]
    if spec.availability:
        found.append(Requirement(
            "availability", True, spec.availability, "share", _known("availability", (0.0, 1.0)), study.availability,
        ))  # fmt: skip
    if (wanted := spec.resilience) is not None:
        found.append(Requirement(
            "resilience", True, wanted.keep, "share", _known("resilience", (0.0, 1.0)),
            lambda c: study.resilience(c, wanted),
        ))  # fmt: skip
    return found


def _known(name: str, unknown: Interval) -> Callable[[Candidate], Interval]:
    return lambda c: c.extra.get(name, unknown)


def _limits(study: Study) -> list[Requirement]:
    spec, found = study.spec, []
    if spec.budget_usd:
        found.append(Requirement("budget_usd", False, spec.budget_usd, "USD", cost_of(study), study.lay_out))
    if spec.power_kw:
        found.append(Requirement("power_kw", False, spec.power_kw, "kW", _power_of(study), study.lay_out))
    if spec.racks:
        found.append(Requirement("racks", False, spec.racks, "racks", _known("racks", (0, inf)), study.lay_out))
    if spec.reach_m:
        found.append(Requirement("reach_m", False, spec.reach_m, "m", _known("reach_m", (0, inf)), study.lay_out))
    return found


def cost_of(study: Study) -> Callable[[Candidate], Interval]:
    """Return the function that gives the interval of a candidate's cost."""
    return lambda c: (c.cost_usd, c.cost_usd if study.cost_is_exact(c) else inf)


def _power_of(study: Study) -> Callable[[Candidate], Interval]:
    return lambda c: (
        c.least_power_w / 1000, c.least_power_w / 1000 if study.cost_is_exact(c) else inf
    )  # fmt: skip


def _bandwidths(study: Study) -> list[Requirement]:
    spec, found = study.spec, []
    for pattern in PEAKS:
        need = getattr(spec, pattern)
        if need is not None:
            wanted = need.injections(pattern, spec.injection_gbps)
            shown = need.amount * PEAKS[pattern] if need.share else need.amount
            scale = 1.0 if need.share else spec.injection_gbps
            found.append(_bandwidth(study, pattern, wanted, scale, shown, "injections" if need.share else "Gbps"))
    if spec.traffic is not None:
        found.append(_bandwidth(study, "traffic", spec.traffic.share, 1.0, spec.traffic.share, "of the traffic"))
    return found


def _bandwidth(study: Study, pattern: str, wanted: float, scale: float, shown: float, unit: str) -> Requirement:
    return Requirement(
        pattern, True, shown, unit,
        lambda c: (c.bounds[pattern].lower * scale, c.bounds[pattern].upper * scale),
        lambda c: study.bandwidth(c, pattern, wanted),
    )  # fmt: skip


def _steps(study: Study) -> list[Requirement]:
    return [
        Requirement(f"step_s of {w.title}", False, w.step_s, "s", _step_interval(study, w), _step_closer(study))
        for w in study.spec.workloads
        if w.step_s
    ]


def network_at(spec: DesignSpec, candidate: Candidate, best: bool) -> Network:
    """Return what a job sees of a candidate at best or at worst."""
    side = 1 if best else 0
    return Network(
        spec.accelerators, candidate.gbps("alltoall")[side], candidate.gbps("allreduce")[side], spec.island,
        spec.island_gbps,
    )  # fmt: skip


def _step_interval(study: Study, work: Workload) -> Callable[[Candidate], Interval]:
    return lambda c: (
        step_time(work, network_at(study.spec, c, True)).total_s,
        step_time(work, network_at(study.spec, c, False)).total_s,
    )


def _step_closer(study: Study) -> Callable[[Candidate], bool]:
    """Narrow the bandwidth that is least known."""

    def closer(candidate: Candidate) -> bool:
        names = sorted(("alltoall", "allreduce"), key=lambda n: -candidate.bounds[n].gap)
        return any(study.bandwidth(candidate, name) for name in names if not candidate.bounds[name].exact)

    return closer


def _profile(study: Study, need: JobNeed) -> Requirement:
    injection = study.spec.injection_gbps
    wanted, peak = need.bandwidth.injections(need.pattern, injection), PEAKS[need.pattern]
    scale, unit = (1.0, "injections") if need.bandwidth.share else (injection, "Gbps")
    name, most = profile_name(need), peak * need.size / (need.size - 1)

    def measure(candidate: Candidate) -> Interval:
        low, high = candidate.extra.get(name, (0.0, inf if study.spec.island > 1 else most))
        return low * scale, high * scale

    return Requirement(name, True, wanted * scale, unit, measure, lambda c: study.profile(c, need))
