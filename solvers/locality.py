"""Locality profile: bandwidth per accelerator against job size, for jobs that fill the whole machine.

Two placements bracket what schedulers do. Packed: every job sits as close together as the fabric's
allocator puts it (boards, blocks, leaves, islands). Scattered: a job's accelerators lie as far apart in
the numbering as possible, number k going to job k modulo their count. All jobs communicate at once, so a
job is guaranteed what its own placement gives it, whatever the others do. Neither placement is proven
to be the extreme; `Bandwidth.any_traffic` is a bound for every placement.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from solvers.allreduce import Job, allreduce, whole_machine
from solvers.bandwidth import Bandwidth, bandwidth_of, carried, connected, domain
from solvers.bound import Bound
from solvers.demand import alltoall
from solvers.network import Network, network_of
from solvers.throughput import Effort
from topologies.allocators.base import PlacementOptions
from topologies.cuts import partitions_of_hosts
from topologies.fabric import Fabric
from topologies.failures import Damage
from topologies.placement import allocator
from uet.base.errors import BadInput, nearest

PATTERNS = ("alltoall", "allreduce")
SMALLEST_STEP = 4
"""Sizes between the natural ones are powers of this."""


@dataclass(frozen=True)
class Step:
    """Jobs of `size` accelerators, `jobs` of them side by side, placed well (`best`) and badly (`worst`)."""

    size: int
    jobs: int
    best: Bandwidth
    worst: Bandwidth

    def as_dict(self) -> dict[str, Any]:
        """Return what differs between steps as plain data."""
        return {"size": self.size, "jobs": self.jobs, "best": _differing(self.best), "worst": _differing(self.worst)}


def _differing(found: Bandwidth) -> dict[str, Any]:
    whole = asdict(found)
    return {
        key: whole[key] for key in ("gbps_per_accelerator", "fraction", "lower", "upper", "exact", "method", "domain")
    }


def profile_sizes(fabric: Fabric, working: int) -> list[int]:
    """Return the job sizes of a profile: powers of four, the sizes of boards, leaves and groups, and the whole."""
    sizes = {SMALLEST_STEP**k for k in range(1, 12)} | {2}
    sizes |= {int(np.bincount(label).max()) for _, label in partitions_of_hosts(fabric)}
    return sorted({s for s in sizes if s < working} | {working})


def locality_profile(
    fabric: Fabric,
    pattern: str = "alltoall",
    damage: Damage | None = None,
    sizes: Sequence[int] | None = None,
    seed: int = 1,
    effort: Effort | None = None,
    say: Callable[[str], None] | None = None,
) -> list[Step]:
    """Return the profile of a fabric, one step per job size (`profile_sizes` by default).

    `say` is called with remarks on progress. Raises BadInput for patterns without a profile and for sizes
    that do not fit.
    """
    if pattern not in PATTERNS:
        raise BadInput(f"there is no locality profile of '{pattern}'; {nearest(pattern, PATTERNS)}")
    network, _ = connected(network_of(fabric, damage))
    working = int(network.alive.sum())
    wanted = profile_sizes(fabric, working) if sizes is None else list(sizes)
    wrong = [s for s in wanted if not 2 <= s <= working]
    if wrong:
        raise BadInput(f"a job of {wrong[0]} accelerators does not fit; choose sizes from 2 to {working}")
    measure = _Measure(fabric, network, pattern, damage, seed, effort or Effort())
    steps = []
    for size in wanted:
        if say:
            say(f"jobs of {size:,} accelerators")
        if size == working:
            whole = measure([whole_machine(fabric, network.alive)])
            steps.append(Step(size, 1, whole, whole))
            continue
        good, bad = packed(fabric, network, damage, size, pattern), scattered(network, size)
        steps.append(Step(size, len(good), measure(good), measure(bad)))
    return steps


@dataclass(frozen=True, eq=False)
class _Measure:
    """Finds the bandwidth of jobs that run at once."""

    fabric: Fabric
    network: Network
    pattern: str
    damage: Damage | None
    seed: int
    effort: Effort

    def __call__(self, jobs: Sequence[Job]) -> Bandwidth:
        hosts = np.concatenate([job.hosts for job in jobs])
        access = self.network.access_fraction(np.isin(np.arange(self.network.n_hosts), hosts))
        if self.pattern == "allreduce":
            bound, access = allreduce(self.fabric, self.network, jobs, self.damage, self.effort), np.inf
        else:
            bound = self._alltoall(jobs, access)
        where = {domain(self.fabric, job.hosts) for job in jobs}
        return bandwidth_of(self.fabric, self.pattern, self.network, bound, access, max(where))

    def _alltoall(self, jobs: Sequence[Job], access: float) -> Bound:
        label = np.full(self.network.n_hosts, -1)
        for k, job in enumerate(jobs):
            label[job.hosts] = k
        return carried(self.network, alltoall(self.network, label), access, self.effort, self.seed)


def packed(fabric: Fabric, network: Network, damage: Damage | None, size: int, pattern: str) -> list[Job]:
    """Return as many jobs of `size`, placed for a pattern, as the fabric's allocator finds room for."""
    machine = allocator(fabric, damage, PlacementOptions(alltoall=pattern == "alltoall"))
    jobs = []
    while (found := machine.find(size)) is not None:
        machine.take(found)
        hosts = found.hosts[network.alive[found.hosts]]
        if len(hosts) >= size:
            jobs.append(Job(hosts[:size], _accelerators(fabric, found.shape) if len(hosts) == size else ()))
    return jobs


def _accelerators(fabric: Fabric, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return an allocation's shape as a grid of accelerators, the first dimension fastest."""
    if fabric.family == "hammingmesh":
        (a, b), (rows, columns) = fabric.parameters["board"], shape
        return a * columns, b * rows
    return tuple(s for s in shape if s > 1)


def scattered(network: Network, size: int) -> list[Job]:
    """Return jobs of `size` hosts each that lie as far apart in the numbering as possible."""
    hosts = np.flatnonzero(network.alive)
    count = len(hosts) // size
    return [Job(hosts[k : count * size : count]) for k in range(count)]
