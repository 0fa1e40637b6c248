"""What the cables of a fabric cost at least in any assignment of racks, by counting what fits one rack.

Every link is priced by the shortest way between two racks, less what it saves inside one. How many links a rack can
hold inside follows from the numbers n(t) of items of each type in it: between types s and t at most n(s) times the
links of an s to t's, n(t) times those of a t to s's, and n(s) n(t) times those between one and one. The best mix
of racks is a linear program over such numbers; prices l(t) of its types prove it to anybody: no mix of R racks saves
more than R * max(saved(n) - l n, 0) + the sum of l(t) times the items of type t.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations_with_replacement
from math import factorial

import numpy as np

from solvers.linear import Floats, Ints, Program, solve
from solvers.racks_problem import FIT, RackProblem, Rate
from topologies.cabling import OPEN
from topologies.racks import UNIT_M

MOST_TYPES = 4
MOST_MIXES = 1_500_000
AT_ONCE = 8
"""Columns that enter the linear program in one round."""


@dataclass(frozen=True)
class Pair:
    """Links between items of types s and t: most of one s, of one t, between one and one; and the saving in USD."""

    s: int
    t: int
    of_s: int
    of_t: int
    of_both: int
    saves_usd: float

    def most(self, mixes: Ints) -> Floats:
        """Return what links inside a rack save at most for each mix, [mixes, types]."""
        s, t = mixes[:, self.s], mixes[:, self.t]
        if self.s == self.t:
            inside = np.minimum(s * self.of_s / 2, s * (s - 1) / 2 * self.of_both)
        else:
            inside = np.minimum(np.minimum(s * self.of_s, t * self.of_t), s * t * self.of_both)
        return inside * self.saves_usd


class RackBound:
    """The parts of the bound: `apart_usd` if no link were inside a rack, `together_usd` if all were."""

    def __init__(self, problem: RackProblem) -> None:
        """Count links and mixes, with as many types as can be listed."""
        self.problem = problem
        for kinds in range(MOST_TYPES, 1, -1):
            self.type_ = _types(problem, kinds)
            self.count = np.bincount(self.type_)
            if np.prod(self._most() + 1.0) <= MOST_MIXES * factorial(len(self.count)):
                break
        inside_m, outside_m = _shortest(problem)
        ends, saves = [], []
        self.apart_usd = self.together_usd = 0.0
        for rate in problem.rates:
            within, between = _price(rate, inside_m), _price(rate, outside_m)
            mine = problem.cables[problem.cables["gbps"] == rate.gbps]
            plugged = mine[mine["device_b"] != OPEN]
            pair = np.sort(problem.item[np.stack([plugged["device_a"], plugged["device_b"]])], axis=0)
            pair = pair[:, pair[0] != pair[1]]
            self.together_usd += within * len(mine)
            self.apart_usd += within * (len(mine) - pair.shape[1]) + between * pair.shape[1]
            ends.append(pair)
            saves.append(np.full(pair.shape[1], between - within))
        self.pairs = self._pairs(np.concatenate(ends, axis=1), np.concatenate(saves))

    def _pairs(self, ends: Ints, saves: Floats) -> list[Pair]:
        """Return the counts of links between items `ends` [2, links] by their types."""
        found = []
        kinds = np.sort(self.type_[ends], axis=0)
        for s, t in combinations_with_replacement(range(len(self.count)), 2):
            mine = (kinds == [[s], [t]]).all(axis=0)
            if not mine.any() or not saves[mine].any():
                continue
            both = np.unique(ends[:, mine], axis=1, return_counts=True)[1].max()
            of = np.bincount(ends[:, mine].reshape(-1), minlength=len(self.type_))
            of_s, of_t = (int(of[self.type_ == kind].max()) for kind in (s, t))
            found.append(Pair(s, t, of_s, of_t, int(both), float(saves[mine].max())))
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

    def _most(self) -> Ints:
        """Return how many items of each type fit a rack alone."""
        with np.errstate(divide="ignore", invalid="ignore"):
            fit = np.where(self._least() > 0, self._room()[:, None] / self._least(), np.inf).min(axis=0)
        return np.minimum(fit + FIT, self.count).astype(np.int64)

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
    def saved_usd(self) -> Floats:
        """What each mix saves at most."""
        total = np.zeros(len(self.mixes))
        for pair in self.pairs:
            total += pair.most(self.mixes)
        return total

    def usd(self, prices: Floats) -> float:
        """Return the least cost that prices [types] of the items prove."""
        if not self.pairs:
            return self.together_usd
        free = max(float((self.saved_usd - self.mixes @ prices).max()), 0.0)
        saved = self.problem.racks * free + float(self.count @ prices)
        return max(self.together_usd, self.apart_usd - saved)

    def prices(self) -> Floats:
        """Return the prices that prove most: duals of the linear program, whose columns enter when they help."""
        kinds = len(self.count)
        if not self.pairs:
            return np.zeros(kinds)
        chosen: list[int] = [int(self.saved_usd.argmax())]
        best, proven = np.zeros(kinds), self.usd(np.zeros(kinds))
        while True:
            columns = np.column_stack([np.ones(len(chosen)), self.mixes[chosen]])
            n, rows = columns.shape
            dual = solve(Program(
                np.arange(n + 1) * rows, np.tile(np.arange(rows), n), columns.reshape(-1).astype(float),
                self.saved_usd[chosen], np.full(rows, -np.inf),
                np.concatenate([[self.problem.racks], self.count]).astype(float),
            )).dual  # fmt: skip
            prices = dual[1:]
            if self.usd(prices) > proven:
                best, proven = prices, self.usd(prices)
            more = self.saved_usd - self.mixes @ prices - dual[0]
            new = [int(k) for k in np.argsort(-more, kind="stable")[:AT_ONCE] if more[k] > 1e-6 and k not in chosen]
            if not new:
                return best
            chosen += new


def _types(problem: RackProblem, kinds: int) -> Ints:
    """Return the type of each item: 0 hosts, then boxes by level, the highest ones together in the last of `kinds`."""
    level = np.tile(problem.usual.boxes.level, problem.fabric.planes)
    label = np.zeros(problem.items, np.int64)
    label[problem.hosts == 0] = 1 + np.minimum(np.unique(level, return_inverse=True)[1], kinds - 2)
    return np.unique(label, return_inverse=True)[1].astype(np.int64)


def _shortest(problem: RackProblem) -> tuple[float, float]:
    """Return the least length of a cable inside a rack and between two, in m."""
    m = problem.model
    top = max(float(problem.grid(int(i))[-1]) for i in np.unique(problem.hosts, return_index=True)[1])
    top += float(problem.offset.max())
    rise = max(2 * (m.rack_units - top) * UNIT_M, 0.0) + 2 * m.tray_m
    places = np.unique(problem.position_m, axis=0)
    steps = [np.diff(np.unique(places[:, axis])) for axis in range(2)]
    across = min((float(step.min()) for step in steps if len(step)), default=0.0)
    if len(places) < problem.racks:
        across = 0.0
    bare = 2 * m.slack_m
    return _sold(bare, m.length_step_m), _sold(bare + rise + across, m.length_step_m) if problem.racks > 1 else bare


def _sold(length_m: float, step_m: float) -> float:
    return float(np.ceil(length_m / step_m - FIT) * step_m)


def _price(rate: Rate, length_m: float) -> float:
    """Return the price of a link of some length; that of the longest part where none reaches."""
    return float(rate.price_usd[min(int(rate.need(np.array(length_m))), len(rate.parts) - 1)])
