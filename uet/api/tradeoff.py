"""The trade-off of bandwidth, cost, flexibility and resilience: many fabrics in one table and in pictures."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uet.base.errors import CheckFailed

if TYPE_CHECKING:
    from solvers.locality import Step
    from topologies.fabric import Fabric
    from uet.api.tradeoff_spec import System, TradeoffSpec

Say = Callable[[str], None]
PARTS_DOWN = 10


@dataclass(frozen=True)
class Row:
    """One system. Bandwidths are shares: alltoall of the injection, allreduce of half of it.

    `flexibility` and `utilisation` come from the stream of jobs; `effective_training` is the share of time
    left by failures and checkpoints; `degraded` is the share of alltoall bandwidth kept in 99 % of the
    trials with ten parts of the network down, by the natural cuts. `profile` has (size, best, worst) in Gb/s.
    """

    group: str
    name: str
    spec: str
    accelerators: int
    injection_gbps: float
    cost_usd: float
    per_accelerator_usd: float
    power_w: float | None
    diameter: int | None
    alltoall: float
    alltoall_upper: float
    alltoall_method: str
    allreduce: float
    allreduce_method: str
    flexibility: float
    utilisation: float
    interruptions_per_30_days: float
    network_share: float
    effective_training: float
    degraded: float
    published: dict[str, Any]
    profile: tuple[tuple[int, float, float], ...]

    @property
    def alltoall_gbps(self) -> float:
        """Alltoall bandwidth per accelerator."""
        return self.alltoall * self.injection_gbps


@dataclass(frozen=True)
class Tradeoff:
    """A finished comparison."""

    name: str
    title: str
    rows: tuple[Row, ...]
    folder: Path | None
    wall_s: float

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain data."""
        rows = [asdict(row) for row in self.rows]
        return {
            "name": self.name, "title": self.title, "systems": rows,
            "folder": self.folder and str(self.folder), "wall_s": self.wall_s,
        }  # fmt: skip


def tradeoff(
    spec: str | Path, out: str | Path | None = None, *, seed: int = 1, force: bool = False, say: Say | None = None
) -> Tradeoff:
    """Compare the systems that the file `spec` names and leave table, pictures and report in a run folder.

    The folder is `out`, by default runs/<name>. `say` is called with remarks on progress. Raises BadInput for
    whatever is wrong in the file before any work; CheckFailed if a cost rounds to another figure than published.
    """
    from uet.api.fabrics import build
    from uet.api.tradeoff_report import write_report
    from uet.api.tradeoff_spec import read_tradeoff
    from uet.base.runs import RunFolder

    started = time.perf_counter()
    plan = read_tradeoff(spec)
    fabrics = [build(system.spec) for system in plan.systems]
    with RunFolder(out or Path("runs") / plan.name, "tradeoff", seed, "uet-1.0", force) as folder:
        folder.write_spec(plan.model_dump(mode="json"))
        rows = []
        for k, (system, fabric) in enumerate(zip(plan.systems, fabrics, strict=True), 1):
            if say:
                say(f"{k} of {len(fabrics)}: {system.name}, {fabric.n_hosts:,} accelerators")
            rows.append(_measure(plan, system, fabric, seed))
        done = Tradeoff(plan.name, plan.title, tuple(rows), folder.target, time.perf_counter() - started)
        write_report(folder, plan, done)
    return done


def _measure(plan: TradeoffSpec, system: System, fabric: Fabric, seed: int) -> Row:
    from solvers.bandwidth import bandwidth
    from solvers.throughput import Effort
    from topologies.bom import bill
    from topologies.catalogue.catalogue import load_catalogue
    from topologies.flexibility import flexibility
    from topologies.metrics import distances
    from topologies.resilience import ResilienceModel, resilience

    catalogue = load_catalogue(plan.catalogue)
    bought = bill(fabric, catalogue, (), None)
    _check_cost(system, bought.cost_usd)
    effort = Effort(plan.tolerance)
    alltoall = bandwidth(fabric, "alltoall", None, seed, effort)
    allreduce = bandwidth(fabric, "allreduce", None, seed, effort)
    shared = flexibility(fabric, plan.sharing.mix, plan.sharing.jobs, plan.sharing.load, seed=seed)
    parts = resilience(fabric, catalogue, ResilienceModel(failures=(PARTS_DOWN,), trials=200), seed)
    left = next(d for d in parts.degraded if d.pattern == "alltoall")
    steps = _profile(fabric, seed) if system.profile else []
    return Row(
        system.group, system.name, fabric.spec, fabric.n_hosts, fabric.injection_gbps, bought.cost_usd,
        bought.per_accelerator_usd, bought.power_w, distances(fabric).diameter, alltoall.fraction,
        min(1.0, alltoall.upper), alltoall.method, allreduce.fraction_of_peak or 0.0, allreduce.method,
        shared.flexibility, shared.utilisation, parts.interruptions_per_30_days, parts.network_share,
        parts.effective_training_share, left.p1, system.published.model_dump(mode="json"),
        tuple((s.size, s.best.gbps_per_accelerator, s.worst.gbps_per_accelerator) for s in steps),
    )  # fmt: skip


def _profile(fabric: Fabric, seed: int) -> list[Step]:
    """Return the alltoall profile, as exact as a picture needs it where exact values would take long."""
    from solvers.locality import locality_profile
    from solvers.throughput import Effort

    return locality_profile(fabric, "alltoall", None, None, seed, Effort(0.05, 300_000_000))


def _check_cost(system: System, cost_usd: float) -> None:
    """Raise CheckFailed unless the cost rounds to the published figure, digit for digit."""
    printed = system.published.cost_musd
    if printed is None:
        return
    digits = max(0, -int(printed.as_tuple().exponent))
    if f"{cost_usd / 1e6:.{digits}f}" != f"{printed:.{digits}f}":
        raise CheckFailed(f"{system.name} costs {cost_usd / 1e6:.4f} M$, but {printed} M$ is published")
