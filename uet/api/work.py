"""Running a workload on a fabric, packet by packet."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uet.api.fabrics import SpecLike
from uet.api.schedules import read_work
from uet.base.errors import Interrupted, UetError

if TYPE_CHECKING:
    from emulation.packet.simulate import Result, SimulationSettings
    from topologies.fabric import Fabric
    from uet.base.runs import RunFolder
    from uet.base.tables import Records
    from uet.schedule.model import Index, Schedule

Say = Callable[[str], None]


@dataclass(frozen=True)
class Run:
    """A finished, unfinished or interrupted simulation.

    `summary` is the document of `uet simulate --json`, `flows` and `ports` are tables (numpy record
    arrays), `done_ps` [operations] when each was done (-1: not), `folder` the run folder if one was asked
    for, `problem` why the run is not complete.
    """

    summary: dict[str, Any]
    flows: Records
    ports: Records
    done_ps: Index
    folder: Path | None
    problem: UetError | None


def simulate(
    work: SpecLike,
    on: SpecLike,
    *,
    seed: int = 1,
    settings: Mapping[str, str | float] | None = None,
    profile: str | None = None,
    transport: str = "uet",
    cc: str | None = None,
    lb: str = "mixed",
    end_ps: int | None = None,
    wire: bool = False,
    out: str | Path | None = None,
    force: bool = False,
    say: Say | None = None,
) -> Run:
    """Run `work` on one plane of the fabric `on`, packet by packet with the UET engine.

    `settings` are those of `uet.parameters`; `profile` names a set of their defaults (for .cm
    and .topo files htsim, else uet-1.0); `transport` is `uet`, or `roce` for what it replaces (go-back-N on
    one path, DCQCN, no trimming); `cc` [nscc; dcqcn for roce] and `lb` name the congestion controller (`nscc`, `rccc`,
    `nscc+rccc`, ...) and the load balancer, or a file of one's own (path.py:Name); `end_ps` ends the
    simulated time early; `wire` passes every packet through its bytes, which is slower and changes
    nothing else; `out` asks for a run folder; `say` is called with remarks on progress. An unfinished run
    is returned with its `problem`.
    Raises BadInput before any work for whatever is wrong in the arguments.
    """
    from emulation.packet.simulate import SimulationSettings
    from uet.api.fabrics import build
    from uet.api.jobs import job_times
    from uet.api.jobs_spec import is_jobs_file, merged, read_jobs
    from uet.api.settings import checked_settings
    from uet.base.runs import RunFolder
    from uet.transport.settings import transport_switches

    values = transport_switches(transport) | checked_settings(settings or {})
    cc = cc or ("dcqcn" if transport == "roce" else "nscc")
    files_of_htsim = str(work).lower().endswith(".cm") or str(on).lower().endswith(".topo")
    chosen = profile or ("htsim" if files_of_htsim else "uet-1.0")
    _check_names(chosen, cc, lb)
    fabric = build(on)
    jobs = read_jobs(work, fabric.n_hosts, seed) if is_jobs_file(work) else None
    schedule, owner = (read_work(work, fabric.n_hosts, seed), None) if jobs is None else merged(jobs)
    folder = None if out is None else RunFolder(out, "simulate", seed, chosen, force)
    options = SimulationSettings(
        profile=chosen, controller=cc, balancer=lb, seed=seed, overrides=values, end_ps=end_ps, wire=wire
    )
    run = run_schedule(fabric, schedule, options, say)
    if jobs is not None and owner is not None:
        run.summary["jobs"] = job_times(fabric, jobs, owner, options, run, say)
    if folder is None:
        return run
    spec = {
        "work": str(work),
        "on": fabric.spec,
        "profile": chosen,
        "transport": transport,
        "cc": cc,
        "lb": lb,
        "seed": seed,
        "set": values,
    }
    _keep(folder, fabric, spec, run)
    return replace(run, folder=folder.target)


def _check_names(profile: str, cc: str, lb: str) -> None:
    from uet.transport.plugins import load
    from uet.transport.settings import defaults

    defaults(profile)
    load("controller", cc)
    load("balancer", lb)


def run_schedule(fabric: Fabric, schedule: Schedule, options: SimulationSettings, say: Say | None = None) -> Run:
    """Run `schedule` on one plane of `fabric`; see `simulate`."""
    from emulation.packet.simulate import Simulation
    from emulation.packet.warmup import warm_up

    if say is not None:
        say("preparing kernels (compiling them takes up to a minute, once)")
    startup_s = time.process_time()
    compile_s, started = warm_up(fabric, options), time.perf_counter()
    simulation = Simulation(fabric, schedule, options)
    problem: UetError | None = None
    try:
        while not simulation.advance():
            if say is not None:
                done, total = simulation.progress
                say(f"{simulation.now_ps / 1e6:,.1f} us simulated, {done:,} of {total:,} operations done")
    except KeyboardInterrupt:
        problem = Interrupted("interrupted; the result is partial")
    result = simulation.result()
    problem = problem or simulation.problem
    summary = _summary(fabric, schedule, result, options, problem)
    summary |= {"startup_s": startup_s, "compile_s": compile_s, "wall_s": time.perf_counter() - started}
    return Run(summary, result.flows, result.ports, result.done_ps, None, problem)


PERFORMANCE = ("startup_s", "compile_s", "cpu_s", "wall_s", "peak_rss_bytes")
"""Fields of a summary that differ between two equal runs: CPU seconds of the process before the run, of
compiling or loading kernels, and of building and running; elapsed seconds of the run; peak memory."""


def _summary(
    fabric: Fabric, schedule: Schedule, result: Result, options: SimulationSettings, problem: UetError | None
) -> dict[str, Any]:
    status = "partial" if isinstance(problem, Interrupted) else result.status
    return {
        "work": schedule.name,
        "on": fabric.spec,
        "hosts": fabric.n_hosts,
        "planes": fabric.planes,
        "planes_simulated": 1,
        "profile": options.profile,
        "cc": options.controller,
        "lb": options.balancer,
        "status": status,
        **result.totals,
        "settings": result.settings,
        "network": asdict(result.network),
    }


def _keep(folder: RunFolder, fabric: Fabric, spec: dict[str, Any], run: Run) -> None:
    """Write a run folder; its manifest tells a run that ended early from a complete one."""
    ports = fabric.ports
    with folder:
        folder.write_spec(spec)
        folder.write_json("summary.json", {k: v for k, v in run.summary.items() if k not in PERFORMANCE})
        folder.write_json("perf.json", {k: run.summary[k] for k in PERFORMANCE})
        folder.write_table("flows", columns(run.flows))
        folder.write_table("ports", {"node": ports["node"], "peer": ports["node"][ports["peer"]], **columns(run.ports)})
        if run.problem is not None:
            status = "partial" if isinstance(run.problem, Interrupted) else "invalid"
            folder.end_as(status, run.problem.messages)


def columns(rows: Records) -> dict[str, Any]:
    """Return the fields of a record array by name, for a table of a run folder."""
    return {name: rows[name] for name in rows.dtype.names or ()}
