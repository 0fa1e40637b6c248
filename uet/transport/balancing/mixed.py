"""Recycling before skipping: entropy values of unmarked ACKs are used again first, oldest first.

When none is waiting, the next one comes from the walk of `bitmap`. Same scheme as in uet-htsim, except
that at most 32 values wait (an ACK brings one and every packet takes one, so few ever do) and that the
oldest gives way to a new one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from uet.transport.balancing.bitmap import MAX_ENTROPIES, WALK, begin, next_unpunished, punish
from uet.transport.balancing.contract import GOOD, SELECT, START

__all__ = ["MAX_ENTROPIES", "STATE", "balance"]

RING = 32

# The ring's counters stand first: a record that merely continued that of `bitmap` would be taken for it by numba.
STATE = np.dtype([("first", "i8"), ("end", "i8"), *WALK, ("waiting", "u2", (RING,))])


def balance(state: Any, settings: Any, event: int, value: int, now: int) -> int:
    """Return a waiting entropy value or else one without a penalty, or take note of feedback."""
    if event == SELECT:
        if state["first"] == state["end"]:
            return next_unpunished(state, settings)
        state["first"] += 1
        return np.int64(state["waiting"][(state["first"] - 1) & (RING - 1)])
    if event == START:
        begin(state, settings, value)
    elif event == GOOD:
        state["waiting"][state["end"] & (RING - 1)] = value
        state["end"] += 1
        state["first"] = max(state["first"], state["end"] - RING)
    else:
        punish(state, settings, event, value)
    return 0
