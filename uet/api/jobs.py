"""Several jobs on one fabric: when each ends, and how much the others slow it down."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from uet.api.jobs_spec import PlacedJobs, merged
from uet.api.work import Run, Say, run_schedule
from uet.base.units import PS_PER_US

if TYPE_CHECKING:
    from topologies.fabric import Fabric
    from uet.api.work import Options
    from uet.schedule.model import Index


def job_times(
    fabric: Fabric, jobs: PlacedJobs, owner: Index, options: Options, run: Run, say: Say | None = None
) -> list[dict[str, Any]]:
    """Return start, finish and slowdown of each job of a run: its duration over that when it runs alone.

    A job ends when its last operation is done. Jobs that did not end, and jobs whose run alone is not
    complete, have no slowdown.
    """
    rows = []
    for k, job in enumerate(jobs.jobs):
        finish_us, start_us = _end_us(run.done_ps[owner == k]), job.start_ps / PS_PER_US
        alone_us = None
        if run.problem is None:
            if say is not None:
                say(f"job {job.name} alone")
            alone, _ = merged(replace(jobs, jobs=(replace(job, start_ps=0),)))
            alone_us = _end_us(run_schedule(fabric, alone, options, say).done_ps)
        took_us = None if finish_us is None else finish_us - start_us
        rows.append({
            "name": job.name, "work": job.schedule.name, "ranks": job.schedule.n_ranks, "start_us": start_us,
            "finish_us": finish_us, "duration_us": took_us, "isolated_us": alone_us,
            "slowdown": took_us / alone_us if took_us and alone_us else None,
        })  # fmt: skip
    return rows


def _end_us(done_ps: Index) -> float | None:
    return float(done_ps.max()) / PS_PER_US if len(done_ps) and np.all(done_ps >= 0) else None
