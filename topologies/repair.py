"""What failures cost: the parts that are broken, new ones for them, and what the bill buys meanwhile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from topologies.bom import BillLine, BillOfMaterials, bill_line
from topologies.boxes import boxes, outside_links
from topologies.cabling import cable_list
from topologies.cuts import CutModel
from topologies.fabric import LINK_CLASSES, Fabric
from topologies.failures import Damage
from topologies.fitting import fitting_switch

if TYPE_CHECKING:
    from topologies.catalogue.catalogue import Catalogue
    from topologies.racks import RackModel


@dataclass(frozen=True)
class BrokenParts:
    """Parts that are down themselves, over all planes; a cable of a switch that is down is not broken.

    `switches` are boxes of which some switch is down.
    """

    accelerators: int
    switches: int
    cables: Mapping[str, int]


@dataclass(frozen=True)
class Repair:
    """New parts for the broken ones, and what the whole bill buys until they are in: costs in USD."""

    cost_usd: float
    lines: tuple[BillLine, ...]
    accelerators_working: int
    injection_left_gbps: float  # of all working accelerators together
    per_working_accelerator_usd: float | None
    usd_per_gbps_left: float | None

    def as_dict(self) -> dict[str, Any]:
        """Return the figures as plain values."""
        return asdict(self)


def broken_parts(fabric: Fabric, damage: Damage) -> BrokenParts:
    """Count the broken parts of a fabric."""
    switches = 0
    if damage.switch_down.any():
        box = boxes(fabric).of_switch
        switches = sum(len(np.unique(box[down & (box >= 0)])) for down in damage.switch_down)
    broken = damage.broken_links(fabric)[:, outside_links(fabric)].sum(axis=0)
    kinds = fabric.links["kind"][outside_links(fabric)]
    counts = np.bincount(kinds, broken, minlength=len(LINK_CLASSES)).astype(int).tolist()
    cables = {kind: n for kind, n in zip(LINK_CLASSES, counts, strict=True) if n}
    return BrokenParts(int(damage.host_down.sum()), switches, cables)


def repair(
    fabric: Fabric, damage: Damage, catalogue: Catalogue, bought: BillOfMaterials, racks: RackModel | None = None
) -> Repair:
    """Return what replacing the broken parts costs, with the parts and the cabling rule of the bill `bought`.

    Accelerators and NICs count if the bill has them.
    """
    broken = broken_parts(fabric, damage)
    lines = [bill_line(fitting_switch(fabric, catalogue), broken.switches)] if broken.switches else []
    if broken.cables:
        lines += _cables(fabric, damage, catalogue, bought.cabling, racks)
    lines += [
        bill_line(catalogue.named(line.part), line.count // bought.hosts * broken.accelerators)
        for line in bought.lines
        if line.kind in ("nic", "accelerator") and broken.accelerators
    ]
    working = fabric.n_hosts - broken.accelerators
    model = CutModel(fabric)
    left_gbps = float(model.after(damage).host[~damage.host_down].sum()) * model.unit_gbps
    return Repair(
        sum(line.total_usd for line in lines), tuple(lines), working, left_gbps,
        bought.cost_usd / working if working else None,
        bought.cost_usd / left_gbps if left_gbps else None,
    )  # fmt: skip


def _cables(
    fabric: Fabric, damage: Damage, catalogue: Catalogue, rule: str, racks: RackModel | None
) -> Sequence[BillLine]:
    """Return the lines of the broken cables; a cabling list names those of the graph first, plane by plane."""
    cabling = cable_list(fabric, catalogue, rule, racks)
    broken = damage.broken_links(fabric)[:, outside_links(fabric)].reshape(-1)
    counts = np.bincount(cabling.cables["part"][: len(broken)][broken], minlength=len(cabling.parts)).tolist()
    return [bill_line(part, n) for part, n in zip(cabling.parts, counts, strict=True) if n]
