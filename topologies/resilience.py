"""Resilience: interruptions by failing parts, bandwidth that failures leave, and effective training time.

A failure interrupts a job over the whole machine when it takes an accelerator out or cuts one off; any
other failed part only costs bandwidth. Bandwidth is bounded by the natural cuts (`topologies.cuts`),
for one job on all hosts: an allreduce needs one injection across every border, an alltoall
n (N - n) / (N - 1) injections across the border of n of N hosts. Shares are of the undamaged fabric.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import inf
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from topologies.boxes import CABLE_CLASSES, boxes, outside_links
from topologies.checkpoints import daly_interval_s, effective_share, young_interval_s
from topologies.connectivity import single_points
from topologies.cuts import CutModel
from topologies.degradation import Degraded, WorstLinks, degraded, worst_links
from topologies.fabric import LINK_CLASSES, Fabric
from topologies.failures import Damage, no_damage
from topologies.repair import broken_parts
from uet.base.values import StrictModel

if TYPE_CHECKING:
    from topologies.catalogue.catalogue import Catalogue

DAYS, DAYS_PER_YEAR, HOURS_PER_YEAR = 30, 365, 8760


class ResilienceModel(StrictModel):
    """What resilience depends on beside the fabric: checkpoints, repair, and failure rates of one's own.

    The defaults of checkpoint, restart and repair are assumptions; state those of the site.
    """

    checkpoint_s: Annotated[float, Field(gt=0)] = 60
    restart_s: Annotated[float, Field(ge=0)] = 600
    repair_h: Annotated[float, Field(gt=0)] = 24
    annual_failure_rates: dict[str, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)  # by kind of part
    failures: tuple[Annotated[int, Field(ge=0)], ...] = (1, 2, 5, 10)  # how many parts are down in the trials
    trials: Annotated[int, Field(ge=1)] = 1000


@dataclass(frozen=True)
class PartRisk:
    """One kind of part: how many there are, how many interrupt the machine, and failures in 30 days."""

    kind: str
    count: int
    critical: int
    annual_failure_rate: float
    failures_per_30_days: float
    interruptions_per_30_days: float


@dataclass(frozen=True)
class Resilience:
    """Interruptions per 30 days, what they leave of training time, and bandwidth under failures."""

    spec: str
    catalogue: str
    interruptions_per_30_days: float
    network_interruptions_per_30_days: float
    network_share: float
    mtbf_h: float | None  # None if nothing ever interrupts
    checkpoint_interval_s: float | None
    young_interval_s: float | None
    effective_training_share: float
    network_parts_down: float  # expected at any time, with the model's repair time
    parts: tuple[PartRisk, ...]
    degraded: tuple[Degraded, ...]
    worst: tuple[WorstLinks, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return all figures as plain values."""
        return asdict(self)


def resilience(
    fabric: Fabric,
    catalogue: Catalogue,
    model: ResilienceModel | None = None,
    seed: int = 1,
    damage: Damage | None = None,
) -> Resilience:
    """Return the resilience of a fabric, or of what damage has left of it, with the failure rates of a catalogue
    (of kinds it lacks: the defaults).
    """
    model = model or ResilienceModel()
    parts = part_risks(fabric, catalogue, model, damage)
    total = sum(p.interruptions_per_30_days for p in parts)
    network = [p for p in parts if p.kind != "accelerator"]
    by_network = sum(p.interruptions_per_30_days for p in network)
    mtbf_h = DAYS * 24 / total if total else inf
    interval_s = daly_interval_s(mtbf_h * 3600, model.checkpoint_s)
    known = mtbf_h < inf
    rates = {p.kind: p.annual_failure_rate for p in network}
    cuts = CutModel(fabric)
    return Resilience(
        fabric.spec, catalogue.name, total, by_network, by_network / total if total else 0.0,
        mtbf_h if known else None,
        interval_s if known else None,
        young_interval_s(mtbf_h * 3600, model.checkpoint_s) if known else None,
        effective_share(mtbf_h * 3600, interval_s, model.checkpoint_s, model.restart_s),
        sum(p.count * p.annual_failure_rate for p in network) * model.repair_h / HOURS_PER_YEAR,
        parts,
        tuple(d for k in model.failures for d in degraded(cuts, rates, k, model.trials, seed, damage)),
        tuple(worst_links(cuts, n, pattern, damage) for pattern in ("allreduce", "alltoall") for n in (1, 2)),
    )  # fmt: skip


def part_risks(
    fabric: Fabric, catalogue: Catalogue, model: ResilienceModel, damage: Damage | None = None
) -> tuple[PartRisk, ...]:
    """Return the risk of accelerators, switches and cables that work, over all planes; host and software failures
    are in the accelerators' rate.
    """
    links, switches = single_points(fabric, damage)
    damage = damage or no_damage(fabric)
    accelerators = int((~damage.host_down).sum())
    boxes_working = fabric.order.switches - broken_parts(fabric, damage).switches
    counts = {"accelerator": (accelerators, accelerators), "switch": (boxes_working, _critical_boxes(fabric, switches))}
    working = outside_links(fabric) & (damage.link_rate > 0)
    for kind in CABLE_CLASSES:
        mine = working & (fabric.links["kind"] == LINK_CLASSES.index(kind))
        counts[kind] = (int(mine.sum()), int((mine & links).sum()))
    risks = []
    for kind, (count, critical) in counts.items():
        if count:
            rate = model.annual_failure_rates.get(kind, catalogue.failure_rate(kind))
            a_month = rate * DAYS / DAYS_PER_YEAR
            risks.append(PartRisk(kind, count, critical, rate, count * a_month, critical * a_month))
    return tuple(risks)


def _critical_boxes(fabric: Fabric, critical: NDArray[np.bool_]) -> int:
    """Return how many switch boxes of all planes hold a critical switch; island switches are in none."""
    if not critical.any():
        return 0
    box = boxes(fabric).of_switch
    return sum(len(np.unique(box[plane & (box >= 0)])) for plane in critical)
