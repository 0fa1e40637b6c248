"""The event loop of the packet simulator."""

from __future__ import annotations

from typing import Any

import numpy as np

from emulation.events import next_time, take, upcoming
from emulation.operations import (
    CALC_DONE,
    FINISHED,
    INDEX_MASK,
    KIND_BITS,
    PAUSED,
    PORT_FREE,
    STUCK,
    TIME_UP,
    absorb,
    finish,
    next_kick,
    next_local,
    runner_at,
    start_ready,
)
from emulation.packet.edge import CLOCK, LOCAL, tell_edge
from emulation.packet.nic import arrive, kick
from emulation.packet.pfc import PAUSE, on_message
from emulation.packet.ports import serve, wake
from emulation.packet.state import (
    HOP,
    engine_of,
    events_of,
    hop_at,
    host_at,
    network_at,
    operations_of,
    port_at,
)
from uet.base.jit import kernel, prefetch
from uet.transport.expiry import on_timer
from uet.transport.record import PACKET
from uet.transport.timers import NEVER, next_timer

LOOK_AHEAD, PACKET_BYTES, HOP_BYTES = 3, PACKET.dtype.itemsize, HOP.dtype.itemsize
_PORT_FREE, _CALC_DONE, _PAUSE = PORT_FREE >> KIND_BITS, CALC_DONE >> KIND_BITS, PAUSE >> KIND_BITS


@kernel
def _look_ahead(s: Any, q: Any) -> None:
    """Load what an event that is soon due will touch: a packet record, or the packet a port sends next."""
    event = upcoming(q, LOOK_AHEAD)
    if event < 0:
        return
    if event <= INDEX_MASK:
        hop = hop_at(s, event)
        if hop["node"] == hop["dst"]:
            prefetch(engine_of(s, 0)["packet"] + event * PACKET_BYTES)
    elif event >> KIND_BITS == _PORT_FREE:
        port = port_at(s, event & INDEX_MASK)
        head = port["control_head"] if port["control_head"] >= 0 else port["data_head"]
        prefetch(s["hop"] + max(np.int64(head), 0) * HOP_BYTES)


@kernel
def _dispatch(s: Any, event: int, now: int) -> None:
    """Process one event."""
    kind, index = event >> KIND_BITS, event & INDEX_MASK
    if kind == _PORT_FREE:
        serve(s, index, now)
        owner = np.int64(port_at(s, index)["owner"])
        if owner >= 0:
            kick(s, owner, now)
            other = np.int64(host_at(s, owner)["other"])
            if other >= 0:
                kick(s, other, now)  # a packet for the other device's connections may have waited for this port
    elif kind == _CALC_DONE:
        finish(operations_of(s, 0), index, now)
    elif kind == _PAUSE:
        on_message(s, index, now)
        _resume(s, index, now)
    else:
        arrive(s, index, now)


@kernel
def _resume(s: Any, port: int, now: int) -> None:
    """Let a port whose pause has just ended send, and its host if it has one."""
    p = port_at(s, port)
    if p["paused"] == 0 and p["waking"] == 0:
        if p["busy_until_ps"] > now:
            wake(s, port)
        else:
            serve(s, port, now)
        if p["owner"] >= 0:
            kick(s, np.int64(p["owner"]), now)


@kernel
def _start_and_kick(s: Any, now: int) -> None:
    """Start what became ready and let the endpoints concerned send."""
    o, e, q = operations_of(s, 0), engine_of(s, 0), events_of(s, 0)
    runner = runner_at(o, 0)
    while runner["n_ready"] + runner["n_local"] > 0:
        start_ready(o, e, q, now)
        step = next_local(o)
        while step >= 0:
            if network_at(s, 0)["edge"] != 0:
                tell_edge(s, LOCAL, step, 0, now)
            finish(o, step, now)
            step = next_local(o)
    endpoint = next_kick(o)
    while endpoint >= 0:
        kick(s, endpoint, now)
        endpoint = next_kick(o)


@kernel
def run(s: Any, end_ps: int, max_events: int) -> int:
    """Simulate until the schedule is done, `end_ps` is reached or `max_events` events were processed."""
    o, e, q = operations_of(s, 0), engine_of(s, 0), events_of(s, 0)
    runner, paced = runner_at(o, 0), network_at(s, 0)["paced"]
    _start_and_kick(s, runner["now_ps"])
    for _ in range(max_events):
        if runner["remaining"] == 0:
            return FINISHED
        event_ps, timer_ps = next_time(q), next_timer(e)
        now = min(event_ps, timer_ps)
        if now == NEVER or runner["failed"] > 0:
            return STUCK
        if now > end_ps:
            return TIME_UP
        if paced != 0:
            clock = tell_edge(s, CLOCK, 0, 0, now)
            if clock < now:
                return PAUSED
            now = clock
        runner["now_ps"] = now
        if timer_ps <= event_ps:
            endpoint = on_timer(e, now)
            absorb(o, e, now)
            kick(s, endpoint, now)
        else:
            _look_ahead(s, q)
            _dispatch(s, take(q), now)
        _start_and_kick(s, now)
    return PAUSED
