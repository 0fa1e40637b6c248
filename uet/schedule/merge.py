"""Several schedules as one: jobs that share a set of hosts, each with its own hosts and start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from uet.base.errors import BadInput
from uet.base.tables import Records
from uet.schedule.model import ANY, CALC, OPERATION, RECV, SEND, Index, Schedule

Scalar = TypeVar("Scalar", bound=np.generic)

_MOST_CPUS, _MOST_TAGS = 256, 2**32 - 1
"""What a GOAL file has room for."""


@dataclass(frozen=True, eq=False)
class PlacedJob:
    """A schedule whose rank k runs on host hosts[k], from `start_ps` on."""

    name: str
    schedule: Schedule
    hosts: Index
    start_ps: int = 0


def merge(name: str, n_hosts: int, jobs: Sequence[PlacedJob]) -> tuple[Schedule, Index]:
    """Return one schedule with a rank per host, and the job that each of its operations belongs to.

    Jobs stand one after another, their operations in order. A later start is a calc on every processor
    that the job uses. Jobs that share a host get processors and tags of their own there; NICs are shared.
    Raises BadInput for hosts that do not exist or stand twice in a job, and where shared hosts leave no
    room for processors and tags or a receive takes any tag.
    """
    for job in jobs:
        _check_hosts(job, n_hosts)
    shared = len(np.unique(np.concatenate([j.hosts for j in jobs]))) < sum(len(j.hosts) for j in jobs)
    if shared:
        jobs = _kept_apart(jobs)
    parts = [_placed(job) for job in jobs]
    operations = OPERATION.zeros(sum(len(p.operations) for p in parts))
    np.concatenate([operations[:0], *(p.operations for p in parts)], out=operations)
    starts = np.cumsum([0, *(len(p.operations) for p in parts)])
    counts = np.concatenate([np.diff(p.first_dependency) for p in parts])
    dependencies = np.concatenate([p.dependencies + s for p, s in zip(parts, starts, strict=False)])
    merged = Schedule(
        name, n_hosts, operations, np.concatenate([[0], np.cumsum(counts)]), dependencies,
        max(p.data_bytes for p in parts), max(p.scratch_bytes for p in parts),
        needed=_joined([p.needed for p in parts], [p.waits_for for p in parts], np.dtype(np.int32)),
        on_start=_joined(
            [p.on_start for p in parts], [np.zeros(len(p.dependencies)) for p in parts], np.dtype(np.bool_)
        ),
        declared=_joined_order(parts),
    )  # fmt: skip
    return merged, np.repeat(np.arange(len(parts)), np.diff(starts))


def _check_hosts(job: PlacedJob, n_hosts: int) -> None:
    hosts, wanted = job.hosts, job.schedule.n_ranks
    if len(hosts) != wanted:
        raise BadInput(f"job {job.name}: has {wanted} ranks but {len(hosts)} hosts; give as many")
    if len(np.unique(hosts)) < len(hosts):
        raise BadInput(f"job {job.name}: a host stands twice in its list; name each once")
    if len(hosts) and (hosts.min() < 0 or hosts.max() >= n_hosts):
        raise BadInput(f"job {job.name}: host {hosts.max()} is not one of 0..{n_hosts - 1}; correct its hosts")


def _kept_apart(jobs: Sequence[PlacedJob]) -> list[PlacedJob]:
    """Return the jobs with processors and tags that no other of them uses."""
    apart, first_cpu = [], 0
    for k, job in enumerate(jobs):
        operations = job.schedule.operations.copy()
        messages = np.isin(operations["kind"], (SEND, RECV))
        if np.any(operations["tag"][messages] == ANY):
            raise BadInput(f"job {job.name}: shares hosts with others but has messages with any tag; give them tags")
        cpus, tags = operations["cpu"].astype(np.int64) + first_cpu, operations["tag"] * len(jobs) + k
        if cpus.max(initial=0) >= _MOST_CPUS or tags.max(initial=0) >= _MOST_TAGS:
            raise BadInput(f"job {job.name}: shared hosts have no room for its processors or tags; spread the jobs")
        operations["cpu"], operations["tag"] = cpus, np.where(messages, tags, operations["tag"])
        first_cpu = int(cpus.max(initial=first_cpu)) + 1
        apart.append(replace(job, schedule=replace(job.schedule, operations=operations)))
    return apart


def _placed(job: PlacedJob) -> Schedule:
    """Return the schedule of a job with hosts for ranks, its start calcs first."""
    s = job.schedule
    operations = s.operations.copy()
    operations["rank"] = job.hosts[operations["rank"]]
    named = operations["peer"] >= 0
    operations["peer"][named] = job.hosts[operations["peer"][named]]
    placed = replace(s, operations=operations)
    return placed if job.start_ps == 0 else _delayed(placed, job.start_ps)


def _delayed(s: Schedule, start_ps: int) -> Schedule:
    """Let the operations that wait for nothing wait for a calc of their processor."""
    where = s.operations["rank"].astype(np.int64) * _MOST_CPUS + s.operations["cpu"]
    processors, own = np.unique(where, return_inverse=True)
    n = len(processors)
    calcs: Records = OPERATION.zeros(n)
    calcs["kind"], calcs["peer"], calcs["duration_ps"] = CALC, -1, start_ps
    calcs["rank"], calcs["cpu"] = processors // _MOST_CPUS, processors % _MOST_CPUS
    roots = np.flatnonzero(s.waits_for == 0)
    places = s.first_dependency[roots]
    counts = np.concatenate([np.zeros(n, np.int64), np.diff(s.first_dependency)])
    counts[n + roots] += 1
    operations = OPERATION.zeros(n + len(s.operations))
    np.concatenate([calcs, s.operations], out=operations)
    delayed = replace(
        s, operations=operations, first_dependency=np.concatenate([[0], np.cumsum(counts)]),
        dependencies=np.insert(s.dependencies + n, places, own[roots]),
    )  # fmt: skip
    if s.needed is not None:
        needed = s.needed.copy()
        needed[roots] += 1
        delayed = replace(delayed, needed=np.concatenate([np.zeros(n, np.int32), needed]))
    if s.on_start is not None:
        delayed = replace(delayed, on_start=np.insert(s.on_start, places, False))
    if s.declared is not None:
        order = np.arange(len(s.declared), len(s.declared) + len(roots))
        delayed = replace(delayed, declared=np.insert(s.declared, places, order))
    return delayed


def _joined(
    given: Sequence[NDArray[Any] | None], plain: Sequence[NDArray[Any]], dtype: np.dtype[Scalar]
) -> NDArray[Scalar] | None:
    """Join an optional column of the parts, with the plain rule where a part has none; None if all have none."""
    if all(column is None for column in given):
        return None
    return np.concatenate([p if g is None else g for g, p in zip(given, plain, strict=True)]).astype(dtype)


def _joined_order(parts: Sequence[Schedule]) -> Index | None:
    lengths = [len(p.dependencies) for p in parts]
    joined = _joined([p.declared for p in parts], [np.arange(m) for m in lengths], np.dtype(np.int64))
    return None if joined is None else joined + np.repeat(np.cumsum([0, *lengths[:-1]]), lengths)
