"""Flexibility: how much of a shared machine does useful work under a stream of jobs that come and go."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topologies.allocators.base import Allocation, Allocator, PlacementOptions
from topologies.cuts import Cuts
from topologies.fabric import Fabric
from topologies.failures import Damage, no_damage
from topologies.jobs import Job, draw_jobs, draw_sizes
from topologies.placement import ENOUGH, allocator, check_sizes
from uet.base.errors import BadInput

WARM_UP = 0.2  # share of the later arrivals that only mix the machine


@dataclass(frozen=True)
class Flexibility:
    """Time averages over a stream of jobs, as shares of the accelerators that are wanted (or work, if fewer).

    `flexibility` counts accelerators whose job gets at least 90 % of its isolated allreduce bandwidth,
    `utilisation` all that run a job; `utilisation_p1` is undercut for 1 % of the time. `ideal` is the
    utilisation of a machine on which any free accelerators serve any job, under the same stream.
    """

    spec: str
    mix: str
    seed: int | None
    load: float
    jobs: int
    placements: int
    accelerators: int
    working: int
    flexibility: float
    utilisation: float
    utilisation_p1: float
    ideal: float
    mean_wait_h: float
    options: PlacementOptions

    def as_dict(self) -> dict[str, Any]:
        """Return the averages as plain values."""
        return asdict(self)


@dataclass
class _Meter:
    """Integrals over time of served, running and wanted accelerators, from `start_h` on."""

    start_h: float
    hours: list[float] = field(default_factory=list)
    served: list[float] = field(default_factory=list)
    running: list[float] = field(default_factory=list)

    def add(self, from_h: float, to_h: float, served: int, running: int, wanted: int) -> None:
        """Account for a stretch of time in which nothing changed."""
        hours = to_h - max(from_h, self.start_h)
        if hours > 0 and wanted:
            self.hours.append(hours)
            self.served.append(served / wanted)
            self.running.append(running / wanted)

    def mean(self, values: list[float]) -> float:
        """Return the time average, 1 if nothing was ever wanted."""
        return float(np.average(values, weights=self.hours)) if self.hours else 1.0

    def percentile(self, values: list[float], share: float) -> float:
        """Return the value that is undercut for `share` of the time."""
        order = np.argsort(values)
        passed = np.cumsum(np.array(self.hours)[order])
        return float(np.array(values)[order[np.searchsorted(passed, share * passed[-1])]]) if self.hours else 1.0


def flexibility(
    fabric: Fabric,
    mix: str = "mixed",
    jobs: int = 1000,
    load: float = 1.2,
    damage: Damage | None = None,
    options: PlacementOptions | None = None,
    seed: int = 1,
) -> Flexibility:
    """Return how well a fabric is shared by `jobs` seeded arrivals of a mix.

    `load` is what the jobs ask for over what the undamaged machine has: above 1 there is always one
    waiting. A job waits until it is placed, and others behind it may pass as the options say.
    """
    if jobs < 1 or load <= 0:
        raise BadInput(f"flexibility needs at least one job and a positive load, not jobs={jobs}, load={load:g}")
    stream = draw_jobs(mix, fabric.n_hosts, jobs, load, seed)
    return replace(flexibility_of(fabric, stream, damage, options), mix=mix, seed=seed, load=load, jobs=jobs)


def flexibility_of(
    fabric: Fabric, stream: Sequence[Job], damage: Damage | None = None, options: PlacementOptions | None = None
) -> Flexibility:
    """Return how well a fabric is shared by jobs with arrivals and durations of their own.

    `load` is then the accelerator hours they ask for, per accelerator and hour up to the last arrival.
    """
    options = options or PlacementOptions()
    hours = max((job.arrival_h for job in stream), default=0.0)
    asked = sum(job.size * job.duration_h for job in stream)
    load = asked / (fabric.n_hosts * hours) if hours else 0.0
    machine = allocator(fabric, damage, options)
    check_sizes(machine, stream)
    meter, waits = run_stream(machine, stream, options)
    ideal, _ = run_stream(_Ideal(fabric, damage or no_damage(fabric)), stream, options)
    return Flexibility(
        fabric.spec, "given", None, load, len(stream), len(waits), fabric.n_hosts, machine.working,
        meter.mean(meter.served), meter.mean(meter.running), meter.percentile(meter.running, 0.01),
        ideal.mean(ideal.running), float(np.mean(waits)) if waits else 0.0, options,
    )  # fmt: skip


class _Ideal(Allocator):
    """A machine on which any free hosts are as good as any others."""

    def __init__(self, fabric: Fabric, damage: Damage) -> None:
        super().__init__(fabric, Cuts(np.ones(fabric.n_hosts), ()), damage.host_down, ())

    def can_ever(self, size: int) -> bool:
        return size <= self.fabric.n_hosts

    def find(self, size: int) -> Allocation | None:
        free = np.flatnonzero(self.free)
        return self.make(size, free[:size]) if len(free) >= size else None


def run_stream(machine: Allocator, stream: Sequence[Job], options: PlacementOptions) -> tuple[_Meter, list[float]]:
    """Run jobs through a machine; return the meter and the waits of the jobs placed, h.

    Measured from the end of the warm-up to the last arrival.
    """
    arrivals = sorted(stream, key=lambda job: job.arrival_h)
    later = [job.arrival_h for job in arrivals if job.arrival_h > 0] or [0.0]
    run = _Run(machine, options, _Meter(later[int(WARM_UP * len(later))]))
    for job in arrivals:
        run.arrive(job)
    return run.meter, run.waits


class _Run:
    """A machine, the jobs on it and those that wait, at the time `now_h`."""

    def __init__(self, machine: Allocator, options: PlacementOptions, meter: _Meter) -> None:
        self.machine, self.options, self.meter = machine, options, meter
        self.now_h = 0.0
        self.running: dict[int, Allocation] = {}
        self.departures: list[tuple[float, int]] = []
        self.waiting: list[Job] = []
        self.waits: list[float] = []
        self.misfits: set[int] = set()  # sizes that found no place since the last release
        self.in_use = self.served = 0

    def arrive(self, job: Job) -> None:
        """Let jobs depart up to this job's arrival, then queue it and start what fits."""
        while self.departures and self.departures[0][0] <= job.arrival_h:
            self._pass(self.departures[0][0])
            gone = self.running.pop(heapq.heappop(self.departures)[1])
            self.machine.release(gone)
            self.in_use -= gone.size
            self.misfits.clear()
            self._start()
        self._pass(job.arrival_h)
        self.waiting.append(job)
        if self.options.sort:
            self.waiting.sort(key=lambda j: (-j.size, j.arrival_h))
        self._start()

    def _pass(self, until_h: float) -> None:
        wanted = min(self.machine.working, self.in_use + sum(job.size for job in self.waiting))
        self.meter.add(self.now_h, until_h, self.served, self.in_use, wanted)
        self.now_h = until_h

    def _start(self) -> None:
        """Place jobs in their order; up to `backfill` of them may be passed because they do not fit."""
        still: list[Job] = []
        for k, job in enumerate(self.waiting):
            if len(still) > self.options.backfill:
                still += self.waiting[k:]
                break
            if not self._place(job):
                still.append(job)
        self.waiting = still
        running = list(self.running.values())
        shares = self.machine.shares(running)
        self.served = sum(a.size for a, share in zip(running, shares.tolist(), strict=True) if share >= ENOUGH)

    def _place(self, job: Job) -> bool:
        found = None if job.size in self.misfits else self.machine.find(job.size)
        if found is None:
            self.misfits.add(job.size)
            return False
        self.machine.take(found)
        number = len(self.waits)
        self.running[number] = found
        heapq.heappush(self.departures, (self.now_h + job.duration_h, number))
        self.in_use += job.size
        self.waits.append(self.now_h - job.arrival_h)
        return True


@dataclass(frozen=True)
class Filling:
    """How full a machine gets when one list of jobs that fills it exactly arrives at once, over many lists."""

    spec: str
    mix: str
    seed: int
    samples: int
    working: int
    utilisation: float
    utilisation_p1: float
    options: PlacementOptions

    def as_dict(self) -> dict[str, Any]:
        """Return the statistics as plain values."""
        return asdict(self)


def filling(
    fabric: Fabric,
    mix: str = "mixed",
    samples: int = 100,
    damage: Damage | None = None,
    options: PlacementOptions | None = None,
    seed: int = 1,
) -> Filling:
    """Return the mean and first percentile of utilisation over job lists that ask for all working accelerators.

    This is the static experiment of HammingMesh (SC22), there with jobs of a cluster trace.
    """
    options = options or PlacementOptions()
    rng = np.random.default_rng(seed)
    got = []
    for _ in range(samples):
        machine = allocator(fabric, damage, options)
        sizes = draw_sizes(mix, fabric.n_hosts, machine.working, rng)
        sizes = sizes[: int(np.searchsorted(np.cumsum(sizes), machine.working)) + 1]
        sizes[-1] -= sizes.sum() - machine.working
        got.append(_fill(machine, np.sort(sizes)[::-1] if options.sort else sizes))
    got.sort()
    return Filling(fabric.spec, mix, seed, samples, machine.working, float(np.mean(got)), got[samples // 100], options)


def _fill(machine: Allocator, sizes: NDArray[np.int64]) -> float:
    placed = 0
    for size in sizes.tolist():
        found = machine.find(size)
        if found is not None:
            machine.take(found)
            placed += size
    return placed / machine.working
