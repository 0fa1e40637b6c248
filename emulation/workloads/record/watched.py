"""Runs a Python program and writes a trace of its communication: `watched.py TRACE program.py arguments`.

Started by `uet workload record` with the interpreter of the program, so it needs PyTorch and nothing of uet.
The profiler runs from the start of `init_process_group` until the end of the process group or the program.
Gloo does not record the group of a call, so every call made through `torch.distributed` stands in an
annotation that tells the ranks of its group; DistributedDataParallel is made to call from there as well.
"""

from __future__ import annotations

import atexit
import functools
import inspect
import json
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

GROUP_MARK = "uet:group "
"""Also in `emulation.workloads.imports.kineto`, which this file cannot import."""

CALLS = (
    "all_reduce", "all_reduce_coalesced", "broadcast", "reduce", "all_gather", "all_gather_into_tensor", "gather",
    "scatter", "reduce_scatter", "reduce_scatter_tensor", "all_to_all", "all_to_all_single", "barrier", "send", "recv",
    "isend", "irecv",
)  # fmt: skip


class Recorder:
    """The profiler of one process, started and stopped once."""

    def __init__(self, target: str) -> None:
        """Take the file to write."""
        self.target = target
        self.profiler: Any = None
        self.groups: list[list[int]] = []

    def start(self) -> None:
        """Begin to record."""
        from torch.profiler import ProfilerActivity, profile

        self.profiler = profile(activities=[ProfilerActivity.CPU], record_shapes=True)
        self.profiler.start()

    def stop(self) -> None:
        """End recording and write the trace; the second time nothing happens."""
        profiler, self.profiler = self.profiler, None
        if profiler is not None:
            profiler.stop()
            profiler.export_chrome_trace(self.target)
            self._tell_groups()

    def _tell_groups(self) -> None:
        """Add the groups made while recording to those that the profiler wrote down at its start."""
        path = Path(self.target)
        document = json.loads(path.read_text("utf-8"), strict=False)
        listed = document.get("distributedInfo", {}).setdefault("pg_config", [])
        for ranks in self.groups:
            listed.append({"pg_name": f"made {len(listed)}", "pg_size": len(ranks), "ranks": ranks})
        path.write_text(json.dumps(document), "utf-8")


def watch(recorder: Recorder) -> None:
    """Let torch.distributed start and stop the recorder and name the group of every call."""
    import torch.distributed as dist

    begin, end, make = dist.init_process_group, dist.destroy_process_group, dist.new_group

    @functools.wraps(begin)
    def init_process_group(*arguments: Any, **keys: Any) -> Any:
        done = begin(*arguments, **keys)
        recorder.start()
        return done

    @functools.wraps(end)
    def destroy_process_group(group: Any = None) -> None:
        if group is None:
            recorder.stop()
        end(group)

    @functools.wraps(make)
    def new_group(*arguments: Any, **keys: Any) -> Any:
        group = make(*arguments, **keys)
        if isinstance(group, dist.ProcessGroup):  # else this rank is no member
            recorder.groups.append(dist.get_process_group_ranks(group))
        return group

    _replace("init_process_group", init_process_group)
    _replace("new_group", new_group)
    _replace("destroy_process_group", destroy_process_group)
    for name in CALLS:
        if hasattr(dist, name):
            _replace(name, marked(getattr(dist, name), "group"))
    watch_ddp()
    atexit.register(recorder.stop)


def _replace(name: str, function: Callable[..., Any]) -> None:
    """Put a function in both places that programs and libraries take it from."""
    import torch.distributed as dist

    setattr(dist, name, function)
    setattr(dist.distributed_c10d, name, function)


def watch_ddp() -> None:
    """Let DistributedDataParallel name its group where it calls, and reduce gradients through torch.distributed."""
    import torch
    import torch.distributed as dist
    from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook
    from torch.nn.parallel import DistributedDataParallel

    before_forward = DistributedDataParallel._pre_forward

    @functools.wraps(before_forward)
    def pre_forward(self: Any, *arguments: Any, **keys: Any) -> Any:
        if not self._comm_hooks:
            self.register_comm_hook(self.process_group, allreduce_hook)
        with torch.profiler.record_function(GROUP_MARK + str(dist.get_process_group_ranks(self.process_group))):
            return before_forward(self, *arguments, **keys)

    DistributedDataParallel.__init__ = marked(DistributedDataParallel.__init__, "process_group")
    DistributedDataParallel._pre_forward = pre_forward


def marked(call: Callable[..., Any], key: str) -> Callable[..., Any]:
    """Return `call` within an annotation that tells the ranks of the group that is its argument `key`."""
    import torch
    import torch.distributed as dist

    signature = inspect.signature(call)

    @functools.wraps(call)
    def with_mark(*arguments: Any, **keys: Any) -> Any:
        try:
            group = signature.bind(*arguments, **keys).arguments.get(key)
            ranks = dist.get_process_group_ranks(group if group is not None else dist.group.WORLD)
        except (TypeError, ValueError, RuntimeError):  # the call itself says what is wrong
            return call(*arguments, **keys)
        with torch.profiler.record_function(GROUP_MARK + str(list(ranks))):
            return call(*arguments, **keys)

    return with_mark


def main() -> None:
    """Run the program that the command line names."""
    target, *program = sys.argv[1:]
    try:
        watch(Recorder(target))
    except ModuleNotFoundError as missing:
        sys.exit(f"{missing}; install PyTorch for this interpreter, such as pip install 'uet[torch]'")
    sys.argv = program
    if program[0] == "-m":
        sys.argv = program[1:]
        runpy.run_module(program[1], run_name="__main__", alter_sys=True)
    else:
        sys.path[0] = program[0].rpartition("/")[0] or "."
        runpy.run_path(program[0], run_name="__main__")


if __name__ == "__main__":
    main()
