"""What happens when: one heap; what a channel's new rate has overtaken stays in it and is passed over.

An event is the number of a channel whose first message leaves, or one of the kinds below with an index.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from emulation.flow.state import channel_at, clock_at, times_of
from uet.base.heap import heap_at, pop, push
from uet.base.jit import kernel

ARRIVED, ACKNOWLEDGED, COMPUTED = 1 << 40, 2 << 40, 3 << 40
"""Kinds of events with the number of a message, a message and an operation."""

_NEVER = 2**62


@kernel
def put(f: Any, time_ps: int, event: int) -> None:
    """Add an event."""
    clock, times = clock_at(f, 0), times_of(f, 0)
    if clock["n_times"] == times["n_heap"]:
        _clear(f)
    push(times, clock["n_times"], time_ps, event)
    clock["n_times"] += 1


@kernel
def expect(f: Any, channel: int) -> None:
    """Note when a channel's first message will have left, at its present rate."""
    c = channel_at(f, channel)
    c["due_ps"] = c["at_ps"] + np.int64(np.ceil(c["left"] / c["rate"]))
    put(f, c["due_ps"], channel)


@kernel
def next_event(f: Any) -> int:
    """Return the time of the next event [ps], or 2**62 if there is none."""
    clock, times = clock_at(f, 0), times_of(f, 0)
    while clock["n_times"] > 0 and _overtaken(f, 0):
        take(f)
    return heap_at(times, 0)["time_ps"] if clock["n_times"] > 0 else _NEVER


@kernel
def take(f: Any) -> int:
    """Remove the earliest event and return it."""
    clock, times = clock_at(f, 0), times_of(f, 0)
    event = heap_at(times, 0)["item"]
    pop(times, clock["n_times"])
    clock["n_times"] -= 1
    return event


@kernel
def _overtaken(f: Any, i: int) -> bool:
    """Tell whether entry i is the end of a message that has another end by now."""
    entry = heap_at(times_of(f, 0), i)
    return entry["item"] < ARRIVED and channel_at(f, entry["item"])["due_ps"] != entry["time_ps"]


@kernel
def _clear(f: Any) -> None:
    """Throw out what is overtaken; the heap has room for twice of what is not."""
    clock, times = clock_at(f, 0), times_of(f, 0)
    kept = 0
    for i in range(clock["n_times"]):
        if not _overtaken(f, i):
            push(times, kept, heap_at(times, i)["time_ps"], heap_at(times, i)["item"])
            kept += 1
    clock["n_times"] = kept
