"""Timers: a binary heap with at most one entry per PDC and kind.

A timer is lazy: when it fires, the PDC looks at its books and either acts or sets the timer anew. So
acknowledgements never touch the heap. Deadlines of one kind lie equally far ahead of the event that starts
them, hence none falls before the one already set; `ensure_rto` treats the exception.
"""

from __future__ import annotations

from typing import Any

from uet.base.heap import heap_at, pop, push
from uet.base.jit import kernel
from uet.transport.state import core_at, pdc_at

NEVER = 2**62
"""The time of an event that will not happen [ps]."""

RTO, HOLD, ANSWER, STATE, CREDIT, VOID, PACE, PROBE = range(8)
"""Kinds: a packet in flight; the end of a pause; a missing answer; a state that lasts too long; the next packet of
a paced PDC; a silence to be probed (their row is a PDC); the tick of a credit pacer (an endpoint). A popped timer
that has nothing to do any more is VOID."""
TIMERS_PER_PDC = 6
_KIND_SHIFT = 40


@kernel
def arm(e: Any, kind: int, row: int, time_ps: int) -> None:
    """Add a timer of a kind for a row; the heap has room for one of each kind and some more."""
    core = core_at(e, 0)
    push(e, core["n_timers"], time_ps, (kind << _KIND_SHIFT) | row)
    core["n_timers"] += 1


@kernel
def ensure_timer(e: Any, pdc: int, kind: int, time_ps: int) -> None:
    """Arm a PDC's timer unless it is set already."""
    p = pdc_at(e, pdc)
    if p["timers"] & (1 << kind) == 0:
        arm(e, kind, pdc, time_ps)
        p["timers"] |= 1 << kind


@kernel
def ensure_rto(e: Any, pdc: int, time_ps: int) -> None:
    """Let the retransmission timer fire at `time_ps` at the latest.

    Deadlines are doubled after a timeout, so this one alone may have to move forward: a second entry is
    made then, and the later one does nothing when it fires.
    """
    p = pdc_at(e, pdc)
    if p["timers"] & (1 << RTO) == 0:
        p["rto_ps"] = time_ps
        ensure_timer(e, pdc, RTO, time_ps)
    elif time_ps < p["rto_ps"] and core_at(e, 0)["n_timers"] + e["n_pdc"] * TIMERS_PER_PDC < e["n_heap"]:
        p["rto_ps"] = time_ps
        arm(e, RTO, pdc, time_ps)


@kernel
def next_timer(e: Any) -> int:
    """Return when the earliest timer fires [ps], NEVER if none is set."""
    if core_at(e, 0)["n_timers"] == 0:
        return NEVER
    return heap_at(e, 0)["time_ps"]


@kernel
def pop_timer(e: Any) -> int:
    """Remove the earliest timer and return its item, from which `kind_of` and `row_of` read."""
    core, first = core_at(e, 0), heap_at(e, 0)
    item, time_ps = first["item"], first["time_ps"]
    pop(e, core["n_timers"])
    core["n_timers"] -= 1
    kind, row = kind_of(item), row_of(item)
    if kind == CREDIT:
        return item
    p = pdc_at(e, row)
    if kind == RTO and time_ps != p["rto_ps"]:
        return (VOID << _KIND_SHIFT) | row
    p["timers"] &= 255 - (1 << kind)
    return item


@kernel
def kind_of(item: int) -> int:
    """Return the kind of a timer."""
    return item >> _KIND_SHIFT


@kernel
def row_of(item: int) -> int:
    """Return the row of a timer."""
    return item & ((1 << _KIND_SHIFT) - 1)
