"""Running a workload on a fabric, packet by packet or at flow level."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uet.api.fabrics import SpecLike
from uet.api.schedules import read_work
from uet.base.errors import BadInput, Interrupted, UetError, nearest

if TYPE_CHECKING:
    from emulation.flow.options import FlowSettings
    from emulation.flow.ring import RingSimulation
    from emulation.flow.simulate import FlowSimulation, Todo
    from emulation.packet.simulate import Simulation, SimulationSettings
    from emulation.results import Result
    from topologies.fabric import Fabric
    from uet.base.runs import RunFolder
    from uet.base.tables import Records
    from uet.schedule.model import Index

    Options = SimulationSettings | FlowSettings

Say = Callable[[str], None]
BACKENDS = ("packet", "flow")


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
    backend: str = "packet",
    seed: int = 1,
    settings: Mapping[str, str | float] | None = None,
    profile: str | None = None,
    transport: str = "uet",
    cc: str | None = None,
    lb: str = "mixed",
    fail: str = "",
    end_ps: int | None = None,
    allow_unfinished: bool = False,
    packet_bytes: int | None = None,
    wire: bool = False,
    out: str | Path | None = None,
    force: bool = False,
    say: Say | None = None,
) -> Run:
    """Run `work` on one plane of the fabric `on`: packet by packet with the UET engine, or (`backend` flow) as
    fluids that share the links max-min fairly, which takes neither `transport`, `cc` nor `wire`.

    `settings` are those of `uet.parameters`; `profile` names a set of their defaults (for .cm
    and .topo files htsim, else uet-1.0); `transport` is `uet`, or `roce` for what it replaces (go-back-N on
    one path, DCQCN, no trimming); `cc` [nscc; dcqcn for roce] and `lb` name the congestion controller (`nscc`, `rccc`,
    `nscc+rccc`, ...) and the load balancer, or a file of one's own (path.py:Name); `fail` are parts that are down
    or slow from the beginning (see `topologies.failures`), of several planes the one that lost most is
    simulated; `end_ps` ends the simulated time early, which is a problem unless `allow_unfinished`; `packet_bytes`
    sets the payload by what a full packet has with all headers; `wire` passes every packet through its bytes, which
    is slower and changes nothing else; `out` asks for a run folder; `say` is called with remarks on progress. An
    unfinished run is returned with its `problem`.
    Raises BadInput before any work for whatever is wrong in the arguments.
    """
    from uet.api.bounds import reached
    from uet.api.fabrics import build
    from uet.api.jobs import job_times
    from uet.api.jobs_spec import is_jobs_file, merged, read_jobs
    from uet.api.settings import checked_settings
    from uet.base.runs import RunFolder
    from uet.transport.settings import chosen as settle
    from uet.transport.settings import transport_switches

    values = transport_switches(transport) | checked_settings(settings or {})
    files_of_htsim = str(work).lower().endswith(".cm") or str(on).lower().endswith(".topo")
    chosen = profile or ("htsim" if files_of_htsim else "uet-1.0")
    if packet_bytes is not None:
        values["mtu.payload_bytes"] = packet_bytes - settle(chosen, values, others=values)["mtu.overhead_bytes"]
    if backend == "packet":
        cc = cc or ("dcqcn" if transport == "roce" else "nscc")
    options = _options(backend, chosen, cc, lb, seed, values, end_ps, wire)
    fabric = _left(build(on), fail, seed)
    jobs = read_jobs(work, fabric.n_hosts, seed) if is_jobs_file(work) else None
    todo, owner = (_todo(work, backend, fabric.n_hosts, seed), None) if jobs is None else merged(jobs)
    folder = None if out is None else RunFolder(out, "simulate", seed, chosen, force)
    run = run_schedule(fabric, todo, options, say)
    run.summary["bound"] = reached(fabric, work, None if run.problem else run.summary["sim_us"])
    if allow_unfinished and run.summary["status"] == "unfinished":
        run = replace(run, problem=None)
    if jobs is not None and owner is not None:
        run.summary["jobs"] = job_times(fabric, jobs, owner, options, run, say)
    if folder is None:
        return run
    spec = {
        "work": str(work),
        "on": fabric.spec,
        "backend": backend,
        "fail": fail,
        "profile": chosen,
        "transport": transport,
        "cc": cc,
        "lb": lb,
        "seed": seed,
        "set": values,
    }
    _keep(folder, fabric, spec, run)
    return replace(run, folder=folder.target)


def _options(
    backend: str, profile: str, cc: str | None, lb: str, seed: int, values: dict[str, float], end_ps: int | None,
    wire: bool,
) -> Options:  # fmt: skip
    """Return the settings of a backend. Raises BadInput for unknown names and what the backend does not do."""
    from emulation.flow.options import FlowSettings
    from emulation.packet.simulate import SimulationSettings
    from uet.transport.plugins import load
    from uet.transport.settings import defaults

    defaults(profile)
    if backend not in BACKENDS:
        raise BadInput(f"no backend with a fabric is called '{backend}'; {nearest(backend, BACKENDS)}")
    if backend == "flow":
        if cc is not None or wire:
            raise BadInput("the flow backend has no congestion controllers and no bytes; leave out cc and wire")
        return FlowSettings(profile, lb, seed, values, end_ps)
    controller = cc or "nscc"
    load("controller", controller)
    load("balancer", lb)
    return SimulationSettings(
        profile=profile, controller=controller, balancer=lb, seed=seed, overrides=values, end_ps=end_ps, wire=wire
    )


def _left(fabric: Fabric, fail: str, seed: int) -> Fabric:
    """Return what failures leave of the plane that they hit hardest."""
    from topologies.survivors import survivors

    if not fail:
        return fabric
    worst = min(survivors(fabric, fail, seed), key=lambda plane: float(plane.links["gbps"].sum()))
    return replace(worst, planes=fabric.planes)


def _todo(work: SpecLike, backend: str, n_ranks: int, seed: int) -> Todo:
    """Return the schedule of a work; for the flow level large all-to-alls and rings stay rules."""
    from uet.base.spec import is_file
    from uet.schedule.equal import as_rule

    rule = None if backend != "flow" or is_file(str(work)) else as_rule(str(work), n_ranks)
    return rule or read_work(work, n_ranks, seed)


def run_schedule(fabric: Fabric, schedule: Todo, options: Options, say: Say | None = None) -> Run:
    """Run `schedule` on one plane of `fabric`; see `simulate`."""
    if say is not None:
        say("preparing kernels (compiling them takes up to a minute, once)")
    startup_s = time.process_time()
    compile_s, started = _warm_up(fabric, schedule, options), time.perf_counter()
    simulation = _simulation(fabric, schedule, options, say)
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


def _warm_up(fabric: Fabric, schedule: Todo, options: Options) -> float:
    """Have the kernels ready and return the CPU seconds that took."""
    from emulation.flow.options import FlowSettings
    from emulation.flow.simulate import warm_up as warm_up_flows
    from emulation.packet.warmup import warm_up

    if isinstance(options, FlowSettings):
        return warm_up_flows(fabric, schedule)
    return warm_up(fabric, options)


def _simulation(
    fabric: Fabric, schedule: Todo, options: Options, say: Say | None
) -> Simulation | FlowSimulation | RingSimulation:  # fmt: skip
    from emulation.flow.options import FlowSettings
    from emulation.flow.simulate import flow_simulation
    from emulation.packet.simulate import Simulation
    from uet.schedule.model import Schedule

    if isinstance(options, FlowSettings):
        return flow_simulation(fabric, schedule, options, say)
    assert isinstance(schedule, Schedule)
    return Simulation(fabric, schedule, options)


PERFORMANCE = ("startup_s", "compile_s", "cpu_s", "wall_s", "peak_rss_bytes")
"""Fields of a summary that differ between two equal runs: CPU seconds of the process before the run, of
compiling or loading kernels, and of building and running; elapsed seconds of the run; peak memory."""


def _summary(
    fabric: Fabric, schedule: Todo, result: Result, options: Options, problem: UetError | None
) -> dict[str, Any]:
    status = "partial" if isinstance(problem, Interrupted) else result.status
    controller: str | None = getattr(options, "controller", None)
    return {
        "work": schedule.name,
        "on": fabric.spec,
        "hosts": fabric.n_hosts,
        "planes": fabric.planes,
        "planes_simulated": 1,
        "backend": "flow" if controller is None else "packet",
        "profile": options.profile,
        "cc": controller,
        "lb": options.balancer,
        "status": status,
        **result.totals,
        "settings": result.settings,
        "network": result.network and asdict(result.network),
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
