"""Timers: a binary heap of (time, kind and row).

A RETRANSMIT timer is lazy, at most one per PDC: when it fires, the PDC looks for its oldest packet in
flight and either gives that packet up or sets the timer anew. Acknowledgements therefore never touch
the heap. The other kinds are armed by their owners, at most one of a kind per row.
"""

from __future__ import annotations

from typing import Any

from uet.base.heap import heap_at, pop, push
from uet.base.jit import kernel
from uet.transport.state import core_at, pdc_at

NEVER = 2**62
"""The time of an event that will not happen [ps]."""

RETRANSMIT, CREDIT = range(2)
"""Kinds of timer. Their rows: a PDC; an endpoint whose credit pacer ticks."""

_KIND_SHIFT = 40


@kernel
def arm(e: Any, kind: int, row: int, time_ps: int) -> None:
    """Arm the timer of a kind for a row that has none."""
    core = core_at(e, 0)
    push(e, core["n_timers"], time_ps, (kind << _KIND_SHIFT) | row)
    core["n_timers"] += 1


@kernel
def set_timer(e: Any, pdc: int, time_ps: int) -> None:
    """Arm the retransmission timer of a PDC that has none."""
    arm(e, RETRANSMIT, pdc, time_ps)
    pdc_at(e, pdc)["timer_set"] = 1


@kernel
def next_timer(e: Any) -> int:
    """Return when the earliest timer fires [ps], NEVER if none is set."""
    if core_at(e, 0)["n_timers"] == 0:
        return NEVER
    return heap_at(e, 0)["time_ps"]


@kernel
def pop_timer(e: Any) -> int:
    """Remove the earliest timer and return its item, from which `kind_of` and `row_of` read."""
    core = core_at(e, 0)
    item = heap_at(e, 0)["item"]
    pop(e, core["n_timers"])
    core["n_timers"] -= 1
    if kind_of(item) == RETRANSMIT:
        pdc_at(e, row_of(item))["timer_set"] = 0
    return item


@kernel
def kind_of(item: int) -> int:
    """Return the kind of a timer."""
    return item >> _KIND_SHIFT


@kernel
def row_of(item: int) -> int:
    """Return the row of a timer."""
    return item & ((1 << _KIND_SHIFT) - 1)
