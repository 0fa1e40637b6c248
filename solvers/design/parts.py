"""Which parts a member is bought from: lines with options, and the mix that costs least within a power limit.

Where lengths decide (rule 'rack') and the fabric has not been laid out, a line's options are all cables that
could reach, so that sums of the cheapest are lower bounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np

from topologies.boxes import BUNDLED, CABLE_CLASSES
from topologies.fitting import fitting_cable
from topologies.racks import RackModel
from uet.base.errors import BadInput

if TYPE_CHECKING:
    from solvers.design.forms.base import Forms, Lane
    from topologies.cabling import CablingList
    from topologies.catalogue.catalogue import Catalogue, Part
    from topologies.fabric import Order

Lengths = list[tuple[float, float, int]]
"""Rate in Gb/s, length in m, and how many cables have them."""


@dataclass(frozen=True)
class Line:
    """So many links (or switches), each by one of the options, cheapest first; `shares` of a part one link takes."""

    what: str
    count: int
    options: tuple[Part, ...]
    shares: tuple[float, ...]

    @cached_property
    def usd(self) -> tuple[float, ...]:
        """Price of one link by each option."""
        return tuple((p.price_usd or 0) * s for p, s in zip(self.options, self.shares, strict=True))

    @cached_property
    def watts(self) -> tuple[float, ...]:
        """Power of one link by each option; what nobody knows counts as nothing."""
        return tuple((p.power_w or 0) * s for p, s in zip(self.options, self.shares, strict=True))


def line(what: str, count: int, parts: Sequence[Part], gbps: float | None = None) -> Line:
    """Return a line with the options that may be best: cheaper, or of less power, than every cheaper one."""
    shares = [1.0 if gbps is None else p.port_share(gbps) or 1.0 for p in parts]
    order = sorted(range(len(parts)), key=lambda k: ((parts[k].price_usd or 0) * shares[k], parts[k].name))
    kept: list[int] = []
    for k in order:
        watts = (parts[k].power_w or 0) * shares[k]
        if not kept or watts < min((parts[j].power_w or 0) * shares[j] for j in kept):
            kept.append(k)
    return Line(what, count, tuple(parts[k] for k in kept), tuple(shares[k] for k in kept))


class Shelf:
    """The parts of one catalogue, asked for again and again."""

    def __init__(self, prices: Catalogue, rule: str, racks: RackModel) -> None:
        """Take the catalogue, the rule by which cables are chosen, and the rack model."""
        self.prices, self.rule, self.racks = prices, rule, racks
        self._lines: dict[Any, tuple[Part, ...] | None] = {}

    def lanes(self, most_radix: int | None) -> list[Lane]:
        """Return the ways to use the switches on sale, the fewest and fastest ports first."""
        from solvers.design.forms.base import Lane

        found: dict[Lane, None] = {}
        for part in self.prices.of("switch"):
            for split in range(1, part.breakout + 1):
                lane = Lane(part.gbps / split, part.radix * split)
                if part.breakout % split == 0 and (most_radix is None or lane.radix <= most_radix):
                    found[lane] = None
        return sorted(found, key=lambda lane: (lane.radix, -lane.gbps))

    def lines(
        self, order: Order, forms: Forms, lane: Lane, planes: int, lengths: Lengths | None = None
    ) -> list[Line] | None:
        """Return the lines of an order, or None if no part fits; with `lengths` where every cable's is known."""
        found = []
        for what, number, switches in self._bought(order, forms, lane):
            if not switches:
                return None
            found.append(line(what, number, switches))
        if lengths is not None and self.rule == "rack":
            wanted = [("", f"{length_m:g} m", count, gbps, length_m) for gbps, length_m, count in lengths]
        else:
            bought = ((kind, n) for kind, n in order.cables.items() if n and kind not in BUNDLED)
            wanted = [
                (kind, what, number, (forms.up_gbps if kind == "aoc" else None) or lane.gbps, length_m)
                for kind, n in bought
                for what, number, length_m in self._split(kind, n, forms, planes)
            ]
        for kind, what, number, gbps, length_m in wanted:
            cables = self.cables(kind, gbps, length_m)
            if not cables:
                return None
            found.append(line(what, number, cables, gbps))
        return found

    def _split(self, kind: str, count: int, forms: Forms, planes: int) -> list[tuple[str, int, float]]:
        """Return (name, number, least length) of the parts of a class of cables."""
        if self.rule == "published":
            return [(kind, count, 0.0)]
        apart = 0
        if kind == "dac" and forms.leaves:
            in_a_rack = min(forms.hosts_per_leaf, self.racks.accelerators_per_rack)
            apart = max(0, count - forms.leaves * planes * in_a_rack)
        elif kind == "aoc" and room_for_leaves(self.racks, forms.hosts, forms.leaves * planes):
            apart = min(count, forms.leaf_links * planes)
        named = (("of any length", count - apart, 0.0), ("between racks", apart, self.least_between_racks_m))
        return [(f"{kind} {where}", n, least_m) for where, n, least_m in named if n]

    @cached_property
    def least_between_racks_m(self) -> float:
        """The shortest cable between two racks."""
        m = self.racks
        pitch = min(m.rack_pitch_m, m.row_pitch_m)
        return ceil((2 * m.tray_m + pitch + 2 * m.slack_m) / m.length_step_m - 1e-9) * m.length_step_m

    def _bought(self, order: Order, forms: Forms, lane: Lane) -> list[tuple[str, int, tuple[Part, ...]]]:
        """Return what for, how many and which parts of switches may be bought."""
        if forms.parts:
            offers = {p.name: p for p in self.prices.of("switch")}
            return [(name, n, (offers[name],) if name in offers else ()) for name, n in forms.parts]
        return [("switch", order.switches, self.switches(lane))] if order.switches else []

    def switches(self, lane: Lane) -> tuple[Part, ...]:
        """Return the switches that have the ports of a lane, the cheapest first."""
        key = ("switch", lane)
        if key not in self._lines:
            fits = [
                p for p in self.prices.of("switch")
                if (share := p.port_share(lane.gbps)) is not None and share * lane.radix <= p.radix
            ]  # fmt: skip
            self._lines[key] = tuple(fits)
        return self._lines[key] or ()

    def cables(self, kind: str, gbps: float, length_m: float) -> tuple[Part, ...]:
        """Return the cables that may be used: of the class by the published rule, else all that reach."""
        key = (kind if self.rule == "published" else "", gbps, length_m)
        if key not in self._lines:
            self._lines[key] = self._fitting(kind, gbps, length_m)
        return self._lines[key] or ()

    def _fitting(self, kind: str, gbps: float, length_m: float) -> tuple[Part, ...]:
        if self.rule == "published":
            try:
                return (fitting_cable(self.prices, kind, gbps),)
            except BadInput:
                return ()
        parts = [p for k in CABLE_CLASSES for p in self.prices.of(k) if p.gbps >= gbps]
        return tuple(p for p in parts if (p.reach_m or 0) >= length_m)


def lengths_of(cabling: CablingList) -> Lengths:
    """Return how many cables of each rate and length a fabric has that was laid out."""
    keys, counts = np.unique(cabling.cables[["gbps", "length_m"]], return_counts=True)
    return [(gbps, length_m, count) for (gbps, length_m), count in zip(keys.tolist(), counts.tolist(), strict=True)]


def room_for_leaves(racks: RackModel, accelerators: int, leaves: int) -> bool:
    """Tell whether all leaves find room in the racks of the accelerators, so that higher switches stand elsewhere."""
    free = (racks.rack_units - racks.accelerators_per_rack * racks.accelerator_units) // racks.switch_units
    return leaves <= accelerators // racks.accelerators_per_rack * int(free)


@dataclass(frozen=True)
class Mix:
    """How many of each option of each line are bought, and what that costs and draws."""

    counts: tuple[tuple[int, ...], ...]
    cost_usd: float
    power_w: float


def cheapest(lines: Sequence[Line]) -> Mix:
    """Return the mix of the cheapest options."""
    return _mix(lines, [[x.count] + [0] * (len(x.options) - 1) for x in lines])


def least_power_w(lines: Sequence[Line]) -> float:
    """Return the least power that any mix draws."""
    return sum(x.count * min(x.watts) for x in lines)


def _mix(lines: Sequence[Line], counts: Sequence[Sequence[int]]) -> Mix:
    cost = sum(n * usd for x, row in zip(lines, counts, strict=True) for n, usd in zip(row, x.usd, strict=True))
    power = sum(n * w for x, row in zip(lines, counts, strict=True) for n, w in zip(row, x.watts, strict=True))
    return Mix(tuple(tuple(row) for row in counts), cost, power)


def read_mix(lines: Sequence[Line], counts: Sequence[Sequence[float]]) -> Mix:
    """Return the mix of rounded counts."""
    return _mix(lines, [[round(n) for n in row] for row in counts])
