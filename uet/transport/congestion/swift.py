"""Swift: additive increase below a target round trip, and a decrease in proportion to the excess above it.

Source: Kumar et al., "Swift: Delay is Simple and Effective for Congestion Control in the Datacenter",
SIGCOMM 2020, Algorithm 1 and the flow scaling of its section 3.5, on bytes. Differences: the target has
no term per hop (the base round trip is that of the longest path), endpoint delay is not told apart, a
trimmed packet stands for the fast retransmission, the window ends at one packet as nothing is paced, and it
never exceeds the initial one.
"""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np

from uet.base.jit import kernel
from uet.transport.congestion.contract import ACK, START, TIMEOUT

STATE = np.dtype(
    [
        ("window", "f8"),  # bytes
        ("decreased_ps", "i8"),
        ("rtt_ps", "i8"),  # last valid round trip
        ("timeouts", "i8"),  # in a row
    ]
)


def control(state: Any, event: Any, settings: Any) -> int:
    """Return the new congestion window [bytes]."""
    kind, packet = event["kind"], settings["payload_bytes"] + settings["nominal_bytes"]
    if kind == START:
        state["window"] = np.float64(settings["window_bytes"])
        state["decreased_ps"], state["rtt_ps"] = event["now_ps"], settings["base_rtt_ps"]
        return np.int64(settings["window_bytes"])
    if event["rtt_ps"] >= 0:
        state["rtt_ps"] = event["rtt_ps"]
    if kind == ACK:
        _on_ack(state, event, settings, packet)
    elif kind == TIMEOUT:
        state["timeouts"] += 1
        if state["timeouts"] >= settings["swift_retries"]:
            state["window"], state["decreased_ps"] = 0.0, event["now_ps"]
        else:
            _cut(state, event, 1 - settings["swift_max_cut"] / 1e6)
    else:
        _cut(state, event, 1 - settings["swift_max_cut"] / 1e6)
    state["window"] = min(max(state["window"], np.float64(packet)), np.float64(settings["window_bytes"]))
    return np.int64(state["window"])


@kernel
def _target(state: Any, settings: Any, packet: int) -> float:
    """Return the round trip aimed at [ps]: the smaller the window, the more senders share the queue."""
    low, high = settings["swift_range_low"] / 1e3, settings["swift_range_high"] / 1e3
    alpha = settings["swift_range_ps"] / (1 / sqrt(low) - 1 / sqrt(high))
    more = alpha / sqrt(state["window"] / packet) - alpha / sqrt(high)
    return settings["swift_target_ps"] + max(0.0, min(more, np.float64(settings["swift_range_ps"])))


@kernel
def _cut(state: Any, event: Any, factor: float) -> None:
    """Multiply the window by `factor`, at most once per round trip."""
    if event["now_ps"] - state["decreased_ps"] >= state["rtt_ps"]:
        state["window"] *= factor
        state["decreased_ps"] = event["now_ps"]


@kernel
def _on_ack(state: Any, event: Any, settings: Any, packet: int) -> None:
    """Compare the last valid round trip with the target."""
    state["timeouts"] = 0
    delay, target = state["rtt_ps"], _target(state, settings, packet)
    if delay < target:
        increase = settings["swift_increase"] / 1e3 * packet
        state["window"] += increase * event["acked_bytes"] / state["window"]
    else:
        excess = settings["swift_beta"] / 1e6 * (delay - target) / delay
        _cut(state, event, max(1 - excess, 1 - settings["swift_max_cut"] / 1e6))
