"""DCQCN, the rate control of RoCEv2: marks halve the rate at most, timers and bytes sent raise it again.

Source: Zhu et al., "Congestion Control for Large-Scale RDMA Deployments", SIGCOMM 2015, section 3.1 and
figure 7, with the receiver's rule (one notification per interval) kept at the sender: marked ACKs within
the interval count once. The step of hyper increase, ten additive steps, is from memory of implementations.
Losses change nothing. There is no window: the rate alone holds a sender back (PACES), up to MP_RANGE.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from uet.base.jit import kernel
from uet.transport.congestion.contract import ACK, SENT, START

PACES = True

STATE = np.dtype(
    [
        ("rate", "f8"),  # Mb/s, the current one
        ("target", "f8"),  # Mb/s, the one aimed at
        ("alpha", "f8"),  # how congested the path seems
        ("notified_ps", "i8"),  # last notification that counted, -1 none
        ("alpha_ps", "i8"),  # when alpha was updated last
        ("timer_ps", "i8"),  # when the increase timer fired last
        ("bytes", "i8"),  # sent since the byte counter fired last
        ("by_time", "i8"),  # times each fired since the last cut
        ("by_bytes", "i8"),
    ]
)

UNLIMITED_BYTES = 1 << 40
MILLION = 1e6
MAX_CATCH_UP = 2000
"""Timer periods caught up with at most; an idle sender is at its full rate by then."""


def control(state: Any, event: Any, settings: Any) -> int:
    """Set the rate [Mb/s] in the event and return a window that is never full."""
    kind, now, line = event["kind"], event["now_ps"], np.float64(settings["line_mbps"])
    if kind == START:
        state["rate"], state["target"], state["alpha"], state["notified_ps"] = line, line, 1.0, -1
        state["alpha_ps"], state["timer_ps"] = now, now
    else:
        _catch_up(state, settings, now, line)
    if kind == ACK and event["ecn"] != 0:
        _on_notification(state, settings, now)
    elif kind == SENT:
        state["bytes"] += event["packet_bytes"]
        if state["bytes"] >= settings["dcqcn_bytes"]:
            state["bytes"] = 0
            state["by_bytes"] += 1
            _increase(state, settings, line)
    least = line * settings["dcqcn_min_rate"] / MILLION
    state["rate"] = min(max(state["rate"], least), line)
    event["rate_mbps"] = max(np.int64(state["rate"]), 1)
    return UNLIMITED_BYTES


@kernel
def _catch_up(state: Any, settings: Any, now: int, line: float) -> None:
    """Do what the alpha timer and the increase timer would have done since they were looked at last."""
    gain = settings["dcqcn_gain"] / MILLION
    periods = min((now - state["alpha_ps"]) // settings["dcqcn_alpha_ps"], MAX_CATCH_UP)
    if periods > 0:
        state["alpha"] *= (1 - gain) ** np.float64(periods)
        state["alpha_ps"] = now - (now - state["alpha_ps"]) % settings["dcqcn_alpha_ps"]
    firings = min((now - state["timer_ps"]) // settings["dcqcn_timer_ps"], MAX_CATCH_UP)
    for _ in range(firings):
        state["by_time"] += 1
        _increase(state, settings, line)
    if firings > 0:
        state["timer_ps"] = now - (now - state["timer_ps"]) % settings["dcqcn_timer_ps"]


@kernel
def _on_notification(state: Any, settings: Any, now: int) -> None:
    """Cut the rate by half of alpha, once per notification interval."""
    if state["notified_ps"] >= 0 and now - state["notified_ps"] < settings["dcqcn_interval_ps"]:
        return
    gain = settings["dcqcn_gain"] / MILLION
    state["notified_ps"] = now
    state["target"] = state["rate"]
    state["rate"] *= 1 - state["alpha"] / 2
    state["alpha"] = (1 - gain) * state["alpha"] + gain
    state["alpha_ps"], state["timer_ps"] = now, now
    state["bytes"], state["by_time"], state["by_bytes"] = 0, 0, 0


@kernel
def _increase(state: Any, settings: Any, line: float) -> None:
    """Close half of the distance to the target, which rises after some rounds of fast recovery."""
    rounds = settings["dcqcn_rounds"]
    step = line * settings["dcqcn_increase"] / MILLION
    if min(state["by_time"], state["by_bytes"]) > rounds:
        state["target"] += settings["dcqcn_hyper"] * step * (min(state["by_time"], state["by_bytes"]) - rounds)
    elif max(state["by_time"], state["by_bytes"]) >= rounds:
        state["target"] += step
    state["target"] = min(state["target"], line)
    state["rate"] = min((state["rate"] + state["target"]) / 2, line)
