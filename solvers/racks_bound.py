"""What the cables of a fabric cost at least in any assignment of racks, by counting what stands close together.

Every link is priced as one that the part for the shortest way between two racks does not reach, less what it saves
near by, in racks that this part reaches, and what it saves inside a rack. How many links these are follows from the
numbers of items of each type, n(t) in a rack and N(t) in the racks near it. Inside, between types s and t: at most
n(s) times the links of an s to t's, n(t) times those of a t to s's, and n(s) n(t) times those between one and one.
Near by, seen from the s in the rack: the same with N(t). As many links are seen from their s as from their t.

A rack is near to at most B racks, so the N add up to B times all items at most, and the best mix of racks is a linear
program. Prices l(t) of items and k(t) of items near by, and the share of a link's saving that counts at its one end,
the rest at the other, prove it to anybody: R racks save no more than R * max(saved(n, N) - l n - k N, 0) + the sum
over t of (l(t) + B k(t)) times the items of type t.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations_with_replacement
from math import factorial
from typing import Any

import numpy as np

from solvers.linear import Floats, Ints, Program, solve
from solvers.racks_problem import FIT, RackProblem, Rate
from topologies.cabling import OPEN
from topologies.racks import UNIT_M

MOST_TYPES = 4
MOST_MIXES = 1_500_000
AT_ONCE = 24
"""Columns that enter the linear program in one round."""
MOST_ROUNDS = 60
ENOUGH = 1e-6
"""Relative gain of a column that is not worth another round."""


@dataclass(frozen=True)
class Pair:
    """Links between items of types s and t: most of one s, one t, and between one and one; what each saves in USD."""

    s: int
    t: int
    of_s: int
    of_t: int
    of_both: int
    inside_usd: float
    near_usd: float

    def inside(self, mixes: Ints) -> Floats:
        """Return what links inside a rack save at most for each mix, [mixes, types]."""
        s, t = mixes[:, self.s], mixes[:, self.t]
        if self.s == self.t:
            most = np.minimum(s * self.of_s / 2, s * (s - 1) / 2 * self.of_both)
        else:
            most = np.minimum(np.minimum(s * self.of_s, t * self.of_t), s * t * self.of_both)
        return most * self.inside_usd

    def seen(self, end: int, mixes: Ints) -> tuple[int, Floats, Floats]:
        """Return the type that is seen near by from an end (0: from s), and links: at most so many, and with each."""
        here, there = (self.s, self.t) if end == 0 else (self.t, self.s)
        of_here, of_there = (self.of_s, self.of_t) if end == 0 else (self.of_t, self.of_s)
        count = mixes[:, here].astype(float)
        return there, count * of_here, np.minimum(count * self.of_both, of_there)


@dataclass(frozen=True, eq=False)
class RackPrices:
    """What proves a bound: prices of items and of items near by [types], shares of links at their s [pairs]."""

    own: Floats
    near: Floats
    share: Floats

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> RackPrices:
        """Return the prices of a document made by `as_dict`."""
        return cls(*(np.array(document[name], float) for name in ("own", "near", "share")))

    def as_dict(self) -> dict[str, list[float]]:
        """Return the prices as plain data."""
        return {"own": self.own.tolist(), "near": self.near.tolist(), "share": self.share.tolist()}

    def weight(self, k: int, end: int) -> float:
        """Return the share of pair k's links at an end."""
        return float(self.share[k] if end == 0 else 1 - self.share[k])


class RackBound:
    """The parts of the bound: `apart_usd` if no link were near by, `together_usd` if all were inside racks."""

    def __init__(self, problem: RackProblem) -> None:
        """Count links and mixes, with as many types as can be listed."""
        self.problem = problem
        for kinds in range(MOST_TYPES, 1, -1):
            self.type_ = _types(problem, kinds)
            self.count = np.bincount(self.type_)
            if np.prod(self._most() + 1.0) <= MOST_MIXES * factorial(len(self.count)):
                break
        inside_m, outside_m, ends_m = _shortest(problem)
        ends, saves = [], []
        self.apart_usd = self.together_usd = near_m = 0.0
        for rate in problem.rates:
            within, between = _price(rate, inside_m), _price(rate, outside_m)
            reach_m, far = _beyond(rate, outside_m)
            near_m = max(near_m, reach_m)
            mine = problem.cables[problem.cables["gbps"] == rate.gbps]
            plugged = mine[mine["device_b"] != OPEN]
            pair = np.sort(problem.item[np.stack([plugged["device_a"], plugged["device_b"]])], axis=0)
            pair = pair[:, pair[0] != pair[1]]
            self.together_usd += within * len(mine)
            self.apart_usd += within * (len(mine) - pair.shape[1]) + far * pair.shape[1]
            ends.append(pair)
            saves.append(np.tile([[between - within], [far - between]], pair.shape[1]))
        self.near = _most_near(problem, near_m - ends_m)
        self.pairs = self._pairs(np.concatenate(ends, axis=1), np.concatenate(saves, axis=1))

    def _pairs(self, ends: Ints, saves: Floats) -> list[Pair]:
        """Return the counts of links between items `ends` [2, links] by their types."""
        found = []
        kinds = np.sort(self.type_[ends], axis=0)
        for s, t in combinations_with_replacement(range(len(self.count)), 2):
            mine = (kinds == [[s], [t]]).all(axis=0)
            if not mine.any() or not saves[:, mine].any():
                continue
            inside, near = saves[:, mine].max(axis=1).tolist()
            both = np.unique(ends[:, mine], axis=1, return_counts=True)[1].max()
            of = np.bincount(ends[:, mine].reshape(-1), minlength=len(self.type_))
            of_s, of_t = (int(of[self.type_ == kind].max()) for kind in (s, t))
            found.append(Pair(s, t, of_s, of_t, int(both), inside, near))
        return found

    def _least(self) -> Floats:
        """Return height, hosts and power of the smallest item of each type, [3, types]."""
        p = self.problem
        kinds = range(len(self.count))
        return np.array([[of[self.type_ == t].min() for t in kinds] for of in (p.height, p.hosts, p.power_w)], float)

    def _room(self) -> Floats:
        """Return height, hosts and power that a rack has room for."""
        m = self.problem.model
        return np.array([m.rack_units, m.accelerators_per_rack, self.problem.feed_w])

    def _alone(self) -> Floats:
        """Return how many items of each type would fit a rack alone, as numbers that need not be whole."""
        with np.errstate(divide="ignore", invalid="ignore"):
            fit = np.where(self._least() > 0, self._room()[:, None] / self._least(), np.inf).min(axis=0)
        return np.asarray(np.minimum(fit + FIT, self.problem.items))

    def _most(self) -> Ints:
        """Return how many items of each type fit a rack alone."""
        return np.minimum(self._alone(), self.count).astype(np.int64)

    @cached_property
    def mixes(self) -> Ints:
        """Numbers of items of each type that may share a rack, [mixes, types]."""
        least, room, most = self._least(), self._room(), self._most()
        mixes = np.zeros((1, 0), np.int64)
        for t in range(len(most)):
            numbers = np.arange(most[t] + 1)
            mixes = np.column_stack([np.repeat(mixes, len(numbers), axis=0), np.tile(numbers, len(mixes))])
            used = mixes @ least[:, : t + 1].T
            mixes = mixes[(used <= room + FIT * (1 + room)).all(axis=1)]
        return mixes

    @cached_property
    def inside_usd(self) -> Floats:
        """What each mix saves at most inside its rack."""
        total = np.zeros(len(self.mixes))
        for pair in self.pairs:
            total += pair.inside(self.mixes)
        return total

    @cached_property
    def views(self) -> list[tuple[int, int, int, Floats, Floats]]:
        """Each pair that saves near by from each end: its number, the end, and what `Pair.seen` says of the mixes."""
        return [
            (k, end, *pair.seen(end, self.mixes))
            for k, pair in enumerate(self.pairs) if pair.near_usd
            for end in range(2)
        ]  # fmt: skip

    def _near_by(self, prices: RackPrices) -> tuple[Floats, Floats]:
        """Return what each mix saves near by, less the prices there, and the best it has there, [mixes, types]."""
        best, where = np.zeros(len(self.mixes)), np.zeros((len(self.mixes), len(self.count)))
        for t in range(len(self.count)):
            seen = [
                (total, each, prices.weight(k, end) * self.pairs[k].near_usd)
                for k, end, there, total, each in self.views if there == t
            ]  # fmt: skip
            most = min(float(self.count[t]), float(self._alone()[t]) * self.near)
            mine = np.zeros(len(self.mixes))
            for total, each, _ in seen:
                number = np.minimum(total / np.maximum(each, 1), most)  # the best is where one of the sums bends
                value = -prices.near[t] * number
                for other, slope, usd in seen:
                    value += usd * np.minimum(other, slope * number)
                better = value > mine
                mine[better] = value[better]
                where[better, t] = number[better]
            best += mine
        return best, where

    def usd(self, prices: RackPrices) -> float:
        """Return the least cost that prices prove."""
        if not self.pairs:
            return self.together_usd
        free = max(float((self.inside_usd + self._near_by(prices)[0] - self.mixes @ prices.own).max()), 0.0)
        saved = self.problem.racks * free + float(self.count @ (prices.own + self.near * prices.near))
        return max(self.together_usd, self.apart_usd - saved)

    def fits(self, prices: RackPrices) -> bool:
        """Tell whether prices are such as may prove something about this problem."""
        sizes = {"own": len(self.count), "near": len(self.count), "share": len(self.pairs)}
        right = all(getattr(prices, name).shape == (n,) for name, n in sizes.items())
        return right and all((getattr(prices, name) >= 0).all() for name in sizes) and bool((prices.share <= 1).all())

    @property
    def nothing(self) -> RackPrices:
        """Prices of 0, which prove something too."""
        kinds = len(self.count)
        return RackPrices(np.zeros(kinds), np.zeros(kinds), np.full(len(self.pairs), 0.5))

    def prices(self) -> RackPrices:
        """Return the prices that prove most: duals of the linear program, whose columns enter when they help."""
        best = prices = self.nothing
        if not self.pairs:
            return best
        proven, free = self.usd(best), 0.0
        program = _Master(self)
        for _ in range(MOST_ROUNDS):
            gain, where = self._near_by(prices)
            more = self.inside_usd + gain - self.mixes @ prices.own - free
            new = np.argsort(-more, kind="stable")[:AT_ONCE]
            new = new[more[new] > ENOUGH * max(free, 1.0)]
            if len(new) == 0:
                break
            program.add(new, where[new])
            free, prices = program.duals()
            if self.usd(prices) > proven:
                best, proven = prices, self.usd(prices)
        return best


class _Master:
    """The linear program over the mixes added so far: racks of each, and links of each pair seen from both ends."""

    def __init__(self, bound: RackBound) -> None:
        self.bound = bound
        racks, near = bound.problem.racks, bound.near
        pairs = len(bound.pairs)
        limits = np.concatenate([[racks], bound.count, near * bound.count, np.zeros(2 * pairs)]).astype(float)
        self.limits = limits
        links = np.zeros((pairs, len(limits)))
        for end in range(2):
            links[np.arange(pairs), len(limits) - 2 * pairs + end * pairs + np.arange(pairs)] = 1
        self.columns, self.gains = links, np.array([p.near_usd for p in bound.pairs])

    def add(self, mixes: Ints, where: Floats) -> None:
        """Add mixes by their numbers, with what is near them, [mixes, types]."""
        bound = self.bound
        ends = np.zeros((2, len(bound.pairs), len(mixes)))
        for k, end, there, total, each in bound.views:
            ends[end, k] = np.minimum(total[mixes], each[mixes] * where[:, there])
        rows = np.column_stack(
            [np.ones(len(mixes)), bound.mixes[mixes], where, -ends.reshape(-1, len(mixes)).T]
        )  # fmt: skip
        self.columns = np.concatenate([self.columns, rows])
        self.gains = np.concatenate([self.gains, bound.inside_usd[mixes]])

    def duals(self) -> tuple[float, RackPrices]:
        """Return the price of a rack, and the other prices."""
        n, rows = self.columns.shape
        dual = solve(
            Program(
                np.arange(n + 1) * rows, np.tile(np.arange(rows), n), self.columns.reshape(-1), self.gains,
                np.full(rows, -np.inf), self.limits,
            )
        ).dual  # fmt: skip
        kinds = len(self.bound.count)
        own, near = dual[1 : 1 + 2 * kinds].reshape(2, kinds)
        ends = dual[1 + 2 * kinds :].reshape(2, -1)
        total = ends.sum(axis=0)
        share = np.where(total > 0, ends[0] / np.where(total > 0, total, 1), 0.5)
        return float(dual[0]), RackPrices(own, near, share)


def _types(problem: RackProblem, kinds: int) -> Ints:
    """Return the type of each item: 0 hosts, then boxes by level, the highest ones together in the last of `kinds`."""
    level = np.tile(problem.usual.boxes.level, problem.fabric.planes)
    label = np.zeros(problem.items, np.int64)
    label[problem.hosts == 0] = 1 + np.minimum(np.unique(level, return_inverse=True)[1], kinds - 2)
    return np.unique(label, return_inverse=True)[1].astype(np.int64)


def _shortest(problem: RackProblem) -> tuple[float, float, float]:
    """Return the least length of a cable inside a rack and between two, and of its ends up to the tray, in m."""
    m = problem.model
    kinds = [int(i) for i in np.unique(problem.hosts, return_index=True)[1]]
    top = max(float(problem.grid(i)[-1]) + max(int(problem.hosts[i]) - 1, 0) * m.accelerator_units for i in kinds)
    ends = 2 * (m.rack_units - top) * UNIT_M + 2 * m.tray_m + 2 * m.slack_m
    places = np.unique(problem.position_m, axis=0)
    steps = [np.diff(np.unique(places[:, axis])) for axis in range(2)]
    across = min((float(step.min()) for step in steps if len(step)), default=0.0)
    inside = _sold(2 * m.slack_m, m.length_step_m)
    if problem.racks == 1:
        return inside, inside, inside
    return inside, _sold(ends + (across if len(places) == problem.racks else 0.0), m.length_step_m), ends


def _sold(length_m: float, step_m: float) -> float:
    return float(np.ceil(length_m / step_m - FIT) * step_m)


def _price(rate: Rate, length_m: float) -> float:
    """Return the price of a link of some length; that of the longest part where none reaches."""
    return float(rate.price_usd[min(int(rate.need(np.array(length_m))), len(rate.parts) - 1)])


def _beyond(rate: Rate, length_m: float) -> tuple[float, float]:
    """Return how far the part for some length reaches, and the price of a link that is longer."""
    k = min(int(rate.need(np.array(length_m))), len(rate.parts) - 1)
    return float(rate.reach_m[k]), float(rate.price_usd[min(k + 1, len(rate.parts) - 1)])


def _most_near(problem: RackProblem, across_m: float) -> int:
    """Return the most racks that stand within some distance of one, itself included."""
    apart = np.abs(problem.position_m[:, None] - problem.position_m[None]).sum(axis=2)
    return int((apart <= across_m + FIT).sum(axis=1).max())
