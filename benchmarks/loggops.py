"""CPU seconds of the LogGOPS backend, beside those of LogGOPSim where UET_LOGGOPSIM_BIN names its binary.

Both run the same binary GOAL file in turn, so that a noisy machine disturbs both alike. Ours is split
into reading the file, building the tables and the event loop; interpreter start and compilation stand
beside it. The rival maps its file and reads it within its loop, so its loop is taken to be its whole
process less a process for two ranks. Ratios are of the loops, then of the rival's loop to our reading,
building and loop together. Usage:

    UET_LOGGOPSIM_BIN=/path/to/LogGOPSim python benchmarks/loggops.py [--runs 5] [--case NAME]
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RIVAL_TOO_SLOW_RANKS = 512  # a linear all-to-all of 1,024 ranks takes it more than 300 s


@dataclass(frozen=True)
class Case:
    """A communication pattern of so many ranks and bytes per message."""

    name: str
    pattern: Callable[[int, int], Any]
    ranks: int
    size_bytes: int


def dissemination(ranks: int, size_bytes: int) -> Any:
    """Return rounds k = 0, 1, ...: send to the rank 2^k further on, then wait for the one 2^k before."""
    import numpy as np

    from uet.schedule.model import RECV, SEND, ScheduleBuilder

    builder, every, before = ScheduleBuilder("dissemination", ranks, size_bytes), np.arange(ranks), np.full(ranks, -1)
    step = 1
    while step < ranks:
        builder.add(SEND, every, (before,), peer=(every + step) % ranks, bytes=size_bytes)
        before = builder.add(RECV, every, peer=(every - step) % ranks, bytes=size_bytes)
        step *= 2
    return builder.build()


def linear_alltoall(ranks: int, size_bytes: int) -> Any:
    """Return all messages between all pairs, without any dependency."""
    import numpy as np

    from uet.schedule.model import RECV, SEND, ScheduleBuilder

    builder, every = ScheduleBuilder("alltoall", ranks, size_bytes), np.arange(ranks)
    for step in range(1, ranks):
        builder.add(SEND, every, peer=(every + step) % ranks, bytes=size_bytes)
        builder.add(RECV, every, peer=(every - step) % ranks, bytes=size_bytes)
    return builder.build()


CASES = (
    Case("dissemination-16384", dissemination, 16_384, 8),
    Case("alltoall-256", linear_alltoall, 256, 1024),
    Case("alltoall-1024", linear_alltoall, 1024, 1024),
)


def rival_cpu_s(binary: str, file: Path) -> float:
    """Run the rival once and return the CPU seconds of its process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([binary, "-f", str(file), "--batchmode"], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(case: Case, runs: int, binary: str | None, folder: Path) -> None:
    """Print medians over `runs` interleaved runs of a case."""
    from emulation.loggops import run_loggops
    from uet.schedule.goal import read_goal, write_goal

    file, small = folder / "case.bin", folder / "small.bin"
    write_goal(case.pattern(2, case.size_bytes), small)
    started = time.process_time()
    run_loggops(read_goal(small))
    loaded_s, schedule = time.process_time() - started, case.pattern(case.ranks, case.size_bytes)
    started = time.process_time()
    write_goal(schedule, file)
    write_s = time.process_time() - started
    del schedule
    rows, theirs, events = [], [], 0
    for _ in range(runs):
        if binary and not (case.pattern is linear_alltoall and case.ranks > RIVAL_TOO_SLOW_RANKS):
            theirs.append(rival_cpu_s(binary, file) - rival_cpu_s(binary, small))
        started = time.process_time()
        schedule = read_goal(file)
        read_s = time.process_time() - started
        result = run_loggops(schedule)
        rows.append((read_s, result.build_cpu_s, result.loop_cpu_s))
        events = result.events
    read_s, build_s, loop_s = (statistics.median(column) for column in zip(*rows, strict=True))
    print(
        f"{case.name:20} loop {loop_s:7.3f}  build {build_s:7.3f}  read {read_s:7.3f}  write {write_s:7.3f} CPU s"
        f"  {1e9 * loop_s / events:5.0f} ns/event  {events:>9,} events  kernels loaded in {loaded_s:.1f} s"
    )
    if theirs:
        loops = statistics.median(b / a[2] for a, b in zip(rows, theirs, strict=True))
        wholes = statistics.median(b / sum(a) for a, b in zip(rows, theirs, strict=True))
        rival = statistics.median(theirs)
        print(
            f"{'':20} LogGOPSim loop {rival:7.3f} CPU s: {loops:.1f}x our loop, {wholes:.1f}x with reading and building"
        )


def main() -> None:
    """Measure all cases, or the one named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--case", choices=[c.name for c in CASES])
    arguments = parser.parse_args()
    print(f"interpreter start and imports: {time.process_time():.2f} CPU s; medians of {arguments.runs} runs")
    with tempfile.TemporaryDirectory() as folder:
        for case in CASES:
            if arguments.case in (None, case.name):
                measure(case, arguments.runs, os.environ.get("UET_LOGGOPSIM_BIN"), Path(folder))


if __name__ == "__main__":
    main()
