"""The tour: one specification is designed, priced, simulated, moved and reported."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uet.base.errors import CheckFailed

if TYPE_CHECKING:
    from topologies.fabric import Fabric
    from uet.api.tour_spec import FabricEntry, TourSpec
    from uet.base.tables import Records
    from uet.schedule.model import Schedule

Say = Callable[[str], None]


@dataclass(frozen=True)
class Stop:
    """What the tour found about one fabric: documents as the single commands give them.

    `collective` times the allreduce: the part that was simulated, the whole (extrapolated from the
    steady steps if only a part was), and the bandwidth that follows.
    """

    name: str
    topology: dict[str, Any]
    cost: dict[str, Any]
    collective: dict[str, Any]
    permutation: dict[str, Any] | None
    moved: dict[str, Any]
    fct_us: Any = field(repr=False, compare=False, default=None)


@dataclass(frozen=True)
class Tour:
    """A finished tour."""

    name: str
    title: str
    stops: tuple[Stop, ...]
    folder: Path | None
    wall_s: float

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain data."""
        fabrics = [{k: v for k, v in asdict(s).items() if k != "fct_us"} for s in self.stops]
        return {
            "name": self.name, "title": self.title, "fabrics": fabrics,
            "folder": self.folder and str(self.folder), "wall_s": self.wall_s,
        }  # fmt: skip


def tour(
    spec: str | Path,
    out: str | Path | None = None,
    *,
    seed: int = 1,
    force: bool = False,
    say: Say | None = None,
) -> Tour:
    """Take the tour that the file `spec` describes and leave its results and pictures in a run folder.

    The folder is `out`, by default runs/<name>. `say` is called with remarks on progress. Raises BadInput
    for whatever is wrong in the file before any work; CheckFailed if a cost differs from the published one, or if bytes
    differ between cost model, simulator and carrier or are not the right ones in the end.
    """
    from uet.api.tour_report import write_report
    from uet.base.runs import RunFolder

    started = time.perf_counter()
    plan, fabrics, works = _prepare(spec)
    folder = RunFolder(out or Path("runs") / plan.name, "tour", seed, "uet-1.0", force)
    with folder:
        folder.write_spec(plan.model_dump(mode="json"))
        stops = tuple(
            _visit(plan, entry, fabric, work, seed, say or _nobody)
            for entry, fabric, work in zip(plan.fabrics, fabrics, works, strict=True)
        )
        done = Tour(plan.name, plan.title, stops, folder.target, time.perf_counter() - started)
        (say or _nobody)("drawing")
        write_report(folder, plan, done)
    return done


def plan_tour(spec: str | Path) -> TourSpec:
    """Return the checked specification of a tour without taking it. Raises BadInput for whatever is wrong in it."""
    return _prepare(spec)[0]


def _prepare(spec: str | Path) -> tuple[TourSpec, list[Fabric], list[Schedule]]:
    from uet.api.fabrics import build
    from uet.api.tour_spec import read_tour

    plan = read_tour(spec)
    fabrics = [build(entry.spec) for entry in plan.fabrics]
    return plan, fabrics, [_collective(plan, e, f) for e, f in zip(plan.fabrics, fabrics, strict=True)]


def _nobody(message: str) -> None:
    """Drop a remark."""


def _visit(plan: TourSpec, entry: FabricEntry, fabric: Fabric, work: Schedule, seed: int, say: Say) -> Stop:
    from uet.api.prices import cost
    from uet.api.show import show_topology

    def tell(message: str) -> None:
        say(f"{entry.name}: {message}")

    tell("distances and price")
    topology, bill = show_topology(entry.spec), cost(entry.spec, plan.catalogue)
    if entry.published is not None and bill.cost_usd != entry.published.cost_usd:
        raise CheckFailed(
            f"{entry.name} costs {bill.cost_usd:,} USD with {plan.catalogue}, but {entry.published.cost_usd:,} USD "
            f"is published ({entry.published.source})"
        )
    permutation, fct_us = _permute(plan, fabric, seed, tell)
    collective = _time_collective(plan, entry, fabric, work, seed, tell)
    moved = _move(plan, entry, fabric, seed, tell)
    return Stop(entry.name, topology.as_dict(), bill.as_dict(), collective, permutation, moved, fct_us)


def _plane_size(size_bytes: int, fabric: Fabric, dtype: str) -> int:
    """Return the bytes of a vector that one plane carries: its share in whole elements, rounded up."""
    import numpy as np

    element = np.dtype(dtype).itemsize
    return -(-size_bytes // (fabric.planes * element)) * element


def _collective(plan: TourSpec, entry: FabricEntry, fabric: Fabric) -> Schedule:
    from uet.schedule.works import build_work

    wanted = plan.collective
    size = _plane_size(wanted.size, fabric, wanted.dtype)
    text = f"allreduce:algorithm={entry.algorithm},size={size},dtype={wanted.dtype}"
    if wanted.first_steps is not None:
        text += f",first_steps={wanted.first_steps}"
    return build_work(text, fabric.n_hosts)


def _permute(plan: TourSpec, fabric: Fabric, seed: int, tell: Say) -> tuple[dict[str, Any] | None, Any]:
    from emulation.packet.simulate import SimulationSettings
    from uet.api.work import run_schedule
    from uet.schedule.works import build_work

    if plan.permutation is None:
        return None, None
    tell("permutation, packet by packet")
    work = build_work(f"permutation:size={_plane_size(plan.permutation.size, fabric, 'uint8')}", fabric.n_hosts, seed)
    run = run_schedule(fabric, work, SimulationSettings(seed=seed), tell)
    if run.problem is not None:
        raise run.problem
    return run.summary, run.flows["fct_ps"] / 1e6


def _time_collective(
    plan: TourSpec, entry: FabricEntry, fabric: Fabric, work: Schedule, seed: int, tell: Say
) -> dict[str, Any]:
    """Simulate the collective, or its first steps, on one plane and time the whole."""
    from emulation.packet.simulate import SimulationSettings
    from uet.api.work import run_schedule

    tell(f"{work.name}, packet by packet")
    run = run_schedule(fabric, work, SimulationSettings(seed=seed), tell)
    if run.problem is not None:
        raise run.problem
    fronts = step_fronts_us(work, run.flows)
    simulated, steps = len(fronts), 2 * (fabric.n_hosts - 1)
    middle = simulated // 2
    step_us = float(fronts[-1] - fronts[middle - 1]) / (simulated - middle) if simulated > 1 else float(fronts[-1])
    whole_us = float(fronts[-1]) + max(steps - simulated, 0) * step_us
    plane_gbps = fabric.injection_gbps / fabric.planes
    gbps = plan.collective.size * 8 / whole_us / 1e3
    return {
        "algorithm": entry.algorithm,
        "size_bytes": plan.collective.size,
        "plane_size_bytes": _plane_size(plan.collective.size, fabric, plan.collective.dtype),
        "steps": steps,
        "simulated_steps": simulated,
        "simulated_us": float(fronts[-1]),
        "bound_us": int(work.bytes_sent.max()) * 8 / plane_gbps / 1e3,
        "step_us": step_us,
        "whole_us": whole_us,
        "extrapolated": simulated < steps,
        "gbps_per_accelerator": gbps,
        "fraction_of_peak": gbps / (fabric.injection_gbps / 2),
        "run": run.summary,
    }


def _move(plan: TourSpec, entry: FabricEntry, fabric: Fabric, seed: int, tell: Say) -> dict[str, Any]:
    """Do the same algorithm on real numbers, with fewer of them, over a network that is not reliable."""
    from emulation.memory.move import Faults
    from uet.api.moving import move_numbers
    from uet.schedule.works import build_work

    wanted = plan.move
    text = f"allreduce:algorithm={entry.algorithm},size={wanted.size},dtype={wanted.dtype},ranks={wanted.ranks}"
    work = build_work(text, fabric.n_hosts)
    tell(f"{work.name} of real numbers, in memory")
    return move_numbers(work, fabric, Faults(wanted.drop, wanted.duplicate, wanted.reorder), seed)


def step_fronts_us(work: Schedule, flows: Records) -> Any:
    """Return when the last message of each step was done [us], shape [steps]; flows are those of a run of `work`."""
    import numpy as np

    from uet.api.moving import step_of_flows

    step = step_of_flows(work, flows)
    front = np.zeros(int(step.max()) + 1, np.int64)
    np.maximum.at(front, step, flows["finish_ps"])
    return front / 1e6
