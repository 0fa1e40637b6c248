"""Running a schedule under LogGOPS and reporting what happened."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from emulation.loggops.parameters import LogGOPS
from uet.base.errors import NoAnswer
from uet.base.tables import Records
from uet.schedule.model import COPY, RECV, REDUCE, SEND, Index, Schedule, ScheduleBuilder, refuse_switches
from uet.schedule.naming import describe

DEFAULTS = LogGOPS()
_EVENTS_PER_CALL = 1_000_000
_SHOWN = 8


@dataclass(frozen=True, eq=False)
class LogGOPSResult:
    """What a run gave.

    `finish_ps` [ranks] is when the last processor of each rank became free. `events` counts processed
    events: two per send, one per recv and calc when everything ran. `pending` are operations that were
    not done in the end and `unreceived` sends whose message no receive took, both as operation numbers.
    `loop_cpu_s` is the event loop alone, `build_cpu_s` the tables before it, `compile_cpu_s` the kernels.
    """

    schedule: Schedule
    finish_ps: Index
    events: int
    pending: Index
    unreceived: Index
    build_cpu_s: float
    loop_cpu_s: float
    compile_cpu_s: float
    interrupted: bool

    @property
    def max_ps(self) -> int:
        """When the last rank finished."""
        return int(self.finish_ps.max(initial=0))

    @property
    def all_ops_executed(self) -> bool:
        """Whether every operation was done; if not, the schedule is deadlocked, or the run was interrupted."""
        return not len(self.pending)

    @property
    def unmatched(self) -> list[int]:
        """Receives and sends that were left without a partner."""
        waiting = self.pending[self.schedule.operations["kind"][self.pending] == RECV]
        return list(dict.fromkeys([*waiting.tolist(), *self.unreceived.tolist()]))

    def check(self) -> None:
        """Raise NoAnswer naming ranks and operations if the schedule is deadlocked."""
        if self.all_ops_executed:
            return
        ops = self.schedule.operations
        sends = self.pending[ops["kind"][self.pending] == SEND]
        stuck = list(dict.fromkeys([*self.unmatched, *sends.tolist(), *self.pending.tolist()]))
        ranks = np.unique(ops["rank"][self.pending])
        more = f"; and {len(stuck) - _SHOWN} more" if len(stuck) > _SHOWN else ""
        raise NoAnswer(
            f"{self.schedule.name}: deadlock, operations never done: {len(self.pending)} (ranks: {len(ranks)}); "
            f"stuck: {'; '.join(describe(self.schedule, i) for i in stuck[:_SHOWN])}{more}"
        )


def run_loggops(
    schedule: Schedule, parameters: LogGOPS = DEFAULTS, reduce_ps_per_byte: float = 0.0, grouped: bool | None = None,
    say: Callable[[str], None] | None = None,
) -> LogGOPSResult:  # fmt: skip
    """Run a schedule and return when each rank finished; deadlocks are in the result (`check` raises).

    Reductions and copies hold the processor for `reduce_ps_per_byte`. `say` is called with remarks on
    progress; Ctrl-C ends the run early, with `interrupted` set in its result. `grouped` says whether events that
    wait for the same resource stand in the queue as one; by default they do unless empty messages could
    make a resource free earlier than it was, for which only the plain way is exact.
    """
    from emulation.loggops.build import build_world, times_never_go_back
    from emulation.loggops.rules import queue_freed, run_events

    refuse_switches(schedule)
    compile_cpu_s = _compile()
    started = time.process_time()
    ops = schedule.operations
    moved = (ops["kind"] == REDUCE) | (ops["kind"] == COPY)
    local_ps = np.where(moved, np.rint(ops["bytes"] * reduce_ps_per_byte).astype(np.int64), ops["duration_ps"])
    if grouped is None:
        grouped = times_never_go_back(schedule, parameters)
    world = build_world(schedule, parameters, local_ps, grouped)
    built = time.process_time()
    interrupted = False
    try:
        queue_freed(world.handle, 0)
        while run_events(world.handle, _EVENTS_PER_CALL):
            if say is not None:
                say(f"{int(world.tables['run']['events'][0]):,} events")
    except KeyboardInterrupt:
        interrupted = True
    ended = time.process_time()
    cpus = world.tables["cpu"]["free_ps"].reshape(schedule.n_ranks, -1)
    pending, unreceived = _left_over(schedule, world.tables["operation"][:-1], parameters)
    return LogGOPSResult(
        schedule, cpus.max(axis=1, initial=0), int(world.tables["run"]["events"][0]), pending, unreceived,
        built - started, ended - built, compile_cpu_s, interrupted,
    )  # fmt: skip


def _left_over(schedule: Schedule, rows: Records, parameters: LogGOPS) -> tuple[Index, Index]:
    """Return the operations that are not done, and the sends whose message was not received."""
    from emulation.loggops.state import DONE, IN_FLIGHT

    sends: NDArray[np.bool_] = schedule.operations["kind"] == SEND
    sent = sends & (rows["state"] >= IN_FLIGHT)
    done = (rows["state"] == DONE) | (sent & (rows["size"] <= parameters.eager_bytes))
    return np.flatnonzero(~done), np.flatnonzero(sent & (rows["state"] != DONE))


@cache
def _compile() -> float:
    """Run one message, so that the kernels are compiled; return the CPU seconds this took."""
    from emulation.loggops.build import build_world
    from emulation.loggops.rules import queue_freed, run_events

    started = time.process_time()
    builder = ScheduleBuilder("one message", 2, 1)
    builder.transfer(0, 1, 1)
    world = build_world(builder.build(), LogGOPS(), np.zeros(2, np.int64), True)
    queue_freed(world.handle, 0)
    run_events(world.handle, _EVENTS_PER_CALL)
    return time.process_time() - started
