"""REPS: use the entropy values of unmarked ACKs again, once each, and explore at random otherwise.

A ring holds the last 8 good values. A timeout freezes it: for 10 ms it is cycled through whether its
values are fresh or not, so that only paths known to work are used; then it is cleared and 16 packets
explore. Source: Bonato et al., "REPS: Recycled Entropy Packet Spraying for Adaptive Load Balancing and
Failure Mitigation" (arXiv 2407.21625), with the order of events of uet-htsim.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from uet.base.jit import kernel
from uet.base.rng import draw
from uet.transport.balancing.contract import GOOD, SELECT, START, TIMEOUT

RING = 8

STATE = np.dtype(
    [
        ("stream", "i8"),
        ("draws", "i8"),
        ("upper", "i8"),  # the bits above the pool, random and fixed
        ("added", "i8"),  # values put in since the ring was cleared
        ("fresh", "i8"),  # the newest so many were not used yet
        ("cycle", "i8"),  # position while frozen
        ("explore", "i8"),  # packets that still explore
        ("thaw_ps", "i8"),  # end of freezing, 0: not frozen
        ("ring", "u2", (RING,)),
    ]
)


def balance(state: Any, settings: Any, event: int, value: int, now: int) -> int:
    """Return the next entropy value, or take note of feedback."""
    if event == START:
        state["stream"] = value
        top = np.int64(draw(settings["seed"], value, 0) & np.uint64(0xFFFF))
        state["upper"] = top & ~(settings["entropies"] - 1)
    elif event == SELECT:
        return _next(state, settings)
    else:
        if event == TIMEOUT and state["thaw_ps"] == 0 and state["explore"] == 0:
            state["thaw_ps"], state["cycle"] = now + settings["reps_freeze_ps"], 0
        if state["thaw_ps"] != 0 and now > state["thaw_ps"]:
            state["thaw_ps"], state["added"], state["fresh"] = 0, 0, 0
            state["explore"] = settings["reps_explore"]
        if event == GOOD:
            state["ring"][state["added"] & (RING - 1)] = value
            state["added"] += 1
            state["fresh"] = min(state["fresh"] + 1, RING)
    return 0


@kernel
def _random(state: Any, settings: Any) -> int:
    """Return a random entropy value of the PDC's pool."""
    state["draws"] += 1
    bits = draw(settings["seed"], state["stream"], state["draws"])
    return state["upper"] | np.int64(bits & np.uint64(settings["entropies"] - 1))


@kernel
def _next(state: Any, settings: Any) -> int:
    """Return the entropy value of the next packet."""
    if state["explore"] > 0:
        state["explore"] -= 1
        return _random(state, settings)
    if state["thaw_ps"] != 0 and state["added"] > 0:
        at = state["cycle"] % min(state["added"], RING)
        state["cycle"] += 1
        return np.int64(state["ring"][at])
    if state["thaw_ps"] != 0 or state["fresh"] == 0:
        return _random(state, settings)
    state["fresh"] -= 1
    return np.int64(state["ring"][(state["added"] - state["fresh"] - 1) & (RING - 1)])
