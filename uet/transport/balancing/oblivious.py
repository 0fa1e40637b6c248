"""Oblivious spraying: walk over all entropy values in an order redrawn at every wrap.

The order is a counter XOR a random value; the bits above the pool are random and fixed per PDC, so
that different PDCs use different values. Same scheme as in uet-htsim.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from uet.base.rng import draw
from uet.transport.balancing.contract import SELECT, START

STATE = np.dtype([("stream", "i8"), ("draws", "i8"), ("counter", "i8"), ("order", "i8"), ("upper", "i8")])


def balance(state: Any, settings: Any, event: int, value: int, now: int) -> int:
    """Return the next entropy value; feedback is ignored."""
    pool = settings["entropies"]
    if event == START:
        state["stream"] = value
        state["upper"] = np.int64(draw(settings["seed"], value, 0) & np.uint64(0xFFFF)) & ~(pool - 1)
        state["counter"] = pool
    if event != SELECT:
        return 0
    if state["counter"] >= pool:
        state["counter"] = 0
        state["draws"] += 1
        state["order"] = np.int64(draw(settings["seed"], state["stream"], state["draws"]) & np.uint64(pool - 1))
    entropy = state["upper"] | (state["counter"] ^ state["order"])
    state["counter"] += 1
    return np.int64(entropy)
