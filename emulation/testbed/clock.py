"""The testbed's clock: the machine's, slowed down, and standing still while the process is kept waiting.

Testbed time is the machine's time divided by the dilation. A jump between two looks at the clock, because
the scheduler gave the processor to others, counts as one short step, so no timer expires through it.
"""

from __future__ import annotations

from typing import Any

from emulation.testbed.state import bed_at, timespec_at
from emulation.testbed.syscalls import monotonic_ns, sleep_us
from uet.base.jit import kernel

SPIN_NS, LONGEST_NS = 60_000, 2_000_000
"""The last of a wait is spent looking at the clock; after the longest wait the caller is asked again."""


@kernel
def look(t: Any, slept_ns: int) -> int:
    """Return what time it is in the testbed [ps], after a sleep of that length that was asked for and is no stall."""
    bed = bed_at(t, 0)
    now_ns = monotonic_ns(timespec_at(t, 0), t["timespec"])
    if bed["clock_ns"] != 0:
        passed = now_ns - bed["clock_ns"]
        step = min(passed, bed["step_ns"] + slept_ns)
        bed["stalled_ns"] += passed - step
        bed["clock_ps"] += int(step * 1000 / bed["dilation"])
    bed["clock_ns"] = now_ns
    return bed["clock_ps"]


@kernel
def await_time(t: Any, due_ps: int) -> int:
    """Wait until `due_ps` and return the time, or after 2 ms one that lies before it."""
    bed = bed_at(t, 0)
    now = look(t, 0)
    waited = 0
    while now < due_ps and waited < LONGEST_NS:
        ahead_ns = int((due_ps - now) * bed["dilation"] / 1000)
        if ahead_ns > SPIN_NS:
            nap = min(ahead_ns - SPIN_NS, LONGEST_NS)
            sleep_us(max(nap // 1000, 1))
            waited += nap
            now = look(t, nap + bed["step_ns"])  # the machine wakes a sleeper late
        else:
            now = look(t, 0)
    if now >= due_ps:
        bed["events"] += 1
        bed["late"] += now - due_ps > bed["late_ps"]
    return now
