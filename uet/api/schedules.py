"""Workloads as schedules: make, show, convert and check them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uet.api.fabrics import SpecLike, checked_target
from uet.base.errors import BadInput, nearest
from uet.base.spec import Spec, is_file, parse_spec, read_spec

if TYPE_CHECKING:
    from uet.api.bounds import CutBound
    from uet.schedule.goal.blocks import Blocks
    from uet.schedule.model import Schedule

Say = Callable[[str], None]

GOAL_SUFFIXES = (".goal", ".bin")


@dataclass(frozen=True)
class Workload:
    """What `uet workload show` tells: operations by kind, and sums over them.

    `steps` are the sends on the longest chain of dependencies, None where only a run can tell; `bound` is there
    for a collective on a fabric.
    """

    name: str
    ranks: int
    operations: dict[str, int]
    dependencies: int
    processors: int
    nics: int
    wildcards: int
    steps: int | None
    messages: int
    total_bytes: int
    max_bytes_sent: int
    max_bytes_received: int
    bytes_reduced: int
    max_calc_us: float
    pairs: int
    data_bytes: int
    scratch_bytes: int
    dtype: str
    result: str | None
    bound: CutBound | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain data."""
        return asdict(self)


@dataclass(frozen=True)
class WorkloadCheck:
    """What `uet workload check` found: `problems` keep the workload from finishing, `warnings` do not."""

    name: str
    ranks: int
    operations: int
    problems: list[str]
    warnings: list[str]

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain data."""
        return {"ok": not self.problems, **asdict(self)}


def read_work(work: SpecLike, n_ranks: int | None = None, seed: int = 1) -> Schedule:
    """Return the Schedule of a WORK string, a .goal, .bin or .cm file, or a YAML or JSON file of a WORK or of jobs.

    `n_ranks` are the ranks at hand; without them a WORK takes those of its key `ranks`.
    """
    from uet.api.jobs_spec import merged, read_jobs
    from uet.schedule.works import build_spec

    text = str(work)
    spec = work_spec(work)
    if spec is not None:
        return build_spec(spec, _ranks(spec) if n_ranks is None else n_ranks, seed)
    suffix = Path(text).suffix.lower()
    if suffix in GOAL_SUFFIXES:
        from uet.schedule.goal import read_goal

        return read_goal(text)
    if suffix == ".cm":
        from emulation.workloads.connection_matrix import read_cm

        return read_cm(text)
    return merged(read_jobs(text, n_ranks, seed))[0]


def work_spec(work: SpecLike) -> Spec | None:
    """Return the parsed WORK of a string or of a YAML or JSON file; None for files of messages or of jobs."""
    from uet.api.jobs_spec import is_jobs_file

    text = str(work)
    if Path(text).suffix.lower() in (*GOAL_SUFFIXES, ".cm") or is_jobs_file(text):
        return None
    return read_spec(text) if is_file(text) else parse_spec(text)


def _ranks(spec: Spec) -> int:
    text = str(spec.arguments.get("ranks", ""))
    if not text.isdigit():
        raise BadInput(f"{spec.family}: say on how many ranks it runs, with --ranks or its key 'ranks'")
    return int(text)


def show_workload(work: SpecLike, ranks: int | None = None, seed: int = 1, *, on: SpecLike | None = None) -> Workload:
    """Return operations, steps and bytes of `work`; `ranks` as for `read_work`. Raises BadInput if it is wrong.

    On a fabric, `ranks` are its hosts by default, and a collective has its bound by cuts beside it.
    """
    import numpy as np

    from uet.api.bounds import bound_of
    from uet.api.fabrics import build
    from uet.base.units import PS_PER_US
    from uet.schedule.cost import volumes
    from uet.schedule.model import KINDS
    from uet.schedule.pairing import wildcards

    fabric = None if on is None else build(on)
    if fabric is not None and ranks is None:
        ranks = fabric.n_hosts
    schedule = read_work(work, ranks, seed)
    if fabric is not None and schedule.n_ranks - schedule.n_switches > fabric.n_hosts:
        raise BadInput(f"{schedule.name}: {schedule.n_ranks} ranks do not fit on the {fabric.n_hosts} hosts of {on}")
    ops = schedule.operations
    sums = volumes(schedule)
    kinds = np.bincount(ops["kind"], minlength=len(KINDS))
    try:
        steps = schedule.depth
    except BadInput:  # unmatched, circular or with wildcards: `check_workload` says which
        steps = None
    return Workload(
        name=schedule.name,
        ranks=schedule.n_ranks,
        operations={name: int(n) for name, n in zip(KINDS, kinds, strict=True)},
        dependencies=len(schedule.dependencies),
        processors=int(ops["cpu"].max(initial=0)) + 1,
        nics=int(ops["nic"].max(initial=0)) + 1,
        wildcards=int(wildcards(schedule).sum()),
        steps=steps,
        messages=sums.total_messages,
        total_bytes=sums.total_bytes,
        max_bytes_sent=int(sums.bytes_sent.max(initial=0)),
        max_bytes_received=int(sums.bytes_received.max(initial=0)),
        bytes_reduced=int(sums.bytes_reduced.sum()),
        max_calc_us=float(np.bincount(ops["rank"], ops["duration_ps"]).max(initial=0)) / PS_PER_US,
        pairs=len(sums.traffic.source),
        data_bytes=schedule.data_bytes,
        scratch_bytes=schedule.scratch_bytes,
        dtype=schedule.dtype,
        result=schedule.result or None,
        bound=None if fabric is None else bound_of(fabric, work, ranks, schedule),
    )


def list_algorithms() -> list[dict[str, Any]]:
    """Return every collective with its algorithms: collective, algorithm, summary and keys of its own with defaults."""
    from inspect import getdoc, getmodule

    from uet.schedule.collectives.library import ALGORITHMS, keys_of

    return [
        {
            "collective": kind,
            "algorithm": name,
            "summary": (getdoc(getmodule(build)) or "").partition("\n\n")[0].replace("\n", " "),
            "keys": keys_of(build),
        }
        for kind, algorithms in ALGORITHMS.items()
        for name, build in algorithms.items()
    ]


def make_collective(
    op: str,
    ranks: int,
    size: str | int,
    file: str | Path,
    *,
    algorithm: str | None = None,
    keys: Mapping[str, Any] | None = None,
    reduce_ps_per_byte: float = 0.0,
    force: bool = False,
) -> Workload:
    """Write a collective as GOAL (.goal: text, .bin: binary) and return what it is made of.

    `size` are the bytes of one rank's full vector, `keys` further keys of the collective (dtype, root,
    grid, ...). Reductions and copies become calcs of `reduce_ps_per_byte`, in whole nanoseconds.
    """
    from uet.schedule.collectives.library import ALGORITHMS
    from uet.schedule.goal import write_goal
    from uet.schedule.model import refuse_switches
    from uet.schedule.works import build_spec

    if op not in ALGORITHMS:
        raise BadInput(f"unknown collective '{op}'; {nearest(op, ALGORITHMS)}")
    path = checked_target(file, GOAL_SUFFIXES, force)
    arguments: dict[str, Any] = {"size": size, **(keys or {})}
    if algorithm is not None:
        arguments["algorithm"] = algorithm
    schedule = build_spec(Spec(op, arguments), ranks)
    refuse_switches(schedule)
    write_goal(schedule, path, reduce_ps_per_byte)
    return show_workload(path)


def convert_workload(
    source: str | Path, target: str | Path | None = None, *, force: bool = False, say: Say | None = None
) -> Path:
    """Convert between GOAL text and binary, or a .cm file to either, and return the path that was written.

    Without `target` a .bin file becomes .goal and any other .bin. GOAL is converted in batches, so its
    length is not limited by memory; what it says is not checked but for its form.
    """
    from uet.schedule.goal import read_batches, write_batches, write_goal

    source = Path(source)
    suffix = source.suffix.lower()
    if suffix not in (*GOAL_SUFFIXES, ".cm"):
        raise BadInput(f"{source}: is not a schedule that can be converted; legal: .goal, .bin, .cm")
    chosen = Path(target) if target else source.with_suffix(".goal" if suffix == ".bin" else ".bin")
    path = checked_target(chosen, GOAL_SUFFIXES, force)
    if suffix == ".cm":
        write_goal(read_work(source), path)
    else:
        write_batches(_told(read_batches(source), say), path)
    return path


def merge_workloads(jobs: str | Path, file: str | Path, *, seed: int = 1, force: bool = False) -> Workload:
    """Write the jobs of a YAML or JSON file as one GOAL file with a rank per host; return what it is made of.

    See `uet.api.jobs_spec` for the file. Raises BadInput for what is wrong in it or in a job's work.
    """
    from uet.api.jobs_spec import merged, read_jobs
    from uet.schedule.goal import write_goal

    path = checked_target(file, GOAL_SUFFIXES, force)
    write_goal(merged(read_jobs(jobs, seed=seed))[0], path)
    return show_workload(path)


def _told(batches: Iterable[Blocks], say: Say | None) -> Iterator[Blocks]:
    for batch in batches:
        yield batch
        if say is not None:
            say(f"{batch.first_rank + len(batch.first_node) - 1:,} of {batch.n_ranks:,} ranks")


def check_workload(work: SpecLike, ranks: int | None = None, seed: int = 1) -> WorkloadCheck:
    """Return what would keep `work` from finishing: unmatched messages, differing lengths, circles, deadlocks.

    Where receives have wildcards a run under LogGOPS with eager messages decides. Raises BadInput for
    files outside the grammar and for peers that do not exist.
    """
    from uet.schedule.check import problems
    from uet.schedule.goal import read_batches
    from uet.schedule.goal.blocks import to_schedule
    from uet.schedule.goal.places import with_lines
    from uet.schedule.pairing import has_wildcards

    path, warnings = Path(str(work)), []
    if path.suffix.lower() in GOAL_SUFFIXES:
        batches = list(read_batches(path))
        warnings = [remark for batch in batches for remark in batch.remarks]
        schedule = to_schedule(path.name, batches)
    else:
        schedule = read_work(work, ranks, seed)
    found = problems(schedule)
    if not found and has_wildcards(schedule):
        found = _deadlock(schedule)
    found = with_lines(path, found)
    return WorkloadCheck(schedule.name, schedule.n_ranks, len(schedule.operations), found, warnings)


def _deadlock(schedule: Schedule) -> list[str]:
    """Run the schedule at message level and say what was never done."""
    from emulation.loggops import LogGOPS, run_loggops
    from uet.base.errors import NoAnswer

    try:
        run_loggops(schedule, LogGOPS(eager_bytes=2**62)).check()
    except NoAnswer as deadlock:
        return [message.removeprefix(f"{schedule.name}: ") for message in deadlock.messages]
    return []
