"""Entropy skipping: walk over all entropy values as oblivious spraying does, passing by bad ones.

Feedback adds to the penalty of an entropy value: ECN 1, trim 4, timeout 15, at most 15. A value with a
penalty is skipped; of those skipped for one packet, the first gets one point off. Same scheme as in
uet-htsim, except that a timeout counts against the entropy of the packet that was lost.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from uet.base.jit import kernel
from uet.base.rng import draw
from uet.transport.balancing.contract import ECN, NACK, SELECT, START, TIMEOUT

MAX_ENTROPIES = 256
MAX_PENALTY = 15

WALK = [
    ("stream", "i8"),
    ("draws", "i8"),
    ("upper", "u2"),  # the bits above the pool, random and fixed
    ("order", "u2"),  # XORed on the counter, drawn anew at every wrap
    ("counter", "i2"),
    ("penalised", "i2"),  # entropy values with a penalty
    ("penalty", "u1", (MAX_ENTROPIES // 2,)),  # 4 bits each, the even value in the low ones
]
STATE = np.dtype(WALK)


def balance(state: Any, settings: Any, event: int, value: int, now: int) -> int:
    """Return the next entropy value without a penalty, or take note of feedback."""
    if event == START:
        begin(state, settings, value)
    elif event == SELECT:
        return next_unpunished(state, settings)
    else:
        punish(state, settings, event, value)
    return 0


@kernel
def begin(state: Any, settings: Any, stream: int) -> None:
    """Draw what is fixed per PDC and the first order."""
    pool = settings["entropies"]
    state["stream"] = stream
    state["upper"] = np.int64(draw(settings["seed"], stream, 0) & np.uint64(0xFFFF)) & ~(pool - 1)
    _shuffle(state, settings)


@kernel
def _shuffle(state: Any, settings: Any) -> None:
    """Begin a new round in a new order."""
    state["draws"] += 1
    bits = draw(settings["seed"], state["stream"], state["draws"])
    state["order"], state["counter"] = np.int64(bits & np.uint64(settings["entropies"] - 1)), 0


@kernel
def _penalty(state: Any, index: int) -> int:
    """Return the penalty of an entropy value."""
    return (np.int64(state["penalty"][index >> 1]) >> ((index & 1) * 4)) & 15


@kernel
def _set_penalty(state: Any, index: int, penalty: int) -> None:
    """Set the penalty of an entropy value and keep the count of those that have one."""
    before = _penalty(state, index)
    shift = (index & 1) * 4
    rest = np.int64(state["penalty"][index >> 1]) & ~(15 << shift)
    state["penalty"][index >> 1] = rest | (penalty << shift)
    state["penalised"] += (1 if penalty > 0 else 0) - (1 if before > 0 else 0)


@kernel
def punish(state: Any, settings: Any, event: int, value: int) -> None:
    """Add what the feedback is worth to the penalty of an entropy value."""
    points = 1 if event == ECN else 4 if event == NACK else MAX_PENALTY if event == TIMEOUT else 0
    if points > 0:
        index = value & (settings["entropies"] - 1)
        _set_penalty(state, index, min(_penalty(state, index) + points, MAX_PENALTY))


@kernel
def _step(state: Any, settings: Any) -> int:
    """Return the walk's next entropy index."""
    if state["counter"] >= settings["entropies"]:
        _shuffle(state, settings)
    index = np.int64(state["counter"]) ^ np.int64(state["order"])
    state["counter"] += 1
    return index


@kernel
def next_unpunished(state: Any, settings: Any) -> int:
    """Return the walk's next entropy value without a penalty, any one if all have some."""
    index = _step(state, settings)
    if state["penalised"] > 0 and _penalty(state, index) > 0:
        _set_penalty(state, index, _penalty(state, index) - 1)
        index, looked = _step(state, settings), 1
        while _penalty(state, index) > 0 and looked <= settings["entropies"]:
            index = _step(state, settings)
            looked += 1
    return np.int64(state["upper"]) | index
