"""Bill of materials: what a fabric's order costs and draws with the parts of a catalogue.

Counts come from `Fabric.order`, since more may be bought than the graph shows. All switches are one part
of the catalogue unless the order names parts, cables one part for each class or the cheapest that reaches;
links too slow for a divisible cable share it. NICs and accelerators are added on request, and links inside
boards and islands come with the accelerators.
A figure the catalogue does not know makes the sum it belongs to unknown (None).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from topologies.boxes import BUNDLED
from topologies.fabric import Fabric
from topologies.fitting import class_gbps, fitting_cable, fitting_nics, fitting_switches, pieces
from uet.base.errors import BadInput

if TYPE_CHECKING:
    from topologies.catalogue.catalogue import Catalogue, Part
    from topologies.racks import RackModel

_ENDPOINTS = ("nic", "accelerator")


@dataclass(frozen=True)
class BillLine:
    """One part, how many of it, and what they cost (USD) and draw (W) together."""

    part: str
    kind: str
    count: int
    unit_usd: float
    total_usd: float
    unit_power_w: float | None
    power_w: float | None
    annual_failure_rate: float | None
    confidence: str
    source: str


@dataclass(frozen=True)
class BillOfMaterials:
    """The priced order of one fabric; costs in USD, power in W, rates in Gb/s per accelerator."""

    spec: str
    catalogue: str
    cabling: str
    hosts: int
    switches: int
    cables: dict[str, int]
    injection_gbps: float
    lines: tuple[BillLine, ...]
    notes: tuple[str, ...] = ()

    @property
    def cost_usd(self) -> float:
        """Total price of all lines."""
        return sum(line.total_usd for line in self.lines)

    @property
    def power_w(self) -> float | None:
        """Total power of all lines; None if one of them is unknown."""
        watts = [line.power_w for line in self.lines]
        return None if None in watts else sum(w for w in watts if w is not None)

    @property
    def per_accelerator_usd(self) -> float:
        """Cost divided by the number of accelerators."""
        return self.cost_usd / self.hosts

    @property
    def usd_per_gbps(self) -> float:
        """Cost per Gb/s of injection bandwidth of all accelerators."""
        return self.per_accelerator_usd / self.injection_gbps

    @property
    def share(self) -> dict[str, float]:
        """Share of the cost by kind of part; empty when nothing costs anything."""
        shares: dict[str, float] = {}
        for line in self.lines:
            if self.cost_usd:
                shares[line.kind] = shares.get(line.kind, 0.0) + line.total_usd / self.cost_usd
        return shares

    def as_dict(self) -> dict[str, Any]:
        """Return the bill as plain values: the fields of `uet cost`, `bom` being the lines."""
        return {
            "spec": self.spec,
            "catalogue": self.catalogue,
            "cabling": self.cabling,
            "hosts": self.hosts,
            "cost_usd": self.cost_usd,
            "power_w": self.power_w,
            "cables": dict(self.cables),
            "switches": self.switches,
            "per_accelerator_usd": self.per_accelerator_usd,
            "injection_gbps": self.injection_gbps,
            "usd_per_gbps": self.usd_per_gbps,
            "share": self.share,
            "bom": [asdict(line) for line in self.lines],
            "notes": list(self.notes),
        }


def bill(
    fabric: Fabric,
    catalogue: Catalogue,
    include: Sequence[str] = (),
    cabling: str | None = None,
    racks: RackModel | None = None,
) -> BillOfMaterials:
    """Return the priced order of `fabric`.

    `include` adds kinds ('nic', 'accelerator') or parts of those kinds by name. `cabling` is
    'published' (the class that the family's cost rule names), 'rack' (the cheapest cable that reaches
    when everything stands in racks as `racks` says), or the catalogue's own rule if None.
    Raises BadInput when the catalogue has no part that fits.
    """
    rule = cabling or catalogue.cabling
    if rule == "rack":
        cables, counts, notes = _cables_by_reach(fabric, catalogue, racks)
    elif rule == "published":
        cables, counts, notes = *_cables_by_class(fabric, catalogue), []
    else:
        raise BadInput(f"cabling rule '{rule}' is unknown; legal: published, rack")
    lines = [bill_line(part, count) for part, count in fitting_switches(fabric, catalogue)]
    lines += [*cables, *(_extra(fabric, catalogue, wanted) for wanted in include)]
    bundled = {k: n for k, n in fabric.order.cables.items() if k in BUNDLED and n}
    notes += [f"{n} {k} links come with the accelerators and are not priced" for k, n in bundled.items()]
    return BillOfMaterials(
        fabric.spec, catalogue.name, rule, fabric.n_hosts, fabric.order.switches, counts,
        fabric.injection_gbps, tuple(lines), tuple(notes),
    )  # fmt: skip


def cluster_share(fabric: Fabric, catalogue: Catalogue, bought: BillOfMaterials) -> float | None:
    """Return the share of switches and cables in the cost of a cluster, the rest being its accelerators and NICs.

    These are those of the bill, else the cheapest that fit; None if the catalogue has no price for them.
    """
    network = sum(line.total_usd for line in bought.lines if line.kind not in _ENDPOINTS)
    whole = network
    for kind in _ENDPOINTS:
        mine = [line for line in bought.lines if line.kind == kind]
        try:
            whole += sum(line.total_usd for line in mine or [_extra(fabric, catalogue, kind)])
        except BadInput:
            return None
    return network / whole


def _cables_by_class(fabric: Fabric, catalogue: Catalogue) -> tuple[list[BillLine], dict[str, int]]:
    """Return the lines of the order's cables, one part for each class, and the cables by class."""
    counts = {kind: count for kind, count in fabric.order.cables.items() if count and kind not in BUNDLED}
    lines = []
    for kind, count in counts.items():
        gbps = class_gbps(fabric, kind)
        part = fitting_cable(catalogue, kind, gbps)
        lines.append(bill_line(part, pieces(part, gbps, count)))
    return lines, counts


def _cables_by_reach(
    fabric: Fabric, catalogue: Catalogue, racks: RackModel | None
) -> tuple[list[BillLine], dict[str, int], list[str]]:
    """Return the lines of the order's cables, each the cheapest that reaches, the cables by class, and a note."""
    from topologies.cabling import cable_list

    cabling = cable_list(fabric, catalogue, "rack", racks)
    lines = [bill_line(part, n) for part, n in zip(cabling.parts, cabling.pieces, strict=True)]
    facts = cabling.as_dict()
    note = "{host_racks} host racks, {network_racks} network racks, longest cable {longest_m:g} m".format(**facts)
    return sorted(lines, key=lambda line: (line.kind, line.part)), cabling.counts, [note]


def bill_line(part: Part, count: int) -> BillLine:
    """Return the line of `count` pieces of a part. Raises BadInput for a part without a price."""
    price, power = part.price_usd, part.power_w
    if price is None:
        raise BadInput(f"part '{part.name}' has no price_usd; state one in a catalogue of your own")
    total_w = None if power is None else power * count
    return BillLine(
        part.name, part.kind, count, price, price * count, power, total_w,
        part.annual_failure_rate, part.confidence, part.source,
    )  # fmt: skip


def _extra(fabric: Fabric, catalogue: Catalogue, wanted: str) -> BillLine:
    """Return the line of the NICs or accelerators that `include` asks for, by kind or part name."""
    kind = wanted if wanted in _ENDPOINTS else catalogue.named(wanted).kind
    if kind == "nic":
        part, each = fitting_nics(fabric, catalogue, wanted)
        return bill_line(part, each * fabric.n_hosts)
    if kind != "accelerator":
        raise BadInput(f"part '{wanted}' is a {kind}, which the order counts already; include a NIC or an accelerator")
    parts = catalogue.of(kind) if wanted == kind else [catalogue.named(wanted)]
    if not parts:
        raise BadInput(f"catalogue {catalogue.name} has no priced accelerator; name one in a catalogue of your own")
    return bill_line(parts[0], fabric.n_hosts)
