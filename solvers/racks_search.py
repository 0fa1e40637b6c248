"""Local search over assignments of racks: annealing by single moves and swaps of equals, in one kernel.

A step takes an item to a height in its own rack, in one near a device it is cabled to, or anywhere; whatever of
the same size stands exactly there changes places with it. A step is judged by the price per link of the cheapest
part that reaches, and among equals by metres. What cables in reserve and pieces shared between links cost is left
to the exact cost, which says what is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from time import perf_counter
from typing import Any

import numpy as np

from solvers.linear import Floats, Ints
from solvers.racks_problem import FIT, Place, RackProblem
from topologies.cabling import OPEN
from topologies.racks import UNIT_M
from uet.base.jit import kernel
from uet.base.rng import below, draw

ROUNDS = 24
STEPS_PER_ITEM = 4000
MOST_STEPS = 40_000_000
STREAM = 0x7261636B
WARM = 0.25
"""Temperature at the beginning, as a share of the mean step between prices."""
USD_PER_M = 0.01
"""Weight of a metre, which only decides between equal prices."""
NEAR = 12
"""Racks that count as near a rack, itself included."""
OUT_OF_REACH = 10.0
"""Price of a link that no cable reaches, in prices of the dearest."""

SIZES = ("slack_m", "tray_m", "length_step_m", "rack_units", "accelerators_per_rack")
SLACK, TRAY, STEP, UNITS, CAPACITY, FEED = range(6)
NONE, OTHERS = -1, -2
SPARE = 64
"""Items that a rack may hold beyond the most that one held before."""


class Search:
    """The best assignment so far in `best`, its exact cost in `cost_usd` (infinite if out of reach)."""

    def __init__(self, problem: RackProblem, start: Place, seed: int) -> None:
        """Begin with `start`, which must keep the limits."""
        self.problem, self.seed = problem, seed
        self.best = start
        self.cost_usd = problem.cost_usd(problem.layout(start))
        self.interrupted = False

    def keep(self, place: Place) -> None:
        """Keep an assignment if it is better."""
        cost = self.problem.cost_usd(self.problem.layout(place))
        if cost < self.cost_usd * (1 - FIT):
            self.best, self.cost_usd = place, cost

    def run(self, deadline: float, enough: float = -inf, say: Callable[[str], None] | None = None) -> None:
        """Search until the temperature is 0, the cost is `enough`, time is up, or the user stops it."""
        problem = self.problem
        steps = min(MOST_STEPS, STEPS_PER_ITEM * problem.items) // ROUNDS
        tables = _tables(problem)
        rack, unit = self.best.rack.copy(), self.best.unit.copy()
        warm = WARM * max(
            (float(np.diff(r.price_usd).mean()) for r in problem.rates if len(r.parts) > 1),
            default=USD_PER_M / WARM,
        )
        try:
            for k in range(ROUNDS):
                if perf_counter() > deadline or self.cost_usd <= enough:
                    return
                heat = max(warm * (1 - k / (ROUNDS - 4)), 0.0)
                _anneal(rack, unit, *tables, self.seed, k * steps, steps, heat)
                self.keep(Place(rack.copy(), unit.copy()))
                if say:
                    say(f"{self.cost_usd:,.0f} USD after {(k + 1) * steps:,} steps")
        except KeyboardInterrupt:
            self.interrupted = True


def _tables(problem: RackProblem) -> tuple[tuple[Any, ...], ...]:
    """Return what the kernel reads: net, prices, hall and things, as `_anneal` takes them apart."""
    kind, first = np.unique(problem.hosts, return_index=True)
    grids = [problem.grid(int(i)) for i in first]
    grid = np.zeros((len(grids), max(map(len, grids))))
    for k, heights in enumerate(grids):
        grid[k, : len(heights)] = heights
    apart = np.abs(problem.position_m[:, None] - problem.position_m[None]).sum(axis=2)
    near = np.argsort(apart, axis=1, kind="stable")[:, :NEAR].copy()
    hall = problem.position_m, near, grid, np.array([len(heights) for heights in grids])
    things = np.searchsorted(kind, problem.hosts), problem.height, problem.hosts, problem.power_w
    return _net(problem), _prices(problem), hall, things


def _net(problem: RackProblem) -> tuple[Any, ...]:
    """Return the devices of each item (CSR), item and offset of each device, and its links to others (CSR)."""
    c = problem.cables[problem.cables["device_b"] != OPEN]
    rate = np.searchsorted([r.gbps for r in problem.rates], c["gbps"])
    a, b = c["device_a"].astype(np.int64), c["device_b"].astype(np.int64)
    ends = np.stack([np.concatenate([a, b]), np.concatenate([b, a]), np.concatenate([rate, rate])], axis=1)
    merged, links = np.unique(ends, axis=0, return_counts=True)
    of_device = np.searchsorted(merged[:, 0], np.arange(len(problem.item) + 1))
    by_item = np.argsort(problem.item, kind="stable")
    of_item = np.searchsorted(problem.item[by_item], np.arange(problem.items + 1))
    return (
        by_item, of_item, problem.item, problem.offset, of_device, merged[:, 1].copy(), merged[:, 2].copy(), links,
    )  # fmt: skip


def _prices(problem: RackProblem) -> tuple[Any, ...]:
    """Return reach and price of the parts for each rate, [rates, parts + 1], the last out of reach, and the sizes."""
    most = max(len(r.parts) for r in problem.rates)
    reach, price = np.full((len(problem.rates), most + 1), inf), np.zeros((len(problem.rates), most + 1))
    for k, r in enumerate(problem.rates):
        reach[k, : len(r.parts)], price[k, : len(r.parts)] = r.reach_m + FIT, r.price_usd
        price[k, len(r.parts) :] = OUT_OF_REACH * max(float(r.price_usd[-1]), 1.0)
    sizes = np.array([float(getattr(problem.model, name)) for name in SIZES] + [problem.feed_w])
    return reach, price, sizes


@kernel
def _anneal(
    rack: Ints, unit: Floats, net: Any, prices: Any, hall: Any, things: Any, seed: int, first: int, steps: int,
    heat: float,
) -> None:  # fmt: skip
    """Take `steps` random steps at a temperature of `heat` USD; changes `rack` and `unit` of the items."""
    near, grid, count = hall[1], hall[2], hall[3]
    kind, height, hosts, power = things
    racks = len(near)
    members = np.full((racks, np.bincount(rack, minlength=racks).max() + SPARE), -1)
    held, people, drawn = np.zeros(racks, np.int64), np.zeros(racks, np.int64), np.zeros(racks)
    for i in range(len(rack)):
        _replace(members[rack[i]], held, rack[i], -1, i)
        people[rack[i]] += hosts[i]
        drawn[rack[i]] += power[i]
    for step in range(first, first + steps):
        bits, choice = draw(seed, STREAM, 4 * step), draw(seed, STREAM, 4 * step + 1)
        i = below(bits, len(rack))
        source, old = rack[i], unit[i]
        target = _target(i, bits, draw(seed, STREAM, 4 * step + 2), rack, near, net)
        where = grid[kind[i], below(choice, count[kind[i]])]
        if choice & np.uint64(1) and held[target] > 0:
            other = members[target, below(choice, held[target])]
            if kind[other] == kind[i]:
                where = unit[other]
        j = _in_the_way(i, where, held[target], members[target], unit, height, kind)
        if j == OTHERS or (j == NONE and held[target] == members.shape[1]) or (source == target and where == old):
            continue
        more_hosts = hosts[i] - (hosts[j] if j >= 0 else 0)
        more_power = power[i] - (power[j] if j >= 0 else 0.0)
        if source != target and not _allowed(people, drawn, source, target, more_hosts, more_power, prices[2]):
            continue
        before = _usd(i, j, rack, unit, net, prices, hall[0])
        _put(i, j, rack, unit, target, where, source, old)
        worse = _usd(i, j, rack, unit, net, prices, hall[0]) - before
        chance = float(draw(seed, STREAM, 4 * step + 3) >> np.uint64(11)) * 2.0**-53
        if worse > 0.0 and not (heat > 0.0 and chance < np.exp(-worse / heat)):
            _put(i, j, rack, unit, source, old, target, where)
        elif source != target:
            people[target] += more_hosts
            people[source] -= more_hosts
            drawn[target] += more_power
            drawn[source] -= more_power
            _replace(members[source], held, source, i, j)
            _replace(members[target], held, target, j, i)


@kernel
def _allowed(
    people: Ints, drawn: Floats, source: int, target: int, more_hosts: int, more_power: float, sizes: Floats
) -> bool:
    """Tell whether a rack may take so many more hosts and W from another one."""
    fed = drawn[target] + more_power <= sizes[FEED] and drawn[source] - more_power <= sizes[FEED]
    return fed and people[target] + more_hosts <= sizes[CAPACITY]


@kernel
def _put(i: int, j: int, rack: Ints, unit: Floats, here: int, low: float, there: int, other: float) -> None:
    """Put item i at height `low` of the rack `here`, and item j, if there is one, at `other` in `there`."""
    rack[i], unit[i] = here, low
    if j >= 0:
        rack[j], unit[j] = there, other


@kernel
def _replace(members: Ints, held: Ints, rack: int, out: int, into: int) -> None:
    """Let item `into` take the place of `out` among the members of a rack; -1 is none."""
    n = held[rack]
    if out < 0:
        members[n] = into
        held[rack] = n + 1
        return
    for k in range(n):
        if members[k] == out:
            if into >= 0:
                members[k] = into
            else:
                members[k] = members[n - 1]
                held[rack] = n - 1
            return


@kernel
def _target(i: int, bits: np.uint64, more: np.uint64, rack: Ints, near: Ints, net: Any) -> int:
    """Return the rack to try: its own, one at or near a device it is cabled to, or, seldom, any."""
    by_item, of_item, item, _, of_device, peer, _, _ = net
    way = bits & np.uint64(7)
    if way == 0:
        return below(more, len(near))
    if way < 3:
        return rack[i]
    device = by_item[of_item[i] + below(more, of_item[i + 1] - of_item[i])]
    cables = of_device[device + 1] - of_device[device]
    if cables == 0:
        return below(more, len(near))
    there = rack[item[peer[of_device[device] + below(more << np.uint64(16), cables)]]]
    if way < 6:
        return there
    return near[there, below(more << np.uint64(32), near.shape[1])]


@kernel
def _in_the_way(i: int, where: float, held: int, members: Ints, unit: Floats, height: Floats, kind: Ints) -> int:
    """Return the item of item i's size that stands exactly at a height; NONE if it is free, else OTHERS."""
    found = NONE
    for k in range(held):
        j = members[k]
        if j == i:
            continue
        if unit[j] == where and kind[j] == kind[i] and height[j] > 0.0:
            found = j
        elif where < unit[j] + height[j] - FIT and unit[j] < where + height[i] - FIT:
            return OTHERS
    return found


@kernel
def _usd(i: int, j: int, rack: Ints, unit: Floats, net: Any, prices: Any, position: Floats) -> float:
    """Return the price of the links of item i and of item j, if there is one, and their weighted metres."""
    by_item, of_item, item, offset, of_device, peer, rate, links = net
    reach, price, sizes = prices
    total = 0.0
    for k in range(2 if j >= 0 else 1):
        mine = i if k == 0 else j
        for d in range(of_item[mine], of_item[mine + 1]):
            device = by_item[d]
            low = unit[mine] + offset[device]
            for c in range(of_device[device], of_device[device + 1]):
                other = item[peer[c]]
                if k == 1 and other == i:
                    continue
                high = unit[other] + offset[peer[c]]
                run = abs(low - high) * UNIT_M
                if rack[other] != rack[mine]:
                    run = (2.0 * sizes[UNITS] - low - high) * UNIT_M + 2.0 * sizes[TRAY]
                    for axis in range(2):
                        run += abs(position[rack[other], axis] - position[rack[mine], axis])
                run += 2.0 * sizes[SLACK]
                length = np.ceil(run / sizes[STEP] - 1e-9) * sizes[STEP]
                part = 0
                while reach[rate[c], part] < length:
                    part += 1
                total += links[c] * (price[rate[c], part] + USD_PER_M * run)
    return total
