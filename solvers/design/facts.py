"""What is told about candidates and about a whole answer, as plain data."""

from __future__ import annotations

from collections import Counter
from math import ceil, inf, isfinite
from typing import Any

from solvers.bound import Bound
from solvers.design.candidate import NOT_LOOKED_AT, Candidate
from solvers.design.design import Answer
from solvers.design.requirements import Requirement, network_at
from solvers.design.spec import PEAKS
from solvers.design.workloads import step_time


def bill_of(candidate: Candidate) -> list[dict[str, Any]]:
    """Return one row per part that is bought: name, kind, count, prices and power, as in `uet cost`."""
    wanted: dict[str, tuple[Any, float]] = {}
    for line, row in zip(candidate.lines, candidate.mix.counts, strict=True):
        for part, share, links in zip(line.options, line.shares, row, strict=True):
            if links:
                wanted[part.name] = part, wanted.get(part.name, (part, 0.0))[1] + links * share
    rows = []
    for part, amount in wanted.values():
        count, price = ceil(amount - 1e-9), part.price_usd or 0
        power = None if part.power_w is None else part.power_w * count
        rows.append({
            "part": part.name, "kind": part.kind, "count": count, "unit_usd": price, "total_usd": price * count,
            "power_w": power,
        })  # fmt: skip
    return sorted(rows, key=lambda r: (r["kind"] != "switch", r["kind"], r["part"]))


def facts(answer: Answer, candidate: Candidate) -> dict[str, Any]:
    """Return everything known about a candidate."""
    study, bom = answer.study, bill_of(candidate)
    cost_usd, watts = sum(row["total_usd"] for row in bom), [row["power_w"] for row in bom]
    held = [_requirement(r, candidate) for r in answer.requirements]
    racks, reach = candidate.extra["racks"], candidate.extra["reach_m"]
    growth = study.spec.growth
    return {
        "spec": candidate.spec, "family": candidate.family.name, "kind": candidate.kind,
        "accelerators": (growth and study.spec.accelerators) or candidate.hosts,
        "injection_gbps": candidate.injection_gbps, "planes": candidate.parameters.planes,
        "cost_usd": cost_usd, "cost_exact": study.cost_is_exact(candidate),
        "per_accelerator_usd": cost_usd / candidate.hosts,
        "power_w": None if None in watts else sum(watts),
        "switches": candidate.order.switches, "cables": dict(candidate.order.cables),
        **{pattern: _bandwidth(candidate, pattern) for pattern in PEAKS},
        "traffic": _carried(candidate.bounds["traffic"]) if study.spec.traffic else None,
        "racks": int(racks[0]) if racks[0] == racks[1] else None,
        "longest_cable_m": reach[0] if reach[0] == reach[1] else None,
        "flexibility": candidate.extra["flexibility"][0] if "flexibility" in candidate.extra else None,
        "steps": _steps(answer, candidate),
        "requirements": held,
        "limited_by": limited_by(held),
        "grows_to": growth and candidate.hosts,
        "bom": bom,
    }  # fmt: skip


def _bandwidth(candidate: Candidate, pattern: str) -> dict[str, Any]:
    known = candidate.bounds[pattern]
    low, high = candidate.gbps(pattern)
    looked_at = low > 0 or known.exact
    return {
        "gbps_per_accelerator": low if looked_at else None,
        "most_gbps_per_accelerator": high if isfinite(high) else None,
        "share": min(1.0, known.lower / PEAKS[pattern]) if looked_at else None, "lower": known.lower,
        "upper": known.upper if isfinite(known.upper) else None, "exact": known.exact, "method": known.method,
    }  # fmt: skip


def _carried(known: Bound) -> dict[str, Any] | None:
    """Return the part of the traffic that is carried."""
    if known.method == NOT_LOOKED_AT:
        return None
    return {"lower": known.lower, "upper": known.upper, "exact": known.exact, "method": known.method}


def _trees(answer: Answer) -> list[dict[str, Any]]:
    """Return the sized trees, the cheapest first; `holds`: whether one is known to meet every requirement."""
    rows = []
    for c in sorted(answer.trees, key=lambda c: (c.cost_usd, c.spec)):
        verdicts = [r.verdict(c) for r in answer.requirements]
        rows.append({
            "spec": c.spec, "levels": c.parameters.levels, "planes": c.parameters.planes, "cost_usd": c.cost_usd,
            "switches": c.order.switches, "alltoall": _bandwidth(c, "alltoall"),
            "holds": False if False in verdicts else None if None in verdicts else True,
        })  # fmt: skip
    return rows


def _steps(answer: Answer, candidate: Candidate) -> list[dict[str, Any]]:
    spec = answer.study.spec
    net = network_at(spec, candidate, best=False)
    found = []
    for work in spec.workloads:
        seconds = step_time(work, net).as_dict()  # endless where a bandwidth is not known
        known = {name: s if isfinite(s) else None for name, s in seconds.items()}
        found.append({"workload": work.title, "model": work.model, **known})
    return found


def _requirement(requirement: Requirement, candidate: Candidate) -> dict[str, Any]:
    """Return a requirement with the value that is certain and how much of it is to spare, relative to the need."""
    low, high = requirement.measure(candidate)
    value = low if requirement.at_least else high
    slack = (value / requirement.need - 1) * (1 if requirement.at_least else -1) if isfinite(value) else None
    return {
        "name": requirement.name, "at_least": requirement.at_least, "needed": requirement.need,
        "unit": requirement.unit, "value": value if isfinite(value) else None, "slack": slack,
        "holds": requirement.verdict(candidate),
    }  # fmt: skip


def limited_by(held: list[dict[str, Any]]) -> str | None:
    """Return the requirement with the least to spare, None without any."""
    known = [h for h in held if h["slack"] is not None]
    return min(known, key=lambda h: h["slack"])["name"] if known else None


def excluded(answer: Answer) -> dict[str, int]:
    """Return how many better candidates fail each requirement, by the first one that they certainly fail."""
    return dict(Counter(reason(answer, c) for c in answer.better))


def reason(answer: Answer, candidate: Candidate) -> str:
    """Return the requirement that a candidate certainly fails, 'undecided' if there is none."""
    return next((r.name for r in answer.requirements if r.verdict(candidate) is False), "undecided")


def document(answer: Answer) -> dict[str, Any]:
    """Return the whole answer."""
    outcome, spec = answer.outcome, answer.study.spec
    winner = answer.winner
    return {
        "name": spec.name, "title": spec.title, "status": outcome.status, "objective": spec.objective,
        "gap": outcome.gap, "bound": outcome.bound if outcome.bound not in (inf, -inf) else None,
        "interrupted": outcome.interrupted,
        "design": facts(answer, winner) if winner else None,
        "trees": _trees(answer),
        "free_form": list(answer.wiring.rows),
        "runners_up": [facts(answer, c) for c in answer.runners_up],
        "pareto": [facts(answer, c) for c in answer.pareto],
        "points": [facts(answer, c) for c in answer.points],
        "conflicts": [c.as_dict() for c in answer.conflicts],
        "sensitivity": [r.as_dict() for r in answer.repricings],
        "solved_exactly": len(answer.study.solved),
        "candidates": sum(answer.counts.values()),
        "candidates_by_family": dict(answer.counts),
        "better_excluded": excluded(answer),
    }  # fmt: skip
