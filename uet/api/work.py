"""Workloads: show what one is made of, and run it on a fabric packet by packet."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uet.api.fabrics import SpecLike
from uet.base.errors import Interrupted, UetError
from uet.base.spec import is_file, read_spec

if TYPE_CHECKING:
    from emulation.packet.simulate import Result, SimulationSettings
    from topologies.fabric import Fabric
    from uet.base.runs import RunFolder
    from uet.base.tables import Records
    from uet.schedule.model import Schedule

Say = Callable[[str], None]


@dataclass(frozen=True)
class Workload:
    """What `uet workload show` tells: operations by kind, and what the cost model sums over them."""

    name: str
    ranks: int
    operations: dict[str, int]
    steps: int
    messages: int
    total_bytes: int
    max_bytes_sent: int
    max_bytes_received: int
    bytes_reduced: int
    pairs: int
    data_bytes: int
    scratch_bytes: int
    dtype: str
    result: str | None

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain data."""
        return asdict(self)


@dataclass(frozen=True)
class Run:
    """A finished, unfinished or interrupted simulation.

    `summary` is the document of `uet simulate --json`, `flows` and `ports` are tables (numpy record
    arrays), `folder` is the run folder if one was asked for, `problem` why the run is not complete.
    """

    summary: dict[str, Any]
    flows: Records
    ports: Records
    folder: Path | None
    problem: UetError | None


def read_work(work: SpecLike, n_ranks: int, seed: int = 1) -> Schedule:
    """Return the Schedule of a WORK string, a YAML or JSON file of its keys, or a .cm file."""
    from uet.schedule.works import build_spec, build_work

    text = str(work)
    if not is_file(text):
        return build_work(text, n_ranks, seed)
    if text.lower().endswith(".cm"):
        from emulation.workloads.connection_matrix import read_cm

        return read_cm(text)
    return build_spec(read_spec(text), n_ranks, seed)


def show_workload(work: SpecLike, ranks: int, seed: int = 1) -> Workload:
    """Return operations, steps and bytes of `work` on `ranks` ranks. Raises BadInput if it is wrong."""
    import numpy as np

    from uet.schedule.cost import volumes
    from uet.schedule.model import KINDS

    schedule = read_work(work, ranks, seed)
    sums = volumes(schedule)
    kinds = np.bincount(schedule.operations["kind"], minlength=len(KINDS))
    return Workload(
        name=schedule.name,
        ranks=schedule.n_ranks,
        operations={name: int(n) for name, n in zip(KINDS, kinds, strict=True)},
        steps=sums.steps,
        messages=sums.total_messages,
        total_bytes=sums.total_bytes,
        max_bytes_sent=int(sums.bytes_sent.max(initial=0)),
        max_bytes_received=int(sums.bytes_received.max(initial=0)),
        bytes_reduced=int(sums.bytes_reduced.sum()),
        pairs=len(sums.traffic.source),
        data_bytes=schedule.data_bytes,
        scratch_bytes=schedule.scratch_bytes,
        dtype=schedule.dtype,
        result=schedule.result or None,
    )


def simulate(
    work: SpecLike,
    on: SpecLike,
    *,
    seed: int = 1,
    settings: Mapping[str, str | float] | None = None,
    profile: str | None = None,
    cc: str = "constant",
    lb: str = "oblivious",
    end_ps: int | None = None,
    wire: bool = False,
    out: str | Path | None = None,
    force: bool = False,
    say: Say | None = None,
) -> Run:
    """Run `work` on one plane of the fabric `on`, packet by packet with the UET engine.

    `settings` are those of `uet.parameters`; `profile` names a set of their defaults (a .cm file:
    htsim, else uet-1.0); `cc` and `lb` name the congestion controller and the load balancer, or a
    file of one's own (path.py:Name); `end_ps` ends the simulated time early; `wire` passes every packet
    through its bytes, which is slower and changes nothing else; `out` asks for a run
    folder; `say` is called with remarks on progress. An unfinished run is returned with its `problem`.
    Raises BadInput before any work for whatever is wrong in the arguments.
    """
    from emulation.packet.simulate import SimulationSettings
    from uet.api.fabrics import build
    from uet.api.settings import checked_settings
    from uet.base.runs import RunFolder

    values = checked_settings(settings or {})
    chosen = profile or ("htsim" if str(work).lower().endswith(".cm") else "uet-1.0")
    _check_names(chosen, cc, lb)
    fabric = build(on)
    schedule = read_work(work, fabric.n_hosts, seed)
    folder = None if out is None else RunFolder(out, "simulate", seed, chosen, force)
    options = SimulationSettings(
        profile=chosen, controller=cc, balancer=lb, seed=seed, overrides=values, end_ps=end_ps, wire=wire
    )
    run = run_schedule(fabric, schedule, options, say)
    if folder is None:
        return run
    spec = {"work": str(work), "on": fabric.spec, "profile": chosen, "cc": cc, "lb": lb, "seed": seed, "set": values}
    _keep(folder, fabric, spec, run)
    return Run(run.summary, run.flows, run.ports, folder.target, run.problem)


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
    return Run(summary, result.flows, result.ports, None, problem)


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
