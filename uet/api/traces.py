"""Traces of real jobs as workloads: import them, record them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

Say = Callable[[str], None]


def import_workload(
    trace: str | Path,
    *,
    groups: str | Path | None = None,
    out: str | Path | None = None,
    force: bool = False,
    say: Say | None = None,
) -> dict[str, Any]:
    """Return what a recorded job communicated, and write it as GOAL (.goal or .bin) where `out` is given.

    `trace` is a file of one rank, a folder with one per rank, or a prefix of Chakra files: Kineto or execution
    traces of PyTorch (.json, .json.gz), Chakra (.et), AICB text. `groups` is a JSON file of group names and
    ranks, for Chakra traces. The result has `format`, `ranks`, `recorded_ranks`, `collectives` (type, count,
    bytes_in, bytes_out, group_size), `p2p`, `calc_us`, `skipped`, `notes` and `by_rank`; see
    `emulation.workloads.imports.summary`. Raises BadInput for what is wrong in a file, and, with `out`, for a
    trace whose calls cannot be matched.
    """
    from emulation.workloads.imports.read import read_trace
    from emulation.workloads.imports.schedule import trace_schedule
    from emulation.workloads.imports.summary import summary
    from uet.api.fabrics import checked_target
    from uet.api.schedules import GOAL_SUFFIXES
    from uet.schedule.check import check
    from uet.schedule.goal import write_goal

    path = None if out is None else checked_target(out, GOAL_SUFFIXES, force)
    read = read_trace(trace, groups, say)
    if path is not None:
        if say is not None:
            say("matching the calls of the ranks")
        schedule = trace_schedule(read)
        check(schedule)
        write_goal(schedule, path)
    return summary(read) | {"file": None if path is None else str(path)}


def record_workload(
    command: Sequence[str], out: str | Path, *, ranks: int = 1, force: bool = False, say: Say | None = None
) -> dict[str, Any]:
    """Run a PyTorch program on `ranks` processes of this machine, keep a trace of each rank in the folder `out`.

    `command` is such as ["python", "train.py"]; the program uses torch.distributed with gloo and takes RANK and
    WORLD_SIZE from its environment, as under torchrun. Its interpreter needs PyTorch (`pip install 'uet[torch]'`).
    Returns what `import_workload` does of the traces. Raises BadInput for other commands and an existing folder
    without `force`, NoAnswer if a rank fails.
    """
    from emulation.workloads.record.launch import record
    from uet.base.errors import BadInput

    folder = Path(out)
    if folder.exists() and not (force and folder.is_dir()):
        raise BadInput(f"{out}: already exists; choose another folder or overwrite it with --force")
    if not folder.absolute().parent.is_dir():
        raise BadInput(f"{out}: cannot be written, its folder does not exist; choose another place")
    files = record(command, ranks, folder, say)
    return {"files": [str(f) for f in files], **import_workload(folder, say=say)}
