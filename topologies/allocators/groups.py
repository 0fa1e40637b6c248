"""Allocation on trees, islands and other fabrics of groups: as few and as full groups as possible.

A job goes into the smallest group that holds it whole, from the finest partition to the coarsest;
failing that it fills the emptiest groups first. On islands the time of an allreduce is that of the
hierarchical one: reduce-scatter and allgather of S bytes inside (island bandwidth), between them rings
of S/g bytes across the islands, g being the accelerators that the job has on each (the fewest, if uneven).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from topologies.allocators.base import Allocation, Allocator
from topologies.cuts import Cuts
from topologies.fabric import LINK_CLASSES, Fabric

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class GroupAllocator(Allocator):
    """Packs jobs into the nested partitions of the cuts; every job fits while enough hosts are free."""

    def __init__(self, fabric: Fabric, cuts: Cuts, host_down: NDArray[np.bool_], unit_gbps: float) -> None:
        """Find the nested levels, and the islands if hosts have links of their own island.

        `unit_gbps` is an injection.
        """
        super().__init__(fabric, cuts, host_down, cuts.partitions)
        self.levels = _nested([p.label for p in cuts.partitions])
        island_gbps = _island_gbps(fabric)
        chassis = [p.label for p in cuts.partitions if p.name == "chassis"]
        self.island = chassis[0] if chassis and island_gbps else None
        self.island_speed = island_gbps / unit_gbps

    def can_ever(self, size: int) -> bool:
        """Tell whether the machine has that many hosts."""
        return size <= self.fabric.n_hosts

    def find(self, size: int) -> Allocation | None:
        """Return the free hosts that spread the job least, or None if there are too few."""
        free = np.flatnonzero(self.free)
        if size > len(free):
            return None
        hosts = self._pack(free, size, len(self.levels) - 1)
        return self.make(size, np.sort(hosts))

    def _pack(self, free: Ints, size: int, level: int) -> Ints:
        """Return `size` of the `free` hosts, which lie in one set of the level above `level`."""
        if level < 0:
            return free[:size]
        label = self.levels[level][free]
        sets, count = np.unique(label, return_counts=True)
        chosen: list[Ints] = []
        while size > 0:
            whole = count >= size
            # the smallest set that holds the rest, else the emptiest one
            best = int(np.where(whole, count, np.iinfo(np.int64).max).argmin() if whole.any() else count.argmax())
            part = min(size, int(count[best]))
            chosen.append(self._pack(free[label == sets[best]], part, level - 1))
            size -= part
            count[best] = 0
        return np.concatenate(chosen)

    def shares(self, running: Sequence[Allocation]) -> Floats:
        """Return each job's bandwidth as a share of its isolated one, by the hierarchical time on islands."""
        rates = self.network_rates(running)
        if self.island is None:
            return rates
        return np.array([self._island_share(a, r) for a, r in zip(running, rates, strict=True)])

    def _island_share(self, allocation: Allocation, rate: float) -> float:
        assert self.island is not None
        parts = np.bincount(self.island[allocation.hosts])
        parts = parts[parts > 0]
        largest = int(np.bincount(self.island).max())
        islands = -(-allocation.size // largest)
        alone = self._time(allocation.size // islands, islands, 1.0)
        if rate <= 0 and len(parts) > 1:
            return 0.0
        return min(1.0, alone / self._time(int(parts.min()), len(parts), rate)) if alone else 1.0

    def _time(self, each: int, islands: int, rate: float) -> float:
        """Return an allreduce's seconds per unit of S over injection, `each` accelerators on each island."""
        inside = 2 * (each - 1) / each / self.island_speed
        across = 2 * (islands - 1) / islands / (each * rate) if islands > 1 else 0.0
        return inside + across


def _nested(labels: list[Ints]) -> list[Ints]:
    """Return the labels, finest first, dropping those whose sets straddle sets of a later one."""
    kept: list[Ints] = []
    for label in reversed(labels):
        if all(len(np.unique(np.stack([label, coarse]), axis=1).T) == label.max() + 1 for coarse in kept):
            kept.insert(0, label)
    return kept


def _island_gbps(fabric: Fabric) -> float:
    """Return the mean island bandwidth of a host, Gb/s over all planes; 0 without islands."""
    island = fabric.links["kind"] == LINK_CLASSES.index("nvlink")
    mine = fabric.ports["node"] < fabric.n_hosts
    rate = np.where(island, fabric.links["gbps"], 0)[fabric.ports["link"][mine]]
    return float(rate.sum()) / fabric.n_hosts * fabric.planes
