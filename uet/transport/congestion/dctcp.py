"""DCTCP: the window is cut once per window of data, in proportion to the fraction of it that was marked.

Source: RFC 8257 (sections 3.3 to 3.5) on bytes, with the slow start of RFC 5681 after a timeout. Because
several paths reorder packets, a trimmed packet counts as the loss. An ACK speaks for all bytes it newly
reports. The first window is the configured one, so there is no slow start at the beginning.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from uet.base.jit import kernel
from uet.transport.congestion.contract import ACK, START, TIMEOUT

STATE = np.dtype(
    [
        ("window", "f8"),  # bytes, with the fraction that an integer would lose
        ("fraction", "f8"),  # moving average of the marked fraction (alpha)
        ("acked", "i8"),  # bytes delivered in this observation window
        ("marked", "i8"),  # of these, reported by marked ACKs
        ("observe", "i8"),  # bytes that make up the observation window
        ("recover", "i8"),  # bytes to be delivered before losses cut again
        ("threshold", "f8"),  # slow start below it
    ]
)


def control(state: Any, event: Any, settings: Any) -> int:
    """Return the new congestion window [bytes]."""
    kind, packet = event["kind"], settings["payload_bytes"] + settings["nominal_bytes"]
    if kind == START:
        state["window"], state["fraction"] = np.float64(settings["window_bytes"]), 1.0
        state["observe"] = settings["window_bytes"]
    elif kind == ACK:
        _on_ack(state, event, settings, packet)
    elif kind == TIMEOUT:
        state["threshold"] = max(state["window"] / 2, 2.0 * packet)
        state["window"] = np.float64(packet)
    elif state["recover"] <= 0:
        state["window"] = max(state["window"] / 2, np.float64(packet))
        state["threshold"] = state["window"]
        state["recover"] = event["in_flight_bytes"]
    return np.int64(state["window"])


@kernel
def _on_ack(state: Any, event: Any, settings: Any, packet: int) -> None:
    """Grow by one packet per round trip; at the end of an observation window, cut for its marks."""
    acked = event["acked_bytes"]
    state["acked"] += acked
    state["recover"] = max(state["recover"] - acked, 0)
    if event["ecn"] != 0:
        state["marked"] += acked
    elif state["window"] < state["threshold"]:
        state["window"] += acked
    else:
        state["window"] += packet * acked / state["window"]
    if state["acked"] >= state["observe"]:
        gain = settings["dctcp_gain"] / 1e6
        state["fraction"] = (1 - gain) * state["fraction"] + gain * state["marked"] / state["acked"]
        if state["marked"] > 0:
            state["window"] = max(state["window"] * (1 - state["fraction"] / 2), np.float64(packet))
            state["threshold"] = state["window"]
        state["acked"], state["marked"], state["observe"] = 0, 0, np.int64(state["window"])
