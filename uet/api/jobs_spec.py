"""The file of several jobs that share hosts: what each runs, where and from when on.

hosts: 32                     # by default as many as the jobs need
placement: packed             # packed, round-robin or random, for jobs without hosts of their own
jobs:
  - name: a
    work: allreduce:algorithm=ring,size=1MiB      # or a .goal, .bin, .cm or .yaml file beside this one
    ranks: 16                 # not for files that bring their own
    start: 5us
  - name: b
    work: trace.goal
    hosts: 16-23,30           # or a list
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BeforeValidator, Field, model_validator

from uet.api.schedules import read_work
from uet.base.errors import BadInput
from uet.base.spec import check, is_file, read_mapping
from uet.base.values import StrictModel, TimePs
from uet.schedule.merge import PlacedJob, merge
from uet.schedule.model import Index, Schedule


def _hosts(value: Any) -> Any:
    """Read '0-3,8' as (0, 1, 2, 3, 8)."""
    if isinstance(value, int):
        return (value,)
    if not isinstance(value, str):
        return value
    hosts: list[int] = []
    for part in value.split(","):
        low, dash, high = part.strip().partition("-")
        if not low.isdigit() or (dash and not high.isdigit()) or int(high or low) < int(low):
            raise ValueError("write hosts as numbers and ranges, such as 0-15,20")
        hosts += range(int(low), int(high or low) + 1)
    return tuple(hosts)


def _with_unit(value: Any) -> Any:
    if isinstance(value, int | float) and value != 0:
        raise ValueError("a time needs its unit, such as 5us")
    return value


class Job(StrictModel):
    """One job."""

    work: str
    name: str = ""
    ranks: int | None = Field(default=None, ge=1)
    hosts: Annotated[tuple[int, ...] | None, BeforeValidator(_hosts)] = None
    start: Annotated[TimePs, Field(ge=0), BeforeValidator(_with_unit)] = 0


class Jobs(StrictModel):
    """All jobs, and how those that name no hosts are placed on those that are left."""

    jobs: tuple[Job, ...]
    hosts: int | None = Field(default=None, ge=1)
    placement: Literal["packed", "round-robin", "random"] = "packed"

    @model_validator(mode="after")
    def _names_differ(self) -> Jobs:
        if not self.jobs:
            raise ValueError("there are no jobs; list at least one")
        names = [job.name for job in self.jobs if job.name]
        if len(set(names)) < len(names):
            raise ValueError("two jobs have the same name; give each its own")
        return self


@dataclass(frozen=True, eq=False)
class PlacedJobs:
    """Jobs with their schedules and hosts, out of `n_hosts` hosts."""

    name: str
    n_hosts: int
    jobs: tuple[PlacedJob, ...]


def is_jobs_file(work: str | Path) -> bool:
    """Tell whether a work is a YAML or JSON file of several jobs."""
    text = str(work)
    return text.lower().endswith((".yaml", ".yml", ".json")) and "jobs" in read_mapping(text)


def read_jobs(path: str | Path, n_hosts: int | None = None, seed: int = 1) -> PlacedJobs:
    """Return the placed jobs of a file, on `n_hosts` hosts if the file does not say how many.

    Raises BadInput naming every wrong key, works that are wrong, and jobs that do not fit on the hosts.
    """
    spec = check(Jobs, read_mapping(path), str(path))
    schedules = [_schedule(Path(path), job, seed) for job in spec.jobs]
    named = [h for job in spec.jobs for h in job.hosts or ()]
    needed = [0 if job.hosts is not None else s.n_ranks for job, s in zip(spec.jobs, schedules, strict=True)]
    total = spec.hosts or n_hosts or max(max(named, default=-1) + 1, len(set(named)) + sum(needed))
    free = np.setdiff1d(np.arange(total), named)
    if sum(needed) > len(free):
        raise BadInput(f"{path}: the jobs need {sum(needed)} hosts but {len(free)} of {total} are free; raise 'hosts'")
    chosen = iter(_place(needed, free, spec.placement, seed))
    jobs = []
    for k, (job, schedule) in enumerate(zip(spec.jobs, schedules, strict=True)):
        hosts = next(chosen)
        hosts = hosts if job.hosts is None else np.array(job.hosts, np.int64)
        jobs.append(PlacedJob(job.name or f"job{k}", schedule, hosts, job.start))
    return PlacedJobs(Path(path).name, total, tuple(jobs))


def merged(placed: PlacedJobs) -> tuple[Schedule, Index]:
    """Return the jobs as one schedule with a rank per host, and the job of each of its operations."""
    return merge(placed.name, placed.n_hosts, placed.jobs)


def _schedule(path: Path, job: Job, seed: int) -> Schedule:
    work = str(path.parent / job.work) if is_file(job.work) else job.work
    return read_work(work, job.ranks or (len(job.hosts) if job.hosts else None), seed)


def _place(sizes: list[int], free: Index, rule: str, seed: int) -> list[Index]:
    """Deal free hosts to jobs of `sizes`: one job after the other, in turn, or at random."""
    if rule == "round-robin":
        owner = np.repeat(np.arange(len(sizes)), sizes)
        turn = np.concatenate([np.zeros(0, np.int64), *(np.arange(n) for n in sizes)])
        owner = owner[np.lexsort((owner, turn))]
        return [free[: len(owner)][owner == k] for k in range(len(sizes))]
    if rule == "random":
        free = np.random.default_rng(seed).permutation(free)
    return np.split(free[: sum(sizes)], np.cumsum(sizes)[:-1])
