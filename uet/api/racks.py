"""Racks: where everything stands and which cable joins it, for the least money; the run, its folder, its facts."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uet.api.fabrics import FabricLike, build

if TYPE_CHECKING:
    from solvers.racks import RackResult
    from solvers.racks_problem import RackLimits
    from topologies.cabling import CablingList
    from topologies.racks import RackModel
    from uet.base.runs import RunFolder

Say = Callable[[str], None]


@dataclass(frozen=True)
class Racks:
    """A finished assignment; `facts` is what `as_dict` tells, `cabling` every cable, None where nothing was found."""

    facts: Mapping[str, Any]
    result: RackResult
    cabling: CablingList | None
    folder: Path | None
    wall_s: float

    @property
    def status(self) -> str:
        """optimal, feasible, infeasible, or unknown where time was up before anything fitted."""
        return str(self.facts["status"])

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return {**self.facts, "folder": self.folder and str(self.folder), "wall_s": self.wall_s}


def racks(
    spec: FabricLike,
    out: str | Path | None = None,
    *,
    catalogue: str | Path = "hammingmesh-2022",
    hall: RackModel | None = None,
    limits: RackLimits | None = None,
    time_limit_s: float = 60.0,
    seed: int = 1,
    force: bool = False,
    say: Say | None = None,
) -> Racks:
    """Return which rack and height every accelerator and switch gets, and which part every cable, to cost the least.

    `hall` (`topologies.racks.RackModel`) are the sizes of racks and hall, `limits` (`solvers.racks_problem.RackLimits`)
    its racks and their power. The usual layout is where the search begins, so it is never worse. With `out` a
    run folder is left there: summary, cables.csv, racks.csv, and a certificate for `uet verify`. Where nothing
    fits the status is 'infeasible' and `conflicts` say why. Raises BadInput for what is unknown or fits no part.
    """
    from solvers.racks import assign_racks
    from solvers.racks_problem import RackLimits
    from solvers.racks_verify import rack_certificate
    from topologies.catalogue.catalogue import load_catalogue
    from uet.base.runs import RunFolder

    began = time.perf_counter()
    fabric, prices = build(spec), load_catalogue(catalogue)
    allowed = limits or RackLimits()

    def assigned() -> tuple[RackResult, CablingList | None, dict[str, Any]]:
        result = assign_racks(fabric, prices, hall, allowed, time_limit_s, seed, say)
        cabling = None if result.layout is None else result.problem.cabling(result.layout)
        return result, cabling, _facts(result, cabling)

    if out is None:
        result, cabling, facts = assigned()
        return Racks(facts, result, cabling, None, time.perf_counter() - began)
    with RunFolder(out, "racks", seed, None, force) as folder:
        result, cabling, facts = assigned()
        model = result.problem.model.model_dump(mode="json")
        folder.write_spec({"fabric": fabric.spec, "catalogue": prices.name, "hall": model, "limits": asdict(allowed)})
        folder.write_json("summary.json", {k: v for k, v in facts.items() if k != "runtime_s"})
        folder.write_json("certificate.json", rack_certificate(result))
        if cabling is not None:
            cabling.write_csv(folder.path("cables.csv"))
            _write_places(folder, cabling)
        if result.outcome.interrupted:
            folder.end_as("partial", ["interrupted"])
        wall_s = time.perf_counter() - began
        folder.write_json("perf.json", {"wall_s": wall_s, "runtime_s": facts["runtime_s"]})
        return Racks(facts, result, cabling, folder.target, wall_s)


def _facts(result: RackResult, cabling: CablingList | None) -> dict[str, Any]:
    problem, outcome = result.problem, result.outcome
    cost, before = outcome.objective, result.usual_usd
    return {
        "spec": problem.fabric.spec, "catalogue": problem.catalogue.name, "hosts": problem.fabric.n_hosts,
        "status": outcome.status, "cost_usd": cost, "bound_usd": outcome.bound, "gap": outcome.gap,
        "runtime_s": outcome.runtime_s, "interrupted": outcome.interrupted,
        "proven_by": "integer program" if result.by_program else "counting",
        "cost_usd_before": before,
        "saved_usd": None if before is None or cost is None else before - cost,
        "hall": problem.model.model_dump(mode="json"), "limits": asdict(problem.limits),
        "hall_racks": problem.racks,
        "cables": [] if cabling is None else _cables(cabling),
        "longest_m": None if cabling is None else float(cabling.cables["length_m"].max(initial=0)),
        "racks": [] if cabling is None else _racks(result, cabling),
        "conflicts": [asdict(c) for c in result.conflicts],
    }  # fmt: skip


def _cables(cabling: CablingList) -> list[dict[str, Any]]:
    """Return one row for each part: cables, pieces bought, price, metres; the cheapest each first."""
    rows = [
        {
            "part": part.name, "kind": part.kind, "reach_m": part.reach_m, "cables": count, "pieces": bought,
            "unit_usd": part.price_usd, "total_usd": bought * (part.price_usd or 0),
            "total_m": float(cabling.cables["length_m"][cabling.cables["part"] == k].sum()),
        }
        for k, (part, count, bought) in enumerate(
            zip(cabling.parts, cabling.part_counts, cabling.pieces, strict=True)
        )
    ]  # fmt: skip
    return sorted(rows, key=lambda row: (row["unit_usd"], row["part"]))


def _racks(result: RackResult, cabling: CablingList) -> list[dict[str, Any]]:
    """Return what stands in each rack in use, from the bottom up."""
    problem, layout = result.problem, cabling.layout
    found = []
    for rack in range(problem.racks):
        devices = [int(d) for d in (layout.rack == rack).nonzero()[0]]
        devices.sort(key=lambda d: float(layout.unit[d]))
        if not devices:
            continue
        items = list({int(problem.item[d]) for d in devices})
        power = float(problem.power_w[items].sum()) if problem.limits.rack_power_w is not None else None
        found.append({
            "rack": layout.rack_name(rack),
            "hosts": [cabling.device_name(d) for d in devices if d < layout.n_hosts],
            "switches": [cabling.device_name(d) for d in devices if d >= layout.n_hosts],
            "units": float(problem.height[items].sum()),
            "power_w": power,
        })  # fmt: skip
    return found


def _write_places(folder: RunFolder, cabling: CablingList) -> None:
    """Write racks.csv: rack, height of the lower edge in rack units, and device."""
    layout = cabling.layout
    rows = sorted(
        (int(rack), float(unit), device)
        for device, (rack, unit) in enumerate(zip(layout.rack, layout.unit, strict=True))
    )  # fmt: skip
    with folder.path("racks.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("rack", "unit", "device"))
        writer.writerows((layout.rack_name(r), unit, cabling.device_name(d)) for r, unit, d in rows)
