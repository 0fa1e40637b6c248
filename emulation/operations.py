"""Running a Schedule: which operations are ready, started and done. Shared by all carriers and the flow level.

After engine verbs the carrier calls `absorb`; then `start_ready`, the local work that `next_local`
names, and the endpoints that `next_kick` names, until nothing is left. Reductions and copies take no
time here; computing takes its stated duration.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from emulation.events import schedule as schedule_event
from uet.base.errors import BadInput
from uet.base.jit import World, WorldLayout, kernel
from uet.base.tables import table
from uet.schedule.model import CALC, RECV, SEND
from uet.transport.completions import next_completion
from uet.transport.messages import post
from uet.transport.state import RECEIVED_DONE, SENT_DONE, SENT_FAILED, completion_at

if TYPE_CHECKING:
    from uet.schedule.model import Schedule

RUNNER = table(
    "runner",
    """
    remaining i8 - operations not done
    failed i8 - sends whose PDC gave up
    refused i8 - sends the engine refused for lack of room
    n_ready i8 - operations on the ready stack
    n_local i8 - operations on the local stack
    n_kicks i8 - endpoints on the kick stack
    now_ps i8 ps time of the last event
    """,
)
STEP = table(
    "step",
    """
    kind u1 - as in the schedule
    started u1 - 1 once everything it waits for is done
    arrived u1 - receive: 1 once the message is there
    early u1 - receive: 1 if the message came before it started and waits elsewhere
    done u1 - 1 once done
    waits i4 - operations it still waits for
    rank i4 - endpoint of its rank that it runs at
    peer i4 - endpoint at the other side
    n_after i4 - operations that wait for it
    first_after i8 - where they stand in `after`
    pair i8 - operation at the other end, -1 none
    bytes i8 bytes length
    duration_ps i8 ps of a calc
    started_ps i8 ps when it started
    done_ps i8 ps when it was done, -1 not yet
    message i8 - send: message row in the engine
    """,
)
AFTER = table("after", "step i4 - operation that waits")
READY_STACK = table("ready_step", "item i4 - operation to start")
LOCAL_STACK = table("local_step", "item i4 - reduce, copy or early receive that the carrier is to carry out")
KICK_STACK = table("kick", "item i4 - endpoint that may have packets to send")
OPERATIONS = WorldLayout("operations", RUNNER, STEP, AFTER, READY_STACK, LOCAL_STACK, KICK_STACK)

runner_at = OPERATIONS.rows("runner")
step_at = OPERATIONS.rows("step")
after_at = OPERATIONS.rows("after")
ready_step_at = OPERATIONS.rows("ready_step")
local_step_at = OPERATIONS.rows("local_step")
kick_at = OPERATIONS.rows("kick")

KIND_BITS = 29
ARRIVAL, PORT_FREE, CALC_DONE = (k << KIND_BITS for k in range(3))
INDEX_MASK = (1 << KIND_BITS) - 1
"""Event kinds in the three bits above the index."""

FINISHED, PAUSED, TIME_UP, STUCK = range(4)
"""Why a carrier's loop returned: all done; event budget used; time used; nothing left that can happen."""


def operations(schedule: Schedule, own: NDArray[np.int64], peer: NDArray[np.int64]) -> World:
    """Return the run state of a schedule whose operations run at the endpoints `own` [n_operations].

    `peer` [n_operations] are the endpoints at the other end of sends and receives, -1 for local operations.

    Raises BadInput for operations that wait for the start of others, which only the loggops backend runs.
    """
    if schedule.on_start is not None:
        raise BadInput(f"{schedule.name}: 'irequires' dependencies are not run here; use the loggops backend")
    ops, n = schedule.operations, len(schedule.operations)
    steps = STEP.zeros(n)
    steps["kind"], steps["bytes"], steps["duration_ps"] = ops["kind"], ops["bytes"], ops["duration_ps"]
    steps["rank"], steps["peer"] = own, peer
    steps["pair"], steps["done_ps"], steps["started_ps"], steps["message"] = schedule.pairs, -1, -1, -1
    steps["waits"] = schedule.waits_for
    after = AFTER.zeros(len(schedule.dependencies))
    order = np.argsort(schedule.dependencies, kind="stable")
    after["step"] = np.repeat(np.arange(n), np.diff(schedule.first_dependency))[order]
    steps["n_after"] = np.bincount(schedule.dependencies, minlength=n)
    steps["first_after"] = np.cumsum(steps["n_after"], dtype=np.int64) - steps["n_after"]
    ready = READY_STACK.zeros(n)
    roots = np.flatnonzero(steps["waits"] == 0)[::-1]
    ready["item"][: len(roots)] = roots
    runner = RUNNER.zeros(1)
    runner["remaining"], runner["n_ready"] = n, len(roots)
    tables = {
        "runner": runner,
        "step": steps,
        "after": after,
        "ready_step": ready,
        "local_step": LOCAL_STACK.zeros(n),
        "kick": KICK_STACK.zeros(n + 1),
    }
    return World(OPERATIONS, tables)


@kernel
def finish(o: Any, step: int, now: int) -> None:
    """Mark an operation done and put those that waited only for it on the ready stack."""
    runner, s = runner_at(o, 0), step_at(o, step)
    s["done"], s["done_ps"] = 1, now
    runner["remaining"] -= 1
    for k in range(s["first_after"], s["first_after"] + s["n_after"]):
        following = np.int64(after_at(o, k)["step"])
        t = step_at(o, following)
        t["waits"] -= 1
        if t["waits"] == 0:
            ready_step_at(o, runner["n_ready"])["item"] = following
            runner["n_ready"] += 1


@kernel
def next_ready(o: Any) -> int:
    """Take an operation that waits for nothing any more; -1 if there is none."""
    runner = runner_at(o, 0)
    if runner["n_ready"] == 0:
        return -1
    runner["n_ready"] -= 1
    return np.int64(ready_step_at(o, runner["n_ready"])["item"])


@kernel
def begin(o: Any, step: int, now: int) -> int:
    """Start an operation; return its kind if the carrier is to see to it, a send or a calc that takes time, else -1."""
    s = step_at(o, step)
    s["started"], s["started_ps"] = 1, now
    if s["kind"] == SEND or (s["kind"] == CALC and s["duration_ps"] > 0):
        return np.int64(s["kind"])
    if s["kind"] == CALC:
        finish(o, step, now)
    elif s["kind"] != RECV or s["arrived"] == 1:
        _end(o, step, now)
    return -1


@kernel
def start_ready(o: Any, e: Any, q: Any, now: int) -> None:
    """Start all ready operations: post sends, match receives, let computations take their time."""
    runner = runner_at(o, 0)
    step = next_ready(o)
    while step >= 0:
        kind, s = begin(o, step, now), step_at(o, step)
        if kind == SEND:
            row = post(e, np.int64(s["rank"]), np.int64(s["peer"]), s["bytes"], s["pair"], step, now)
            s["message"] = row
            if row < 0:
                runner["refused"] += 1
            kick_at(o, runner["n_kicks"])["item"] = s["rank"]
            runner["n_kicks"] += 1
        elif kind == CALC:
            schedule_event(q, now + s["duration_ps"], CALC_DONE | step)
        step = next_ready(o)


@kernel
def message_arrived(o: Any, step: int, now: int) -> None:
    """All of a receive's message is there: the receive ends if it has started."""
    s = step_at(o, step)
    s["arrived"] = 1
    if s["started"] == 1:
        _end(o, step, now)


@kernel
def _end(o: Any, step: int, now: int) -> None:
    """Finish an operation, or leave it to the carrier if data is to be moved within the rank."""
    s = step_at(o, step)
    if s["kind"] == RECV and s["early"] == 0:
        finish(o, step, now)
        return
    runner = runner_at(o, 0)
    local_step_at(o, runner["n_local"])["item"] = step
    runner["n_local"] += 1


@kernel
def next_local(o: Any) -> int:
    """Take an operation whose data the carrier is to move before it calls `finish`; -1 if there is none."""
    runner = runner_at(o, 0)
    if runner["n_local"] == 0:
        return -1
    runner["n_local"] -= 1
    return np.int64(local_step_at(o, runner["n_local"])["item"])


@kernel
def next_kick(o: Any) -> int:
    """Take an endpoint that may have packets to send; -1 if there is none."""
    runner = runner_at(o, 0)
    if runner["n_kicks"] == 0:
        return -1
    runner["n_kicks"] -= 1
    return np.int64(kick_at(o, runner["n_kicks"])["item"])


@kernel
def absorb(o: Any, e: Any, now: int) -> None:
    """Take all completions of the engine and finish the sends and receives they mean."""
    row = next_completion(e)
    while row >= 0:
        c = completion_at(e, row)
        if c["kind"] == SENT_DONE:
            finish(o, c["handle"], now)
        elif c["kind"] == RECEIVED_DONE:
            message_arrived(o, c["handle"], now)
        elif c["kind"] == SENT_FAILED:
            runner_at(o, 0)["failed"] += 1
        row = next_completion(e)
