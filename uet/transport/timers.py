"""Retransmission timers: a binary heap with at most one entry per PDC.

A timer is lazy: when it fires, the PDC looks for its oldest packet in flight and either gives that
packet up or sets the timer anew. Acknowledgements therefore never touch the heap.
"""

from __future__ import annotations

from typing import Any

from uet.base.jit import kernel
from uet.transport.state import core_at, pdc_at, timer_at

NEVER = 2**62
"""The time of an event that will not happen [ps]."""


@kernel
def earlier(e: Any, i: int, j: int) -> bool:
    """Tell whether heap entry i fires before entry j; ties go to the lower PDC."""
    a, b = timer_at(e, i), timer_at(e, j)
    return a["time_ps"] < b["time_ps"] or (a["time_ps"] == b["time_ps"] and a["pdc"] < b["pdc"])


@kernel
def swap(e: Any, i: int, j: int) -> None:
    """Exchange two heap entries."""
    a, b = timer_at(e, i), timer_at(e, j)
    time_ps, pdc = a["time_ps"], a["pdc"]
    a["time_ps"], a["pdc"] = b["time_ps"], b["pdc"]
    b["time_ps"], b["pdc"] = time_ps, pdc


@kernel
def set_timer(e: Any, pdc: int, time_ps: int) -> None:
    """Arm the timer of a PDC that has none."""
    core = core_at(e, 0)
    i = core["n_timers"]
    core["n_timers"] = i + 1
    entry = timer_at(e, i)
    entry["time_ps"], entry["pdc"] = time_ps, pdc
    pdc_at(e, pdc)["timer_set"] = 1
    while i > 0 and earlier(e, i, (i - 1) >> 1):
        swap(e, i, (i - 1) >> 1)
        i = (i - 1) >> 1


@kernel
def next_timer(e: Any) -> int:
    """Return when the earliest timer fires [ps], NEVER if none is set."""
    if core_at(e, 0)["n_timers"] == 0:
        return NEVER
    return timer_at(e, 0)["time_ps"]


@kernel
def pop_timer(e: Any) -> int:
    """Remove the earliest timer and return its PDC."""
    core = core_at(e, 0)
    n = core["n_timers"] - 1
    core["n_timers"] = n
    pdc = timer_at(e, 0)["pdc"]
    pdc_at(e, pdc)["timer_set"] = 0
    swap(e, 0, n)
    i = 0
    while True:
        least, left = i, 2 * i + 1
        if left < n and earlier(e, left, least):
            least = left
        if left + 1 < n and earlier(e, left + 1, least):
            least = left + 1
        if least == i:
            return pdc
        swap(e, i, least)
        i = least
