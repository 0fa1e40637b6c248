"""Local search over the graphs of a free-form fabric: many starts, then cables moved while that helps."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from solvers.freeform import CLOSE, FEW_SWITCHES, FreeformDemand, value
from solvers.freeform_anneal import short_ways
from solvers.freeform_flow import quick
from solvers.freeform_members import member_graphs
from solvers.network import Floats, Ints
from topologies.families.jellyfish import random_regular

STARTS = 100
SHORTENED = 4
"""Starts whose ways are shortened before flows are looked at."""
PROMISING = 0.97
"""A graph whose quick value is this much of the current one's is worth the exact value."""
PATIENCE = 40_000
"""Moves in a row without a better graph before the search gives up."""


class Search:
    """The best graph so far: `cables` [n, n], `theta`, `flows`."""

    def __init__(self, demand: FreeformDemand, upper: float, until: float, seed: int, enough: float = np.inf) -> None:
        """Start without a cable; the search may end at a theta that meets the bound `upper` or is `enough`."""
        n = len(demand.ports)
        self.demand, self.upper, self.until = demand, upper, until
        self.enough = min(enough, upper * (1 - CLOSE))
        self.rng, self.seed = np.random.default_rng(seed), seed
        self.cables: Ints = np.zeros((n, n), np.int64)
        self.theta, self.flows = value(demand, self.cables)

    def run(self) -> bool:
        """Search until the bound is met, patience or time is up; return whether the user stopped it."""
        try:
            self._start()
            if len(self.cables) > FEW_SWITCHES and self.cables.any():
                self._improve()
        except KeyboardInterrupt:
            return True
        return False

    def keep(self, cables: Ints) -> bool:
        """Take a graph if it is better than the best so far; return whether it is."""
        theta, flows = value(self.demand, cables)
        if theta <= self.theta * (1 + 1e-9):
            return False
        self.cables, self.theta, self.flows = cables.copy(), theta, flows
        return True

    @property
    def _done(self) -> bool:
        return self.theta >= self.enough or time.perf_counter() > self.until

    def _quick(self, cables: Ints) -> float:
        capacity: Floats = (cables * self.demand.gbps).astype(np.float64)
        return quick(capacity, self.demand.traffic, max(self.theta, self.upper / 4))

    def _start(self) -> None:
        """Take the best of all starts, the ones that look best first; at least one even if time is up."""
        starts = [self._fill(graph) for graph in self._graphs()]
        for k in self._order(starts)[: SHORTENED if len(self.cables) > FEW_SWITCHES else 0]:
            if time.perf_counter() < self.until:
                starts.append(short_ways(starts[k], self.demand.traffic, self.seed + k))
        for k in self._order(starts):
            if self.theta and self._done:
                return
            self.keep(starts[k])
        if not self.theta:  # some traffic is cut off in all of them
            self.cables = starts[0]

    def _order(self, graphs: list[Ints]) -> list[int]:
        """Return the numbers of graphs, those first that look best."""
        return [k for _, k in sorted((-self._quick(graph), k) for k, graph in enumerate(graphs))]

    def _graphs(self) -> Iterator[Ints]:
        """Yield members of families, rings with chords, a graph that follows the traffic, and random regular graphs."""
        n, ports = len(self.demand.ports), self.demand.ports
        if n > FEW_SWITCHES:
            for joined in member_graphs(n, int(ports.max())):
                low, high = np.nonzero(np.triu(joined))
                yield self._within([e for e in zip(low.tolist(), high.tolist(), strict=True) for _ in range(joined[e])])
        for chords in range(1, max(2, min(n // 2, int(ports.max())))):
            yield self._within([((a, (a + step) % n)) for step in range(1, chords + 1) for a in range(n)])
        both = self.demand.traffic + self.demand.traffic.T
        heavy = np.argsort(-both, axis=None, kind="stable")
        yield self._within([(int(k) // n, int(k) % n) for k in heavy if both.flat[k] > 0])
        degree = min(int(ports.min()), n - 1, 2 * self.demand.cables // n)
        if degree * n % 2:
            degree -= 1
        for k in range(STARTS if degree >= 2 and n > FEW_SWITCHES else 0):
            a, b = random_regular(n, degree, self.seed + k)
            yield self._within(list(zip(a.tolist(), b.tolist(), strict=True)))

    def _within(self, pairs: list[tuple[int, int]]) -> Ints:
        """Return the graph of as many of the pairs, in their order, as ports and cables allow."""
        cables = np.zeros_like(self.cables)
        free, left = self.demand.ports.copy(), self.demand.cables
        for a, b in pairs:
            if left and a != b and free[a] and free[b]:
                cables[a, b] += 1
                cables[b, a] += 1
                free[[a, b]] -= 1
                left -= 1
        return cables

    def _fill(self, cables: Ints) -> Ints:
        """Use up free ports, preferring pairs without a cable."""
        free = self.demand.ports - cables.sum(axis=1)
        left = self.demand.cables - int(cables.sum()) // 2
        while left > 0 and (free > 0).sum() > 1:
            a = int(free.argmax())
            worth = np.where(free > 0, self.rng.random(len(free)) - cables[a], -np.inf)
            worth[a] = -np.inf
            b = int(worth.argmax())
            cables[a, b] += 1
            cables[b, a] += 1
            free[[a, b]] -= 1
            left -= 1
        return cables

    def _improve(self) -> None:
        """Move cables at random; go where the quick value is no worse, and take what is better exactly."""
        here, mark = self.cables.copy(), self._quick(self.cables)
        idle = 0
        while not self._done and idle < PATIENCE:
            there = self._moved(here)
            idle += 1
            if there is None:
                continue
            found = self._quick(there)
            if found >= mark * (1 - 0.02 * self.rng.random() ** 4):
                better = found > mark
                here, mark = there, found
                if better and self.keep(there):
                    idle = 0
            elif found >= PROMISING * mark and len(self.cables) <= 20 and self.rng.random() < 0.05 and self.keep(there):
                here, mark, idle = there, found, 0
            if idle and idle % 500 == 0:
                here = self.cables.copy()
                for _ in range(int(self.rng.integers(4))):  # begin again near the best graph
                    moved = self._moved(here)
                    here = here if moved is None else moved
                mark = self._quick(here)

    def _moved(self, cables: Ints) -> Ints | None:
        """Return the graph with the far ends of two cables exchanged, or one cable moved to free ports."""
        ends = np.argwhere(np.triu(cables) > 0)
        free = np.flatnonzero(self.demand.ports - cables.sum(axis=1) > 0)
        a, b = ends[self.rng.integers(len(ends))].tolist()
        if self.rng.random() < 0.5:
            a, b = b, a
        new = cables.copy()
        if len(free) and self.rng.random() < 0.3:
            c = int(self.rng.choice(free))
            if c in (a, b):
                return None
            moves: tuple[tuple[int, int, int], ...] = ((a, b, -1), (a, c, 1))
        else:
            c, d = ends[self.rng.integers(len(ends))].tolist()
            if len({a, b, c, d}) < 4:
                return None
            moves = ((a, b, -1), (c, d, -1), (a, d, 1), (c, b, 1))
        for x, y, change in moves:
            new[x, y] += change
            new[y, x] += change
        return new
