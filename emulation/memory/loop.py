"""The event loop of the memory carrier: every packet takes the same time, unless a fault befalls it."""

from __future__ import annotations

from typing import Any

import numpy as np

from emulation.data import carry_out, place, store
from emulation.events import next_time, schedule, take
from emulation.memory.state import data_of, engine_of, events_of, medium_at, operations_of
from emulation.operations import (
    ARRIVAL,
    CALC_DONE,
    FINISHED,
    INDEX_MASK,
    KIND_BITS,
    PAUSED,
    STUCK,
    absorb,
    finish,
    next_kick,
    next_local,
    runner_at,
    start_ready,
)
from uet.base.jit import copy_bytes, kernel
from uet.base.rng import draw, strikes
from uet.transport.expiry import on_timer
from uet.transport.receive import RUD_REQ, receive
from uet.transport.send import next_packet
from uet.transport.slots import copy_slot, free_slot
from uet.transport.state import message_at, packet_at, ses_at
from uet.transport.timers import NEVER, next_timer

STREAM_DROP, STREAM_DUPLICATE, STREAM_REORDER, STREAM_JITTER = (k << 40 for k in range(5, 9))
_CALC_DONE = CALC_DONE >> KIND_BITS


@kernel
def _load_payload(m: Any, slot: int) -> None:
    """Copy a request's payload out of the sender's buffer into the slot."""
    e = engine_of(m, 0)
    packet = packet_at(e, slot)
    if packet["pds_type"] != RUD_REQ:
        return
    source = place(data_of(m, 0), message_at(e, packet["ses"])["handle"]) + packet["argument"]
    room = medium_at(m, 0)["payload_bytes"]
    copy_bytes(m["payload"] + slot * room, source, np.int64(packet["payload_bytes"]))


@kernel
def _chance(medium: Any, stream: int, threshold: int) -> bool:
    """Tell whether a fault of one kind befalls the packet handed over last."""
    return threshold != 0 and strikes(medium["seed"], stream, medium["packets"], threshold)


@kernel
def _transmit(m: Any, slot: int, now: int) -> None:
    """Put a packet on the medium, or lose, double or delay it."""
    medium, e, q = medium_at(m, 0), engine_of(m, 0), events_of(m, 0)
    medium["packets"] += 1
    if _chance(medium, STREAM_DROP, medium["drop"]):
        medium["dropped"] += 1
        free_slot(e, slot)
        return
    arrival = now + medium["latency_ps"]
    if _chance(medium, STREAM_DUPLICATE, medium["duplicate"]):
        twin = copy_slot(e, slot)
        if twin >= 0:
            medium["duplicated"] += 1
            room = medium["payload_bytes"]
            copy_bytes(m["payload"] + twin * room, m["payload"] + slot * room, room)
            schedule(q, arrival, ARRIVAL | twin)
    if _chance(medium, STREAM_REORDER, medium["reorder"]):
        medium["reordered"] += 1
        bits = draw(medium["seed"], STREAM_JITTER, medium["packets"])
        arrival += np.int64(((bits >> np.uint64(32)) * np.uint64(medium["jitter_ps"] >> 16)) >> np.uint64(16))
    schedule(q, arrival, ARRIVAL | slot)


@kernel
def _pump(m: Any, endpoint: int, now: int) -> None:
    """Let an endpoint send all it may."""
    e = engine_of(m, 0)
    slot = next_packet(e, endpoint, now)
    while slot >= 0:
        _load_payload(m, slot)
        _transmit(m, slot, now)
        slot = next_packet(e, endpoint, now)


@kernel
def _arrive(m: Any, slot: int, now: int) -> None:
    """Give a packet to the engine and put its payload in place if it is new."""
    e, o = engine_of(m, 0), operations_of(m, 0)
    packet = packet_at(e, slot)
    endpoint, offset = np.int64(packet["dst"]), np.int64(packet["argument"])
    n_bytes, ses = np.int64(packet["payload_bytes"]), np.int64(packet["ses"])
    if receive(e, slot, now):
        medium_at(m, 0)["delivered"] += n_bytes
        source = m["payload"] + slot * medium_at(m, 0)["payload_bytes"]
        store(data_of(m, 0), o, np.int64(ses_at(e, ses)["match_bits"]), source, offset, n_bytes)
    absorb(o, e, now)
    _pump(m, endpoint, now)


@kernel
def _settle(m: Any, now: int) -> None:
    """Start what became ready, move data within ranks, and let the endpoints concerned send."""
    o, e, q = operations_of(m, 0), engine_of(m, 0), events_of(m, 0)
    runner = runner_at(o, 0)
    while runner["n_ready"] + runner["n_local"] > 0:
        start_ready(o, e, q, now)
        step = next_local(o)
        while step >= 0:
            carry_out(data_of(m, 0), step)
            finish(o, step, now)
            step = next_local(o)
    endpoint = next_kick(o)
    while endpoint >= 0:
        _pump(m, endpoint, now)
        endpoint = next_kick(o)


@kernel
def run(m: Any, max_events: int) -> int:
    """Run until the schedule is done or `max_events` events were processed; returns why it stopped."""
    o, e, q = operations_of(m, 0), engine_of(m, 0), events_of(m, 0)
    runner = runner_at(o, 0)
    _settle(m, runner["now_ps"])
    for _ in range(max_events):
        if runner["remaining"] == 0:
            return FINISHED
        event_ps, timer_ps = next_time(q), next_timer(e)
        now = min(event_ps, timer_ps)
        if now == NEVER or runner["failed"] > 0:
            return STUCK
        runner["now_ps"] = now
        if timer_ps <= event_ps:
            endpoint = on_timer(e, now)
            absorb(o, e, now)
            _pump(m, endpoint, now)
        else:
            event = take(q)
            if event >> KIND_BITS == _CALC_DONE:
                finish(o, event & INDEX_MASK, now)
            else:
                _arrive(m, event & INDEX_MASK, now)
        _settle(m, now)
    return PAUSED
