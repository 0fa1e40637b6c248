"""Retransmission timers: a binary heap with at most one entry per PDC.

A timer is lazy: when it fires, the PDC looks for its oldest packet in flight and either gives that
packet up or sets the timer anew. Acknowledgements therefore never touch the heap.
"""

from __future__ import annotations

from typing import Any

from uet.base.heap import heap_at, pop, push
from uet.base.jit import kernel
from uet.transport.state import core_at, pdc_at

NEVER = 2**62
"""The time of an event that will not happen [ps]."""


@kernel
def set_timer(e: Any, pdc: int, time_ps: int) -> None:
    """Arm the timer of a PDC that has none."""
    core = core_at(e, 0)
    push(e, core["n_timers"], time_ps, pdc)
    core["n_timers"] += 1
    pdc_at(e, pdc)["timer_set"] = 1


@kernel
def next_timer(e: Any) -> int:
    """Return when the earliest timer fires [ps], NEVER if none is set."""
    if core_at(e, 0)["n_timers"] == 0:
        return NEVER
    return heap_at(e, 0)["time_ps"]


@kernel
def pop_timer(e: Any) -> int:
    """Remove the earliest timer and return its PDC."""
    core = core_at(e, 0)
    pdc = heap_at(e, 0)["item"]
    pop(e, core["n_timers"])
    core["n_timers"] -= 1
    pdc_at(e, pdc)["timer_set"] = 0
    return pdc
