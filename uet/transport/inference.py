"""Losses inferred from how many packets arrived out of order, for networks that do not trim.

Spraying reorders packets, so that a later packet says nothing about an earlier one. But paths differ by a
bounded delay: when more packets than fit in 1.5 windows (and at least 5) have passed a missing one, it is
lost. The sender then sends again what is missing up to the highest packet sent so far, and is in recovery
until all of that is acknowledged. When answers stop, probes on the control class ask what arrived; one that
comes back without queueing delay, while packets are missing, starts recovery too. Source: the scheme "sleek"
of uet-htsim; that an inferred loss lowers the window by the packet is UE 1.0's.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from uet.base.jit import kernel
from uet.transport.congestion.contract import INFERRED, tell_controller
from uet.transport.control import send_probe
from uet.transport.losses import in_flight, mark_lost
from uet.transport.pdc import activate
from uet.transport.reasons import Reason
from uet.transport.record import PdsFlag
from uet.transport.reply import ALONE
from uet.transport.state import inference_at, packet_at, pdc_at, settings_at
from uet.transport.timers import PROBE, ensure_timer

RETX_INFERRED, PROBED = int(Reason.RETX_INFERRED), int(PdsFlag.PROBE)
NOT_SUPPLIED = 0xFFFF
FIRST_PROBE_RTTS, NEXT_PROBE_RTTS = 3, 5
MILLION = 10**6


@kernel
def threshold_packets(e: Any, pdc: int) -> int:
    """Return how many packets must have passed a missing one before it counts as lost."""
    settings = settings_at(e, 0)
    full, window, most = settings["payload_bytes"], pdc_at(e, pdc)["cwnd"], settings["window_bytes"]
    if settings["credit"] == ALONE:  # nothing heeds the window then
        window = most = settings["credit_max_bytes"]
    n_bytes = min(window * settings["infer_window"] // MILLION, most)
    return max(n_bytes // full, settings["infer_packets"])


@kernel
def infer(e: Any, pdc: int, slot: int, rtt: int, now: int) -> None:
    """Look at an ACK: begin, go on with or end recovery, and set the probe timer."""
    p, row, packet = pdc_at(e, pdc), inference_at(e, pdc), packet_at(e, slot)
    settings = settings_at(e, 0)
    out_of_order = np.int64(packet["cc_state"] & np.uint64(0xFFFF))
    row["heard_ps"], row["probes"] = now, 0
    if row["recovering"] != 0 and p["tx_cack"] >= row["end"]:
        row["recovering"] = 0
    passed = out_of_order != NOT_SUPPLIED and out_of_order >= threshold_packets(e, pdc)
    probed = packet["pds_flags"] & PROBED and 0 <= rtt < settings["base_rtt_ps"] + settings["nscc_target_ps"]
    missing = p["tx_cack"] < p["tx_next"]
    if row["recovering"] == 0 and missing and p["tx_lost"] == 0 and (passed or probed):
        row["recovering"], row["end"] = 1, p["tx_next"]
        row["resent"] = p["tx_cack"] if probed else max(row["resent"], p["tx_cack"])
    if row["recovering"] != 0:
        _recover(e, pdc, now)
    if p["tx_cack"] < p["tx_next"]:
        ensure_timer(e, pdc, PROBE, now + _patience(e, pdc))


@kernel
def _recover(e: Any, pdc: int, now: int) -> None:
    """Have what is missing within a window of the left edge sent again, once each."""
    p, row, full = pdc_at(e, pdc), inference_at(e, pdc), settings_at(e, 0)["payload_bytes"]
    number = max(row["resent"], p["tx_cack"])
    end = min(row["end"], p["tx_cack"] + max(p["cwnd"] // full, 1))
    while number < end:
        if in_flight(e, pdc, number):
            size = mark_lost(e, pdc, number, RETX_INFERRED, now)
            tell_controller(e, pdc, INFERRED, now, 0, size, -1, 0, 0)
        number += 1
    row["resent"] = max(row["resent"], end)


@kernel
def _patience(e: Any, pdc: int) -> int:
    """Return how long without an answer the sender waits before it probes [ps]."""
    p, settings = pdc_at(e, pdc), settings_at(e, 0)
    if inference_at(e, pdc)["probes"] > 0:
        return NEXT_PROBE_RTTS * settings["base_rtt_ps"]
    if p["tx_next"] >= p["tx_end"]:
        return settings["base_rtt_ps"] + settings["nscc_target_ps"]
    return FIRST_PROBE_RTTS * settings["base_rtt_ps"]


@kernel
def on_probe_timer(e: Any, pdc: int, now: int) -> None:
    """Probe if nothing was heard for long, as long as something is missing."""
    p, row = pdc_at(e, pdc), inference_at(e, pdc)
    if p["tx_cack"] >= p["tx_next"]:
        return
    due = row["heard_ps"] + _patience(e, pdc)
    if due <= now:
        send_probe(e, pdc, now)
        row["probes"] += 1
        row["heard_ps"] = now
        due = now + _patience(e, pdc)
    ensure_timer(e, pdc, PROBE, due)
    activate(e, pdc)
