"""Running a workload at message level, under LogGOPS."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uet.api.fabrics import SpecLike
from uet.api.schedules import read_work
from uet.base.errors import Interrupted, NoAnswer, UetError

if TYPE_CHECKING:
    from emulation.loggops import LogGOPSResult
    from uet.base.runs import RunFolder
    from uet.schedule.model import Index, Schedule

Say = Callable[[str], None]

_LISTED = 1000
"""Operations that a summary lists at most."""


@dataclass(frozen=True)
class LogGOPSRun:
    """A finished, deadlocked or interrupted run under LogGOPS.

    `summary` is the document of `uet simulate --backend loggops --json`, `finish_ps` [ranks] when each rank
    finished, `folder` the run folder if one was asked for, `problem` why the run is not complete.
    """

    summary: dict[str, Any]
    finish_ps: Index
    folder: Path | None
    problem: UetError | None


PERFORMANCE = ("startup_s", "compile_s", "read_s", "build_s", "loop_s", "cpu_s", "wall_s")
"""Fields of a summary that differ between two equal runs: CPU seconds of the process before the run, of
compiling or loading kernels, of reading the work, building tables, the event loop, and the last two."""


def simulate_loggops(
    work: SpecLike,
    loggops: str = "",
    *,
    ranks: int | None = None,
    seed: int = 1,
    reduce_ps_per_byte: float = 0.0,
    out: str | Path | None = None,
    force: bool = False,
    say: Say | None = None,
) -> LogGOPSRun:
    """Run `work` (a .goal, .bin, .cm or .yaml file, or a WORK) at message level as LogGOPSim does.

    `loggops` are parameters as in 'L=2500,o=1500,g=1000,G=6,O=0,S=65535' (ns, bytes), `ranks` as for
    `read_work`; reductions and copies take `reduce_ps_per_byte`; `out` asks for a run folder. A deadlocked
    run is returned with its `problem`. Raises BadInput for whatever is wrong in the arguments.
    """
    from emulation.loggops import parse_loggops, run_loggops
    from uet.base.runs import RunFolder
    from uet.schedule.goal.text import prepare

    parameters = parse_loggops(loggops)
    folder = None if out is None else RunFolder(out, "simulate", seed, "loggops", force)
    startup_s, started = time.process_time(), time.perf_counter()
    prepare()
    prepared_s = time.process_time()
    schedule = read_work(work, ranks, seed)
    read_s = time.process_time() - prepared_s
    result = run_loggops(schedule, parameters, reduce_ps_per_byte, say=say)
    problem = _problem(work, schedule, result)
    summary = {"work": schedule.name, "backend": "loggops", "loggops": parameters.as_ns(), **_counts(work, result)}
    summary["status"] = "partial" if result.interrupted else "deadlock" if problem else "complete"
    summary |= {
        "startup_s": startup_s, "compile_s": prepared_s - startup_s + result.compile_cpu_s, "read_s": read_s,
        "build_s": result.build_cpu_s,
        "loop_s": result.loop_cpu_s,
        "cpu_s": result.build_cpu_s + result.loop_cpu_s,
        "wall_s": time.perf_counter() - started,
    }  # fmt: skip
    if folder is not None:
        _keep(folder, {"work": str(work), "loggops": summary["loggops"], "seed": seed}, summary, result, problem)
    return LogGOPSRun(summary, result.finish_ps, None if folder is None else folder.target, problem)


def _counts(work: SpecLike, result: LogGOPSResult) -> dict[str, Any]:
    import numpy as np

    from uet.schedule.model import KINDS, RECV, SEND

    kinds = np.bincount(result.schedule.operations["kind"], minlength=len(KINDS))
    return {
        "ranks": result.schedule.n_ranks,
        "sends": int(kinds[SEND]),
        "recvs": int(kinds[RECV]),
        "calcs": int(kinds.sum() - kinds[SEND] - kinds[RECV]),
        "events": result.events,
        "finish_ns": _ns(result.finish_ps),
        "max_ns": _ns(np.array([result.max_ps]))[0],
        "all_ops_executed": result.all_ops_executed,
        "operations_pending": len(result.pending),
        "unmatched": _listed(work, result, result.unmatched),
    }


def _ns(times_ps: Index) -> list[int | float]:
    """Return nanoseconds, as whole numbers where all are."""
    from uet.base.units import PS_PER_NS

    whole = not (times_ps % PS_PER_NS).any()
    return (times_ps // PS_PER_NS if whole else times_ps / PS_PER_NS).tolist()


def _listed(work: SpecLike, result: LogGOPSResult, operations: list[int]) -> list[dict[str, Any]]:
    """Return what is known of operations, with their line where the work is a GOAL text."""
    from uet.schedule.goal.places import find_lines
    from uet.schedule.naming import identify

    known = [identify(result.schedule, i) for i in operations[:_LISTED]]
    text = str(work).lower().endswith(".goal")
    lines = find_lines(Path(str(work)), [(k["rank"], k["operation"]) for k in known]) if text and known else {}
    return [{**k, "line": lines.get((k["rank"], k["operation"]), (None,))[0]} for k in known]


def _problem(work: SpecLike, schedule: Schedule, result: LogGOPSResult) -> UetError | None:
    """Say why a run is not complete: who waits, and the circle if the schedule has one."""
    from uet.schedule.check import problems
    from uet.schedule.goal.places import with_lines

    if result.interrupted:
        return Interrupted("interrupted; the result is partial")
    try:
        result.check()
    except NoAnswer as deadlock:
        causes = [f"{schedule.name}: {cause}" for cause in problems(schedule, limit=5) if "circle" in cause]
        return NoAnswer(*with_lines(Path(str(work)), [*deadlock.messages, *causes]))
    return None


def _keep(
    folder: RunFolder, spec: dict[str, Any], summary: dict[str, Any], result: LogGOPSResult, problem: UetError | None
) -> None:
    import numpy as np

    with folder:
        folder.write_spec(spec)
        folder.write_json("summary.json", {k: v for k, v in summary.items() if k not in PERFORMANCE})
        folder.write_json("perf.json", {k: summary[k] for k in PERFORMANCE})
        folder.write_table("ranks", {"rank": np.arange(len(result.finish_ps)), "finish_ps": result.finish_ps})
        if problem is not None:
            folder.end_as("partial" if result.interrupted else "invalid", problem.messages)
