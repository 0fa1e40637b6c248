"""ECMP: one random entropy value per PDC, so that all its packets take one path."""

from __future__ import annotations

from typing import Any

import numpy as np

from uet.base.rng import draw
from uet.transport.balancing.contract import START

STATE = np.dtype([("entropy", "i8")])


def balance(state: Any, settings: Any, event: int, value: int, now: int) -> int:
    """Return the PDC's entropy value; feedback is ignored."""
    if event == START:
        state["entropy"] = np.int64(draw(settings["seed"], value, 0) & np.uint64(0xFFFF))
    return np.int64(state["entropy"])
