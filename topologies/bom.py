"""Bill of materials: what a fabric's order costs and draws with the parts of a catalogue.

Counts come from `Fabric.order`, since more may be bought than the graph shows. Every cable class of the
order is filled with one part of the catalogue, all switches with another; NICs and accelerators are
added on request. A figure the catalogue does not know makes the sum it belongs to unknown (None).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from topologies.fabric import Fabric
from topologies.fitting import BUNDLED, class_gbps, fitting_cable, fitting_nics, fitting_switch
from uet.base.errors import BadInput

if TYPE_CHECKING:
    from topologies.catalogue.catalogue import Catalogue, Part


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
    fabric: Fabric, catalogue: Catalogue, include: Sequence[str] = (), cabling: str | None = None
) -> BillOfMaterials:
    """Return the priced order of `fabric`.

    `include` adds kinds ('nic', 'accelerator') or parts of those kinds by name. `cabling` is
    'published' (the class that the family's cost rule names) or the catalogue's own choice if None.
    Raises BadInput when the catalogue has no part that fits.
    """
    rule = cabling or catalogue.cabling
    if rule != "published":
        raise BadInput(f"cabling rule '{rule}' is unknown; legal: published")
    lines, notes = [], []
    if fabric.order.switches:
        lines.append(_line(fitting_switch(fabric, catalogue), fabric.order.switches))
    for kind, count in fabric.order.cables.items():
        if kind in BUNDLED and not catalogue.of(kind):
            notes.append(f"{count} {kind} links come with the accelerators and are not priced")
        elif count:
            lines.append(_line(fitting_cable(catalogue, kind, class_gbps(fabric, kind)), count))
    for wanted in include:
        lines.append(_extra(fabric, catalogue, wanted))
    return BillOfMaterials(
        fabric.spec, catalogue.name, rule, fabric.n_hosts, fabric.order.switches,
        dict(fabric.order.cables), fabric.injection_gbps, tuple(lines), tuple(notes),
    )  # fmt: skip


def _line(part: Part, count: int) -> BillLine:
    price, power = part.price_usd, part.power_w
    if price is None:
        raise BadInput(f"part '{part.name}' has no price_usd; state one in a catalogue of your own")
    total_w = None if power is None else power * count
    return BillLine(
        part.name, part.kind, count, price, price * count, power, total_w, part.confidence, part.source
    )  # fmt: skip


def _extra(fabric: Fabric, catalogue: Catalogue, wanted: str) -> BillLine:
    """Return the line of the NICs or accelerators that `include` asks for, by kind or part name."""
    kind = wanted if wanted in ("nic", "accelerator") else catalogue.named(wanted).kind
    if kind == "nic":
        part, each = fitting_nics(fabric, catalogue, wanted)
        return _line(part, each * fabric.n_hosts)
    if kind != "accelerator":
        raise BadInput(f"part '{wanted}' is a {kind}, which the order counts already; include a NIC or an accelerator")
    parts = catalogue.of(kind) if wanted == kind else [catalogue.named(wanted)]
    if not parts:
        raise BadInput(f"catalogue {catalogue.name} has no priced accelerator; name one in a catalogue of your own")
    return _line(parts[0], fabric.n_hosts)
