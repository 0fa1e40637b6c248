"""The event loop of the flow level: messages start, leave, arrive and are acknowledged."""

from __future__ import annotations

from typing import Any

import numpy as np

from emulation.flow.fill import activate, deactivate, settle
from emulation.flow.state import channel_at, clock_at, message_at, operations_of
from emulation.flow.times import ACKNOWLEDGED, ARRIVED, COMPUTED, expect, next_event, put, take
from emulation.operations import (
    FINISHED,
    PAUSED,
    STUCK,
    TIME_UP,
    begin,
    finish,
    message_arrived,
    next_local,
    next_ready,
    runner_at,
    step_at,
)
from uet.base.jit import kernel
from uet.schedule.model import CALC, SEND

SLACK_PS = 1_000
"""Rates are found again once for all that happens within this time: equal flows may end a rounding apart."""

NEVER = 2**62


@kernel
def run(f: Any, end_ps: int, max_events: int) -> int:
    """Simulate until the schedule is done, `end_ps` is reached or `max_events` events were processed."""
    clock, runner = clock_at(f, 0), runner_at(operations_of(f, 0), 0)
    _start(f, clock["now_ps"])
    for _ in range(max_events):
        if runner["remaining"] == 0:
            return FINISHED
        now = next_event(f)
        if clock["n_touched"] > 0 and now > clock["now_ps"] + SLACK_PS:
            settle(f, clock["now_ps"])
            now = next_event(f)
        if now == NEVER:
            return STUCK
        if now > end_ps:
            return TIME_UP
        clock["now_ps"] = now
        clock["events"] += 1
        _dispatch(f, take(f), now)
        _start(f, now)
    return PAUSED


@kernel
def _dispatch(f: Any, event: int, now: int) -> None:
    """Process one event."""
    o, index = operations_of(f, 0), event & (ARRIVED - 1)
    if event < ARRIVED:
        _leave(f, index, now)
    elif event >= COMPUTED:
        finish(o, index, now)
    elif event >= ACKNOWLEDGED:
        message_at(f, index)["finish_ps"] = now
        finish(o, np.int64(message_at(f, index)["step"]), now)
    else:
        message = message_at(f, index)
        message["arrive_ps"] = now
        put(f, now + channel_at(f, np.int64(message["channel"]))["back_ps"], ACKNOWLEDGED | index)
        message_arrived(o, step_at(o, np.int64(message["step"]))["pair"], now)


@kernel
def _start(f: Any, now: int) -> None:
    """Start what has become ready, and what that makes ready."""
    o = operations_of(f, 0)
    step = next_ready(o)
    while step >= 0:
        kind = begin(o, step, now)
        if kind == SEND:
            _post(f, step_at(o, step)["message"], now)
        elif kind == CALC:
            put(f, now + step_at(o, step)["duration_ps"], COMPUTED | step)
        local = next_local(o)
        while local >= 0:
            finish(o, local, now)
            local = next_local(o)
        step = next_ready(o)


@kernel
def _post(f: Any, index: int, now: int) -> None:
    """Append a message to its channel, which becomes active if it had none."""
    message = message_at(f, index)
    channel = np.int64(message["channel"])
    c = channel_at(f, channel)
    message["start_ps"] = now
    if c["head"] >= 0:
        message_at(f, np.int64(c["tail"]))["next"] = index
        c["tail"] = index
        return
    c["head"] = c["tail"] = index
    c["left"], c["at_ps"] = message["wire_bytes"], now
    activate(f, channel)


@kernel
def _leave(f: Any, channel: int, now: int) -> None:
    """The first message of a channel has left: it arrives after its path, and the next one takes its place."""
    c = channel_at(f, channel)
    index = np.int64(c["head"])
    message = message_at(f, index)
    behind = np.int64(np.rint(message["tail_bytes"] * c["rest_ps_per_byte"]))
    put(f, now + c["there_ps"] + behind, ARRIVED | index)
    c["head"] = message["next"]
    if c["head"] < 0:
        deactivate(f, channel)
        return
    c["left"], c["at_ps"] = message_at(f, np.int64(c["head"]))["wire_bytes"], now
    expect(f, channel)
