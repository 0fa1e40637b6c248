"""The assignment of racks as an integer program, for few devices.

x(i, p): item i stands at place p, a rack and a height. w(c, k): cable c needs a longer part than k, of the parts
that are the cheapest for some length. n(k): pieces of part k that are bought.

min the price of all pieces, such that each item stands somewhere and no two overlap, racks hold and feed what
stands there, x(a, p) + sum of x(b, q) over all q too far from p for part k <= 1 + w(c, k) for a cable c from a
to b (and likewise from b to a), and for each k the pieces from k on carry all cables that need one.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from itertools import pairwise
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from solvers.linear import Floats, Ints
from solvers.mip import solve
from solvers.outcome import Outcome
from solvers.racks_problem import FIT, Place, RackProblem, Rate
from topologies.cabling import OPEN

if TYPE_CHECKING:
    from pulp import LpVariable

Ends = tuple[int, int]
"""The two devices of a cable, in ascending order."""
MOST_PLACES = 3000
MOST_ROWS = 60000


def is_small(problem: RackProblem) -> bool:
    """Tell whether the program is small enough to be worth a try."""
    places = sum(len(problem.grid(i)) for i in range(problem.items)) * problem.racks
    if places > MOST_PLACES:
        return False
    ends = len(set(zip(*_plugged(problem), strict=True)))
    return 2 * ends * max(len(r.parts) for r in problem.rates) * places / problem.items <= MOST_ROWS


def solve_exactly(
    problem: RackProblem, start: Place | None, time_limit_s: float, gap: float = 0.0
) -> tuple[Outcome, Place | None]:
    """Return how the program ended, at the latest within `gap`, and the assignment of its solution, if it has one."""
    return _Program(problem).run(start, time_limit_s, gap)


def _plugged(problem: RackProblem) -> tuple[list[int], list[int]]:
    """Return the lower and the higher device of every cable that has both ends plugged in."""
    c = problem.cables[problem.cables["device_b"] != OPEN]
    a, b = c["device_a"], c["device_b"]
    return np.minimum(a, b).tolist(), np.maximum(a, b).tolist()


class _Program:
    """The variables and rows; cables that join the same two devices share theirs."""

    def __init__(self, problem: RackProblem) -> None:
        import pulp

        self.problem = problem
        self.pulp = pulp
        self.program = pulp.LpProblem("racks", pulp.LpMinimize)
        grids = [problem.grid(i) for i in range(problem.items)]
        racks = problem.racks
        self.place_rack = [np.repeat(np.arange(racks), len(grid)) for grid in grids]
        self.place_unit = [np.tile(grid, racks) for grid in grids]
        self.stands = [
            [self.program.add_variable(f"x_{i}_{p}", 0, 1, "Integer") for p in range(len(rack))]
            for i, rack in enumerate(self.place_rack)
        ]
        self.needs: dict[tuple[Ends, int], list[LpVariable]] = {}
        self._buy()
        for places in self.stands:
            self.program += pulp.lpSum(places) == 1
        self._space()

    def run(self, start: Place | None, time_limit_s: float, gap: float) -> tuple[Outcome, Place | None]:
        """Solve from an assignment, if there is one."""
        begin: dict[LpVariable, float] = {}
        if start is not None:
            for i, places in enumerate(self.stands):
                here = (self.place_rack[i] == start.rack[i]) & (abs(self.place_unit[i] - start.unit[i]) < FIT)
                begin |= {x: float(yes) for x, yes in zip(places, here, strict=True)}
        outcome = solve(self.program, time_limit_s, gap, begin)
        if not outcome.solved:
            return outcome, None
        chosen = [int(np.argmax([x.varValue for x in places])) for places in self.stands]
        rack, unit = (
            np.array([of[i][p] for i, p in enumerate(chosen)]) for of in (self.place_rack, self.place_unit)
        )  # fmt: skip
        return outcome, Place(rack, unit)

    def _space(self) -> None:
        """Nothing overlaps; racks hold their accelerators and feed what stands there."""
        problem, m = self.problem, self.problem.model
        lows = {float(u) for units in self.place_unit for u in units}
        highs = {float(u) + h for units, h in zip(self.place_unit, problem.height, strict=True) for u in units}
        edges = sorted(lows | highs)
        for rack in range(problem.racks):
            mine = [
                (x, u, i) for i, places in enumerate(self.stands)
                for x, r, u in zip(places, self.place_rack[i], self.place_unit[i], strict=True) if r == rack
            ]  # fmt: skip
            for low, high in pairwise(edges):
                middle = (low + high) / 2
                within = [x for x, u, i in mine if u < middle < u + problem.height[i]]
                if high - low > FIT and len(within) > 1:
                    self.program += self.pulp.lpSum(within) <= 1
            hosts = self.pulp.lpSum(int(problem.hosts[i]) * x for x, _, i in mine if problem.hosts[i])
            self.program += hosts <= m.accelerators_per_rack
            if isfinite(problem.feed_w):
                self.program += self.pulp.lpSum(float(problem.power_w[i]) * x for x, _, i in mine) <= problem.feed_w

    def _buy(self) -> None:
        """The objective: pieces of parts that carry all cables."""
        cables = self.problem.cables
        price: list[Any] = []
        rows: list[Any] = []
        for k, rate in enumerate(self.problem.rates):
            mine = np.flatnonzero(cables["gbps"] == rate.gbps)
            longer: list[list[Any]] = [[] for _ in rate.parts]
            for needs, count in self._needs_of(k, mine):
                for j, w in enumerate(needs):
                    longer[j + 1].append(count * w)
            bought = [self.program.add_variable(f"n_{k}_{j}", 0, None, "Integer") for j in range(len(rate.parts))]
            price += [float(p.price_usd or 0) * n for p, n in zip(rate.parts, bought, strict=True)]
            for j in range(len(rate.parts)):
                carried = self.pulp.lpSum(
                    p.links_each(rate.gbps) * n for p, n in zip(rate.parts[j:], bought[j:], strict=True)
                )
                rows.append(carried >= (len(mine) if j == 0 else self.pulp.lpSum(longer[j])))
        self.program += self.pulp.lpSum(price)
        for row in rows:
            self.program += row

    def _needs_of(self, k: int, mine: Ints) -> list[tuple[list[LpVariable], int]]:
        """Return what cables of a rate need, and how many share it."""
        cables = self.problem.cables
        total: dict[tuple[int, int, int], int] = defaultdict(int)
        for row in mine.tolist():
            c = cables[row]
            a, b = int(c["device_a"]), int(c["device_b"])
            total[(min(a, b), max(a, b), -1) if b != OPEN else (a, OPEN, int(c["kind"]))] += 1
        return [
            (self._between((a, b), k) if b != OPEN else self._open_end(a, kind, k), count)
            for (a, b, kind), count in total.items()
        ]

    def _open_end(self, leaf: int, kind: int, k: int) -> list[LpVariable]:
        """Return what a cable in reserve needs: as much as the longest of its class at its leaf; stock: of all."""
        c = self.problem.cables
        like = (c["kind"] == kind) & (c["device_b"] != OPEN)
        if leaf != OPEN:
            like &= (c["device_a"] == leaf) | (c["device_b"] == leaf)
        needs = self._new_needs(f"{leaf}_{kind}_{k}".replace("-", "s"), self.problem.rates[k])
        a, b = c["device_a"][like], c["device_b"][like]
        for ends in {(min(p), max(p)) for p in zip(a.tolist(), b.tolist(), strict=True)}:
            for mine, theirs in zip(needs, self._between(ends, k), strict=True):
                self.program += mine >= theirs
        return needs

    def _new_needs(self, name: str, rate: Rate) -> list[LpVariable]:
        return [self.program.add_variable(f"w_{name}_{j}", 0, 1) for j in range(len(rate.parts) - 1)]

    def _between(self, ends: Ends, k: int) -> list[LpVariable]:
        """Return what a cable of rate `k` between two devices needs; its rows are added once."""
        if (ends, k) in self.needs:
            return self.needs[ends, k]
        rate = self.problem.rates[k]
        needs = self._new_needs(f"{ends[0]}_{ends[1]}_{k}", rate)
        self.needs[ends, k] = needs
        need, (x, y) = self._grades(ends, rate), (self.stands[i] for i in self.problem.item[list(ends)])
        if x is y:
            need = np.diag(np.diag(need))  # both are where their item is
        for j in range(len(rate.parts)):
            w = needs[j] if j < len(needs) else 0
            far = need > j
            for here, there, too_far in ((x, y, far), (y, x, far.T)):
                for p in np.flatnonzero(too_far.any(axis=1)):
                    there_too = [there[q] for q in np.flatnonzero(too_far[p])]
                    if len(there_too) == len(there):
                        self.program += here[p] <= w
                    else:
                        self.program += here[p] + self.pulp.lpSum(there_too) <= 1 + w
        return needs

    def _grades(self, ends: Ends, rate: Rate) -> Ints:
        """Return which part is needed between each two places of the items of two devices, [places, places]."""
        problem = self.problem
        (i, j), (at, to) = problem.item[list(ends)], problem.offset[list(ends)]
        racks = np.concatenate([self.place_rack[i], self.place_rack[j]])
        units: Floats = np.concatenate([self.place_unit[i] + at, self.place_unit[j] + to])
        n = len(self.place_rack[i])
        here, there = np.divmod(np.arange(n * (len(racks) - n)), len(racks) - n)
        layout = replace(problem.usual, rack_position_m=problem.position_m, rack=racks, unit=units)
        return rate.need(layout.lengths_m(here, there + n)).reshape(n, -1)
