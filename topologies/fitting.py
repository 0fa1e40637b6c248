"""Which part of a catalogue fits: the cable of a class, the switch of a fabric, the NIC of a host."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from topologies.boxes import CABLE_CLASSES, outside_ports
from topologies.fabric import LINK_CLASSES, Fabric, NameRange
from uet.base.errors import BadInput

if TYPE_CHECKING:
    from topologies.catalogue.catalogue import Catalogue, Part

Demand = tuple[tuple[float, int], ...]
"""What a switch needs: (gbps, ports) of each rate."""


def class_gbps(fabric: Fabric, kind: str) -> float:
    """Return the fastest rate of the links of a class; of all links if the graph has none of it."""
    mine = fabric.links["kind"] == LINK_CLASSES.index(kind)
    rates = fabric.links["gbps"][mine] if mine.any() else fabric.links["gbps"]
    return float(rates.max())


def fitting_cable(catalogue: Catalogue, kind: str, gbps: float) -> Part:
    """Return the farthest reaching cable of a class for `gbps`, as a rule that knows no lengths must."""
    fast = [p for p in catalogue.of(kind) if p.gbps >= gbps]
    if not fast:
        raise BadInput(
            f"catalogue {catalogue.name} has no priced {kind} cable for {gbps:g} Gb/s; "
            f"{_offers(catalogue.of(kind))}; choose another catalogue or add the part"
        )
    return max(fast, key=lambda p: p.reach_m or 0)


def pieces(cable: Part, gbps: float, links: int) -> int:
    """Return how many of a cable are bought for some links of `gbps`, which share it up to its breakout."""
    return math.ceil(links / cable.links_each(gbps))


def cables_by_reach(catalogue: Catalogue, gbps: float) -> list[Part]:
    """Return the cables for `gbps` that are the cheapest per link for some length, the shortest first."""
    parts = [p for kind in CABLE_CLASSES for p in catalogue.of(kind) if p.gbps >= gbps]
    kept: list[Part] = []
    for part in sorted(parts, key=partial(_per_link, gbps=gbps)):
        if not kept or (part.reach_m or 0) > (kept[-1].reach_m or 0):
            kept.append(part)
    return kept


def _per_link(part: Part, gbps: float) -> tuple[float, float, str]:
    return (part.price_usd or 0) / part.links_each(gbps), part.reach_m or 0, part.name


def cheapest_cable(catalogue: Catalogue, gbps: float, length_m: float) -> Part:
    """Return the cable of any class that carries `gbps` over `length_m` metres at the least price per link."""
    parts = cables_by_reach(catalogue, gbps)
    fits = [p for p in parts if (p.reach_m or 0) >= length_m]
    if not fits:
        longest = max((p.reach_m or 0 for p in parts), default=0)
        raise BadInput(
            f"catalogue {catalogue.name} has no priced cable of {length_m:g} m for {gbps:g} Gb/s, only up to "
            f"{longest:g} m; add a longer one, pack the racks closer or use the published cabling rule"
        )
    return fits[0]


def fitting_switch(fabric: Fabric, catalogue: Catalogue) -> Part:
    """Return the cheapest switch that has the fabric's radix and carries its busiest switch.

    Links slower than a port share it, up to the part's breakout.
    """
    return _fitting(fabric, catalogue, catalogue.of("switch"), _port_demands(fabric))


def fitting_switches(fabric: Fabric, catalogue: Catalogue) -> list[tuple[Part, int]]:
    """Return the switches of the order with their counts: one part for all, or what the order says for each name."""
    order = fabric.order
    if not order.parts:
        return [(fitting_switch(fabric, catalogue), order.switches)] if order.switches else []
    total: dict[str, int] = {}
    for r in fabric.names[1:]:
        part = named_switch(fabric, catalogue, r)
        total[part.name] = total.get(part.name, 0) + r.count * fabric.planes
    return [(catalogue.named(name), count) for name, count in total.items()]


def named_switch(fabric: Fabric, catalogue: Catalogue, names: NameRange) -> Part:
    """Return the part of the switches of one name: what the order says for it, or the one part for all."""
    if not fabric.order.parts:
        return fitting_switch(fabric, catalogue)
    wanted = fabric.order.parts[names.prefix]
    offers = [catalogue.named(wanted)] if wanted else catalogue.of("switch")
    return _fitting(fabric, catalogue, offers, _port_demands(fabric, slice(names.first, names.first + names.count)))


def _fitting(fabric: Fabric, catalogue: Catalogue, offers: list[Part], demands: list[Demand]) -> Part:
    for part in offers:
        if part.kind == "switch" and all(fits(part, demand) for demand in demands):
            return part
    most = max(demands, key=lambda demand: sum(gbps * n for gbps, n in demand))
    wanted = " and ".join(f"{n} ports of {gbps:g} Gb/s" for gbps, n in most)
    raise BadInput(
        f"catalogue {catalogue.name} has no priced switch with {wanted}, which {fabric.spec} needs; "
        f"{_offers(offers)}; choose another catalogue, radix or rate"
    )


def fits(switch: Part, demand: Demand) -> bool:
    """Tell whether a switch has the ports for a demand; links slower than a port share it up to its breakout."""
    each = [switch.links_each(gbps) for gbps, _ in demand]
    return all(each) and sum(n / k for k, (_, n) in zip(each, demand, strict=True)) <= switch.radix


def _port_demands(fabric: Fabric, nodes: slice | None = None) -> list[Demand]:
    """Return the distinct port demands of the scale-out switches, or of some, and of the radix."""
    link = fabric.ports["link"]
    wanted = np.zeros(len(fabric.nodes), bool)
    wanted[nodes or slice(fabric.n_hosts, None)] = True
    outside = wanted[fabric.ports["node"]] & outside_ports(fabric)
    rates, which = np.unique(fabric.links["gbps"][link[outside]], return_inverse=True)
    counts = np.zeros((len(fabric.nodes), len(rates)), np.int64)
    np.add.at(counts, (fabric.ports["node"][outside], which), 1)
    rows = np.unique(counts[counts.any(axis=1)], axis=0)
    demands = [tuple((float(g), int(n)) for g, n in zip(rates, row, strict=True) if n) for row in rows]
    radix = fabric.parameters.get("radix")
    return [*demands, ((float(rates.max()), int(radix)),)] if radix and len(rates) else demands


def _offers(parts: Iterable[Part]) -> str:
    offers = ", ".join(f"{p.name} ({p.radix} x {p.gbps:g} Gb/s)" for p in parts)
    return f"it offers {offers}" if offers else "it offers none"


def fitting_nics(fabric: Fabric, catalogue: Catalogue, wanted: str) -> tuple[Part, int]:
    """Return the cheapest NIC (`wanted` is 'nic' or a part's name) and how many one host needs."""
    parts = catalogue.of("nic") if wanted == "nic" else [catalogue.named(wanted)]
    ports = host_ports(fabric)
    fits = [p for p in parts if p.kind == "nic" and all(p.port_share(gbps) for gbps in ports)]
    if not fits:
        raise BadInput(
            f"catalogue {catalogue.name}: '{wanted}' is no priced NIC for ports of {max(ports):g} Gb/s; "
            f"{_offers(catalogue.of('nic'))}"
        )
    counts = [math.ceil(sum((p.port_share(g) or 0) * n for g, n in ports.items()) / p.radix) for p in fits]
    best = min(range(len(fits)), key=lambda k: counts[k] * (fits[k].price_usd or 0))
    return fits[best], counts[best]


def host_ports(fabric: Fabric) -> dict[float, int]:
    """Return how many scale-out ports of each rate (Gb/s) host 0 has over all planes."""
    mine = fabric.ports["link"][fabric.ports["node"] == 0]
    outside = mine[fabric.links["kind"][mine] != LINK_CLASSES.index("nvlink")]
    rates, counts = np.unique(fabric.links["gbps"][outside], return_counts=True)
    return {float(g): int(n) * fabric.planes for g, n in zip(rates, counts, strict=True)}
