"""What all allocators share: free hosts, who runs where, and the bandwidth that each job gets.

Bandwidth is that of a job's allreduce, as a share of what the job gets alone on the undamaged machine.
A ring through hosts in order crosses the border of a set of hosts once in each direction, at the rate
of one injection; jobs that cross the same border share what leaves it, max-min fair. A host with dead
ports slows its whole job. Both are bounds by cuts: routing within a set is taken to be perfect.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from topologies.cuts import Cuts, Partition
from topologies.fabric import Fabric

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PlacementOptions:
    """How jobs are put on a machine.

    transpose, aspect, locality: on grids of boards, also try a shape turned round, shapes of other
    aspects (up to 1:max_aspect), and prefer boards under the same leaf switches. sort: of the jobs that
    wait, the largest goes first. backfill: how many jobs behind one that does not fit may pass it. alltoall:
    on tori, choose blocks that are good for an alltoall, not for an allreduce.
    """

    transpose: bool = True
    aspect: bool = True
    sort: bool = True
    locality: bool = True
    max_aspect: int = 8
    backfill: int = 16
    alltoall: bool = False


@dataclass(frozen=True, eq=False)
class Allocation:
    """Hosts that a job got, in ring order; `shape` says their form where it has one."""

    size: int
    hosts: Ints
    shape: tuple[int, ...]
    limit: float  # share of its isolated bandwidth that its shape and its hosts' ports leave
    borders: Ints  # the sets whose border it spans, numbered through all partitions


class Allocator(ABC):
    """Gives out the hosts of one fabric; subclasses say which hosts a job of a size gets."""

    def __init__(
        self, fabric: Fabric, cuts: Cuts, host_down: NDArray[np.bool_], partitions: Sequence[Partition]
    ) -> None:
        """Start with all hosts free but those that are down."""
        self.fabric = fabric
        self.cuts = cuts
        self.partitions = tuple(partitions)
        self._first = np.cumsum([0, *(len(p.capacity) for p in partitions)])[:-1]
        self._capacity = np.concatenate([np.zeros(0), *(p.capacity for p in partitions)])
        self._load = np.zeros(len(self._capacity), np.int64)  # jobs across each border
        self.free = ~host_down
        self.working = int(self.free.sum())

    @abstractmethod
    def find(self, size: int) -> Allocation | None:
        """Return hosts for a job of `size` accelerators, or None; nothing is taken yet."""

    @abstractmethod
    def can_ever(self, size: int) -> bool:
        """Tell whether a job of `size` fits the empty, undamaged machine."""

    def make(self, size: int, hosts: Ints, shape: tuple[int, ...] = (), share: float = 1.0) -> Allocation:
        """Return the allocation of `hosts`, with `share` as the bandwidth that its shape leaves."""
        crossed = [first + p.crossed(hosts) for first, p in zip(self._first, self.partitions, strict=True)]
        borders = np.concatenate([np.zeros(0, np.int64), *crossed])
        return Allocation(size, hosts, shape, share * min(1.0, float(self.cuts.host[hosts].min())), borders)

    def take(self, allocation: Allocation) -> None:
        """Occupy the hosts of an allocation."""
        self.free[allocation.hosts] = False
        self._load[allocation.borders] += 1

    def release(self, allocation: Allocation) -> None:
        """Free the hosts of an allocation."""
        self.free[allocation.hosts] = True
        self._load[allocation.borders] -= 1

    def shares(self, running: Sequence[Allocation]) -> Floats:
        """Return each running job's bandwidth as a share of its isolated one, [len(running)]."""
        return self.network_rates(running)

    def network_rates(self, running: Sequence[Allocation]) -> Floats:
        """Return the max-min fair ring rates of the running jobs, in injections, [len(running)]."""
        limit = np.array([a.limit for a in running])
        if (self._load <= self._capacity).all():
            return limit
        jobs = np.repeat(np.arange(len(running)), [len(a.borders) for a in running])
        return max_min(limit, jobs, np.concatenate([a.borders for a in running]), self._capacity)


def max_min(limit: Floats, job: Ints, border: Ints, capacity: Floats) -> Floats:
    """Return the max-min fair rates of jobs: rate <= limit [jobs], and per border the sum <= capacity.

    Job job[i] crosses border[i]. All rates rise together until a job meets its limit or a border is full;
    the jobs concerned stop there and the others go on.
    """
    rate = np.zeros(len(limit))
    rising = limit > 0
    room = capacity.astype(np.float64).copy()
    while rising.any():
        load = np.bincount(border[rising[job]], minlength=len(room))
        used = load > 0
        step = float((limit - rate)[rising].min())
        if used.any():
            step = min(step, float((room[used] / load[used]).min()))
        rate[rising] += step
        room -= step * load
        full = used & (room <= 1e-12 * np.maximum(capacity, 1))
        stopped = rate >= limit - 1e-12
        stopped[job[full[border]]] = True
        rising &= ~stopped
    return rate
