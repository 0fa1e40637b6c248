"""NSCC, the sender-based congestion controller of UE 1.0: ECN marks and queueing delay steer the window.

Each answer falls into one quadrant: unmarked below the delay target, the window grows with the head-room
(or fast, while there is no queue at all); unmarked above it, it grows fairly; marked above it, it is cut
at most once per round trip; marked below it, only the path changes. Quick Adapt sets the window to what
was delivered when losses show that it is far too large.

Source: UE specification 1.0, section 3.6.13, as its constants and rules are reported in public
implementations. Where the text leaves a choice (delay average, the delay that counts as none, answers
without a valid round trip) this is the choice of uet-htsim. Units: bytes and picoseconds; pending
increase, average delay and gains are float64, so nothing overflows at any rate.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from uet.base.jit import kernel
from uet.transport.congestion.contract import ACK, NACK, START

STATE = np.dtype(
    [
        ("base_rtt_ps", "i8"),  # smallest round trip seen
        ("max_window", "i8"),
        ("proportional_gain", "f8"),  # alpha: bytes^2 per byte and ps of head-room
        ("fair_gain", "f8"),  # fi: bytes^2 per byte
        ("fast_gain", "f8"),  # fi_scale: bytes per byte
        ("eta", "f8"),  # bytes per adjust period
        ("average_delay", "f8"),
        ("increase", "f8"),  # pending: bytes^2, divided by the window when applied
        ("received", "i8"),  # bytes since the increase was applied last
        ("adjusted_ps", "i8"),
        ("decreased_ps", "i8"),
        ("fast_bytes", "i8"),  # bytes delivered without queueing delay
        ("fast", "i8"),
        ("achieved", "i8"),  # bytes delivered in this Quick Adapt period
        ("adapt_ps", "i8"),  # its end; 0: none began yet
        ("armed", "i8"),
        ("ignored", "i8"),
        ("to_ignore", "i8"),  # bytes in flight when Quick Adapt acted: their marks are old news
        ("held_window", "i8"),  # before the receiving host asked for less, 0: it does not
    ]
)

REFERENCE_BDP_BYTES = 150_000  # 100 Gb/s x 12 us
REFERENCE_RTT_PS = 12_000_000
MILLION = 1_000_000.0  # scale of the gains in the settings


def control(state: Any, event: Any, settings: Any) -> int:
    """Return the new congestion window [bytes]."""
    if event["kind"] == START:
        return _start(state, event, settings)
    if event["kind"] == ACK:
        return _on_ack(state, event, settings)
    if event["kind"] == NACK:
        return _on_nack(state, event, settings)
    state["ignored"] += event["packet_bytes"]
    return max(event["cwnd_bytes"] - event["packet_bytes"], _packet(settings))


@kernel
def _packet(settings: Any) -> int:
    """Return the nominal bytes of a full packet, the least window."""
    return settings["payload_bytes"] + settings["nominal_bytes"]


@kernel
def _bdp(settings: Any, rtt_ps: int) -> int:
    """Return the bytes the NIC sends in a round trip (ps x Mb/s = 10^-6 bits)."""
    return rtt_ps * settings["line_mbps"] // 8_000_000


@kernel
def _set_base_rtt(state: Any, settings: Any, rtt_ps: int) -> None:
    """Take over a new base round trip and the window limit that follows from it."""
    state["base_rtt_ps"] = rtt_ps
    limit = np.int64(_bdp(settings, rtt_ps) * (settings["nscc_max_window"] / MILLION))
    state["max_window"] = max(limit, _packet(settings))


@kernel
def _start(state: Any, event: Any, settings: Any) -> int:
    """Scale the gains to the network and return the initial window."""
    _set_base_rtt(state, settings, settings["base_rtt_ps"])
    mtu = settings["payload_bytes"]
    a = _bdp(settings, settings["base_rtt_ps"]) / REFERENCE_BDP_BYTES
    b = settings["nscc_target_ps"] / REFERENCE_RTT_PS
    state["proportional_gain"] = (settings["nscc_alpha"] / MILLION) * mtu * a * b / settings["nscc_target_ps"]
    state["fair_gain"] = (settings["nscc_fair"] / MILLION) * mtu * a
    state["fast_gain"] = (settings["nscc_fast"] / MILLION) * a
    state["eta"] = (settings["nscc_eta"] / MILLION) * mtu * a
    state["adjusted_ps"] = state["decreased_ps"] = event["now_ps"]
    return settings["window_bytes"]


@kernel
def _bounded(state: Any, settings: Any, window: int) -> int:
    """Return the window within one packet and the limit."""
    return min(max(window, _packet(settings)), state["max_window"])


@kernel
def _average(state: Any, settings: Any, delay: float) -> None:
    """Feed one sample to the moving average of the delay."""
    gain = settings["nscc_delay_gain"] / MILLION
    state["average_delay"] = gain * delay + (1 - gain) * state["average_delay"]


@kernel
def _delay(state: Any, event: Any, settings: Any) -> int:
    """Return the queueing delay an ACK reports, the average if it reports none, and update the average."""
    rtt = event["rtt_ps"]
    if rtt < 0:
        return np.int64(state["average_delay"])
    if rtt < state["base_rtt_ps"]:
        _set_base_rtt(state, settings, rtt)
    delay = rtt - state["base_rtt_ps"]
    if event["ecn"] == 0 and delay > settings["nscc_target_ps"]:
        # A long delay without a mark is a queue that has drained meanwhile: not congestion.
        _average(state, settings, settings["nscc_unmarked_delay"] / MILLION * state["base_rtt_ps"])
    else:
        _average(state, settings, np.float64(delay))
    return delay


@kernel
def _on_ack(state: Any, event: Any, settings: Any) -> int:
    """Return the window after an ACK."""
    acked, now = event["acked_bytes"], event["now_ps"]
    state["achieved"] += acked
    state["received"] += acked
    state["ignored"] += acked
    delay = _delay(state, event, settings)
    target, window = settings["nscc_target_ps"], event["cwnd_bytes"]
    adapted = _quick_adapt(state, event, settings, 0, event["ecn"], delay, event["in_flight_bytes"])
    if event["pressure"] > 0:
        return _press(state, event, settings)
    if event["restore"] != 0 and state["held_window"] > 0:
        window, state["held_window"] = state["held_window"], 0
    if adapted > 0:
        return adapted
    if event["ecn"] == 0 and delay >= target:
        state["increase"] += state["fair_gain"] * acked
    elif event["ecn"] == 0:
        window = _grow(state, settings, window, acked, delay)
    elif delay >= target:
        window = _cut(state, settings, window, now)
    window = _bounded(state, settings, window)
    since = now - state["adjusted_ps"]
    if state["received"] > settings["nscc_adjust_packets"] * _packet(settings) or since > settings["base_rtt_ps"]:
        window = np.int64(window + state["increase"] / window)
        if since >= settings["base_rtt_ps"]:
            window = np.int64(window + state["eta"])
            state["adjusted_ps"] = now
        state["increase"], state["received"] = 0.0, 0
    return _bounded(state, settings, window)


@kernel
def _press(state: Any, event: Any, settings: Any) -> int:
    """Return the window under destination flow control: less for every byte the ACK reports, and no increase."""
    window = event["cwnd_bytes"]
    if state["held_window"] == 0:
        state["held_window"] = window
        window = min(window, event["in_flight_bytes"] + event["acked_bytes"])
    return max(window - ((event["pressure"] * event["acked_bytes"]) >> 7), _packet(settings))


@kernel
def _grow(state: Any, settings: Any, window: int, acked: int, delay: int) -> int:
    """Return the window after fast increase, or note a proportional one."""
    if delay < settings["nscc_no_delay_ps"]:
        state["fast_bytes"] += acked
        if state["fast"] != 0 or state["fast_bytes"] > window:
            state["fast"] = 1
            return np.int64(window + acked * state["fast_gain"])
    else:
        state["fast_bytes"] = 0
    state["fast"] = 0
    state["increase"] += state["proportional_gain"] * acked * (settings["nscc_target_ps"] - delay)
    return window


@kernel
def _cut(state: Any, settings: Any, window: int, now: int) -> int:
    """Return the window after multiplicative decrease, which happens at most once per base round trip."""
    state["fast"], state["fast_bytes"] = 0, 0
    average, target = state["average_delay"], settings["nscc_target_ps"]
    if average <= target or now - state["decreased_ps"] <= state["base_rtt_ps"]:
        return window
    state["decreased_ps"] = now
    factor = 1 - settings["nscc_gamma"] / MILLION * (average - target) / average
    return np.int64(window * max(factor, 1 - settings["nscc_max_cut"] / MILLION))


@kernel
def _quick_adapt(state: Any, event: Any, settings: Any, loss: int, marked: int, delay: int, in_flight: int) -> int:
    """Return the window if the event was dealt with here (adapted, or ignored after adapting), else 0."""
    now, window = event["now_ps"], 0
    if state["ignored"] < state["to_ignore"] and marked != 0:
        window = event["cwnd_bytes"]
    elif now > state["adapt_ps"]:
        slow = settings["nscc_adapt_delay_ps"] > 0 and delay > settings["nscc_adapt_delay_ps"]
        wanted = state["armed"] != 0 or loss != 0 or slow
        if state["adapt_ps"] != 0 and wanted and state["achieved"] < state["max_window"] >> settings["nscc_gate"]:
            window = max(state["achieved"], _packet(settings))
            state["to_ignore"], state["ignored"], state["armed"] = in_flight, 0, 0
        state["achieved"] = 0
        state["adapt_ps"] = now + state["base_rtt_ps"] + settings["nscc_target_ps"]
    if window > 0:
        state["increase"], state["received"] = 0.0, 0
    return window


@kernel
def _on_nack(state: Any, event: Any, settings: Any) -> int:
    """Return the window after a trimmed packet, whose delay is taken as one network round trip."""
    if settings["nscc_nack_rtt"] != 0 and 0 <= event["rtt_ps"] < state["base_rtt_ps"]:
        _set_base_rtt(state, settings, event["rtt_ps"])
    size = event["packet_bytes"]
    state["ignored"] += size
    _average(state, settings, np.float64(settings["base_rtt_ps"]))
    granted = settings["credit"] != 0 and event["last_hop"] != 0  # receiver credit takes care of the last hop
    if not granted or settings["nscc_adapt_last_hop"] != 0:
        state["armed"] = 1
        adapted = _quick_adapt(state, event, settings, 1, 1, 0, event["in_flight_bytes"] + size)
        if adapted > 0:
            return adapted
    return _bounded(state, settings, event["cwnd_bytes"] - (0 if granted else size))
