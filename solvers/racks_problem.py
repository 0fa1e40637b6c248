"""The assignment of racks as arrays: what stands where, which cables join it, and what a layout costs.

An *item* is what is moved as a whole: a chassis of hosts (in pieces where no rack holds it), or a switch box. Its
height in a rack is a step of its own grid: accelerators count from the rack's bottom, switches from its top, as
in the layout of `topologies.racks`, with gaps allowed. Cables are those of the order; the length of each
follows from the layout as in `topologies.cabling`, and any cable that reaches may be bought for it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from math import inf

import numpy as np

from solvers.network import Floats, Ints
from topologies.cabling import OPEN, CablingList, measure, ordered_cables
from topologies.catalogue.catalogue import Catalogue, Part
from topologies.chassis import chassis
from topologies.fabric import Fabric
from topologies.fitting import cables_by_reach, cheapest_cable, named_switch
from topologies.racks import Layout, RackModel
from uet.base.errors import BadInput
from uet.base.tables import Records

FIT = 1e-9
"""Overlap of two items, in rack units, that counts as none; also lengths that count as equal, in m."""


@dataclass(frozen=True)
class RackLimits:
    """What the hall allows: racks, W that one rack feeds (None: no limit), and W that one accelerator draws.

    Without `racks` there are as many as the usual layout takes, or as power needs. A device is fed for its own
    draw and, at every port, half of the hungriest cable that may be plugged in.
    """

    racks: int | None = None
    rack_power_w: float | None = None
    accelerator_w: float | None = None

    def check(self) -> None:
        """Raise BadInput with one sentence for each limit that is not positive."""
        wrong = [f"{k}={v} must be greater than 0" for k, v in self.__dict__.items() if v is not None and v <= 0]
        if wrong:
            raise BadInput(*wrong)


@dataclass(frozen=True, eq=False)
class Rate:
    """The cables to choose from for links of one rate, the shortest first; prices are per link."""

    gbps: float
    parts: tuple[Part, ...]

    @cached_property
    def reach_m(self) -> Floats:
        """How far each of the parts reaches."""
        return np.array([p.reach_m for p in self.parts], float)

    @cached_property
    def price_usd(self) -> Floats:
        """What a link costs with each of the parts, if its piece is shared in full."""
        return np.array([(p.price_usd or 0) / p.links_each(self.gbps) for p in self.parts])

    def need(self, length_m: Floats) -> Ints:
        """Return the first part that reaches each length; the number of parts where none does."""
        return np.searchsorted(self.reach_m, length_m - FIT)


@dataclass(frozen=True, eq=False)
class Place:
    """Where the items stand: `rack` and height of the lowest edge in `unit`s, one of each per item."""

    rack: Ints
    unit: Floats


@dataclass(frozen=True, eq=False)
class RackProblem:
    """One fabric in one hall. Devices are those of a Layout; `item` and `offset` (units) say where in its item each is.

    `height` (units), `hosts` and `power_w` are of each item. `cables` have no lengths yet.
    """

    fabric: Fabric
    catalogue: Catalogue
    usual: Layout
    limits: RackLimits
    position_m: Floats  # [racks, 2]
    cables: Records
    rates: tuple[Rate, ...]
    item: Ints
    offset: Floats
    height: Floats
    hosts: Ints
    power_w: Floats

    @property
    def model(self) -> RackModel:
        """Sizes of racks and hall."""
        return self.usual.model

    @property
    def racks(self) -> int:
        """Racks in the hall."""
        return len(self.position_m)

    @property
    def items(self) -> int:
        """Number of items."""
        return len(self.height)

    @property
    def feed_w(self) -> float:
        """Power that a rack feeds."""
        return self.limits.rack_power_w or inf

    def grid(self, item: int) -> Floats:
        """Return the heights at which an item may stand, in rack units."""
        m, height = self.model, float(self.height[item])
        if self.hosts[item] == 0:
            depth = np.arange(m.rack_units // m.switch_units, 0, -1, dtype=np.float64)
            return np.asarray(m.rack_units - depth * m.switch_units)
        if m.accelerator_units == 0:
            return np.zeros(1)
        last = int((m.rack_units - height) / m.accelerator_units + FIT)
        return np.asarray(np.arange(last + 1, dtype=np.float64) * m.accelerator_units)

    def layout(self, place: Place) -> Layout:
        """Return the layout of an assignment."""
        with_hosts = len(np.unique(place.rack[self.hosts > 0]))
        return replace(
            self.usual,
            host_racks=with_hosts,
            network_racks=len(np.unique(place.rack)) - with_hosts,
            rack_position_m=self.position_m,
            rack=place.rack[self.item],
            unit=place.unit[self.item] + self.offset,
        )

    def cabling(self, layout: Layout) -> CablingList | None:
        """Return the cheapest cables of a layout, part by part; None if one is longer than any part reaches."""
        cables = self.cables.copy()
        measure(layout, cables)
        parts: list[Part] = []
        for rate in self.rates:
            mine = np.flatnonzero(cables["gbps"] == rate.gbps)
            need = rate.need(cables["length_m"][mine])
            if (need == len(rate.parts)).any():
                return None
            order = np.argsort(-need, kind="stable")  # the longest take the parts that reach farthest
            bought = cheapest_cover(rate, np.bincount(need, minlength=len(rate.parts)))
            chosen = np.repeat(np.arange(len(rate.parts))[::-1], (bought * _shares(rate))[::-1])[: len(mine)]
            for k in np.unique(chosen).tolist():
                if rate.parts[k] not in parts:
                    parts.append(rate.parts[k])
                cables["part"][mine[order[chosen == k]]] = parts.index(rate.parts[k])
        return CablingList(self.fabric, "rack", layout, tuple(parts), cables)

    def cost_usd(self, layout: Layout) -> float:
        """Return what the cables of a layout cost at least; infinite if one is longer than any part reaches."""
        cabling = self.cabling(layout)
        return inf if cabling is None else cables_usd(cabling)

    def problems(self, place: Place) -> list[str]:
        """Return what an assignment breaks of space and power, one sentence each."""
        m, wrong = self.model, []
        low, high = place.unit, place.unit + self.height
        if ((place.rack < 0) | (place.rack >= self.racks) | (low < -FIT) | (high > m.rack_units + FIT)).any():
            return ["something stands outside the racks"]
        step = np.where(self.hosts > 0, m.accelerator_units, m.switch_units)
        steps = np.where(self.hosts > 0, low, m.rack_units - high) / np.where(step > 0, step, 1)
        if (np.abs(steps - np.rint(steps)) > FIT * m.rack_units).any():
            wrong.append("something stands between the heights of its kind")
        if (np.bincount(place.rack, self.hosts, self.racks) > m.accelerators_per_rack).any():
            wrong.append(f"a rack holds more than {m.accelerators_per_rack} accelerators")
        if (np.bincount(place.rack, self.power_w, self.racks) > self.feed_w * (1 + FIT)).any():
            wrong.append(f"a rack needs more than {self.feed_w:g} W")
        tall = np.flatnonzero(self.height > 0)
        tall = tall[np.lexsort((low[tall], place.rack[tall]))]
        same = place.rack[tall[1:]] == place.rack[tall[:-1]]
        if (same & (low[tall[1:]] < high[tall[:-1]] - FIT)).any():
            wrong.append("two things stand in the same place")
        return wrong


def cables_usd(cabling: CablingList) -> float:
    """Return the price of all cables of a list."""
    return float(sum(n * (p.price_usd or 0) for n, p in zip(cabling.pieces, cabling.parts, strict=True)))


def _shares(rate: Rate) -> Ints:
    return np.array([p.links_each(rate.gbps) for p in rate.parts], np.int64)


def cheapest_cover(rate: Rate, count: Ints) -> Ints:
    """Return how many pieces of each part to buy for `count` [parts] links that need that part or a longer one.

    From the longest part on: what is bought may leave room for links that need less. Room beyond the square of the
    largest division for each shorter part is never worth it, as whole pieces of that part carry as many for less.
    """
    shares = _shares(rate).tolist()
    most = max(shares) ** 2 * len(shares)
    ways: dict[int, tuple[float, tuple[int, ...]]] = {0: (0.0, ())}  # room left: cost and pieces, the longest first
    for k in reversed(range(len(shares))):
        each, links, below = shares[k], int(count[k]), int(count[:k].sum())
        longer: dict[int, tuple[float, tuple[int, ...]]] = {}
        for room, (usd, pieces) in ways.items():
            least = max(-((room - links) // each), 0)
            for n in range(least, least + (most // each if max(shares) > 1 else 0) + 1):
                left = min(room + n * each - links, below)
                cost = usd + n * float(rate.parts[k].price_usd or 0)
                if left not in longer or cost < longer[left][0]:
                    longer[left] = cost, (*pieces, n)
                if left == below:
                    break
        ways = _worth(longer)
    return np.array(min(ways.values())[1][::-1], np.int64)


def _worth(ways: dict[int, tuple[float, tuple[int, ...]]]) -> dict[int, tuple[float, tuple[int, ...]]]:
    """Return the ways to which no cheaper one leaves as much room."""
    kept, least = {}, inf
    for room in sorted(ways, reverse=True):
        if ways[room][0] < least:
            kept[room], least = ways[room], ways[room][0]
    return kept


def rack_problem(fabric: Fabric, catalogue: Catalogue, usual: Layout, limits: RackLimits, racks: Floats) -> RackProblem:
    """Return the problem in a hall with racks at `racks` [racks, 2]. Raises BadInput for a figure nobody knows."""
    cables = ordered_cables(fabric, usual)
    rates = tuple(_rate(catalogue, float(gbps)) for gbps in np.unique(cables["gbps"]))
    item, offset = _items(fabric, usual)
    devices_of = np.bincount(item)
    hosts = np.bincount(item[: usual.n_hosts], minlength=len(devices_of))
    m = usual.model
    height = np.where(hosts > 0, hosts * m.accelerator_units, float(m.switch_units))
    power: Floats = np.zeros(len(height), np.float64)
    if limits.rack_power_w is not None:
        power = np.asarray(
            np.bincount(item, _device_power(fabric, catalogue, usual, limits, cables, rates)), np.float64
        )
    return RackProblem(fabric, catalogue, usual, limits, racks, cables, rates, item, offset, height, hosts, power)


def _rate(catalogue: Catalogue, gbps: float) -> Rate:
    cheapest_cable(catalogue, gbps, 0.0)  # says what is missing if there is none at all
    return Rate(gbps, tuple(cables_by_reach(catalogue, gbps)))


def _items(fabric: Fabric, usual: Layout) -> tuple[Ints, Floats]:
    """Return item and offset in it of every device: chassis of at most a rack, then boxes."""
    of_chassis, capacity = chassis(fabric), usual.model.accelerators_per_rack
    order = np.argsort(of_chassis, kind="stable")
    size = np.bincount(of_chassis)
    place = np.empty_like(of_chassis)
    place[order] = np.arange(len(order)) - np.repeat(np.cumsum(size) - size, size)
    piece = np.stack([of_chassis, place // capacity], axis=1)
    which = np.unique(piece, axis=0, return_inverse=True)[1].reshape(-1)
    boxes = len(usual.rack) - usual.n_hosts
    item = np.concatenate([which, which.max() + 1 + np.arange(boxes)]).astype(np.int64)
    return item, np.concatenate([(place % capacity) * usual.model.accelerator_units, np.zeros(boxes)])


def _device_power(
    fabric: Fabric, catalogue: Catalogue, usual: Layout, limits: RackLimits, cables: Records, rates: tuple[Rate, ...]
) -> Floats:
    """Return what each device draws at most, in W: its own figure, and half of the hungriest cable at each port."""
    power = np.zeros(len(usual.rack))
    known = [p.power_w for p in catalogue.part if p.kind == "accelerator" and p.power_w is not None]
    own = limits.accelerator_w if limits.accelerator_w is not None else min(known, default=None)
    if own is None:
        raise BadInput(
            f"catalogue {catalogue.name} does not say what an accelerator draws; give accelerator_w (--accelerator-w)"
        )
    power[: usual.n_hosts] = own
    for r in fabric.names[1:]:
        box = np.unique(usual.boxes.of_switch[np.arange(r.first, r.first + r.count) - fabric.n_hosts])
        box = box[box >= 0]
        if len(box):
            watts = _known(named_switch(fabric, catalogue, r))
            for plane in range(fabric.planes):
                power[usual.n_hosts + plane * usual.boxes.count + box] = watts
    for rate in rates:
        half = max(_known(p) / p.links_each(rate.gbps) for p in rate.parts) / 2
        for end in ("device_a", "device_b"):
            device = cables[end][(cables["gbps"] == rate.gbps) & (cables[end] != OPEN)]
            power += half * np.bincount(device, minlength=len(power))
    return power


def _known(part: Part) -> float:
    if part.power_w is None:
        raise BadInput(f"part '{part.name}' has no power_w, which the power of racks needs; state it in a catalogue")
    return float(part.power_w)
