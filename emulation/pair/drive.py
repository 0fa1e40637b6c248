"""Drive a pair without choosing: single verbs for Python, time that passes, and a run without faults to the end."""

from __future__ import annotations

from functools import cache
from typing import Any

from emulation.pair.medium import act
from emulation.pair.state import ACT, DELIVER, EXPIRE, PAIR_WORLD, engine_of, pair_at
from uet.base.jit import kernel
from uet.transport.timers import next_timer

_act = ACT.call


@cache
def act_address() -> int:
    """Compile `medium.act` (once) and return its address."""
    return ACT.address(act, PAIR_WORLD.dtype)


@kernel
def do(w: Any, verb: int, k: int, argument: int) -> int:
    """Do one verb; see `medium.act`."""
    return _act(pair_at(w, 0)["act"], w, verb, k, argument)


@kernel
def advance(w: Any, time_ps: int) -> None:
    """Let time pass until `time_ps`, and serve the timers that fire by then."""
    pair, e = pair_at(w, 0), engine_of(w, 0)
    while next_timer(e) <= time_ps:
        do(w, EXPIRE, 0, 0)
    pair["now_ps"] = max(pair["now_ps"], time_ps)


@kernel
def finish(w: Any, max_steps: int) -> int:
    """Deliver everything in order and serve timers when nothing is under way, until all messages are done.

    Returns the steps that took, -1 if messages stay open although nothing is left to do, -2 if they
    are still open after `max_steps`.
    """
    pair = pair_at(w, 0)
    for step in range(max_steps):
        if pair["n_open"] == 0 and pair["n_flight"] == 0:
            return step
        if pair["n_flight"] > 0:
            do(w, DELIVER, 0, 0)
        elif do(w, EXPIRE, 0, 0) == 0:
            return -1
    return -2
