"""Receiver credit in an oversubscribed fabric: grants slow down when the core, not the last link, is full.

A receiver whose senders share a full core would grant more than arrives. It therefore reviews, every 1.5
base round trips (drawn from 0.75 to 1.25 times that, so that receivers do not act in step), which share
of the packets came marked and which were trimmed before the last hop, and scales the rate of its grants.
Source: this is the scheme of uet-htsim; whether the specification has one is not known.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from uet.base.jit import kernel
from uet.base.rng import draw
from uet.transport.record import Net
from uet.transport.state import pacer_at, packet_at, settings_at

CE, TRIMMED, LAST_HOP = int(Net.ECN_CE), int(Net.TRIMMED), int(Net.LAST_HOP)
STREAM_REVIEW = 9 << 40
MIN_RATE = 0.01
INTERVAL_RTTS = 1.5


@kernel
def observe(e: Any, endpoint: int, slot: int) -> None:
    """Count a request that arrived at an endpoint, trimmed or not."""
    pacer, net = pacer_at(e, endpoint), packet_at(e, slot)["net"]
    pacer["packets"] += 1
    if net & TRIMMED:
        pacer["trims"] += 1
        if not net & LAST_HOP:
            pacer["far_trims"] += 1
    elif net & CE:
        pacer["marks"] += 1


@kernel
def review(e: Any, endpoint: int, now: int) -> float:
    """Return the share of the full grant rate, after reviewing it if that is due."""
    pacer, settings = pacer_at(e, endpoint), settings_at(e, 0)
    if now < pacer["due_ps"]:
        return pacer["rate"]
    if pacer["due_ps"] > 0:
        pacer["rate"] = min(max(_reviewed(pacer, settings), MIN_RATE), 1.0)
    pacer["packets"] = pacer["marks"] = pacer["trims"] = pacer["far_trims"] = 0
    bits = draw(settings["seed"], STREAM_REVIEW + endpoint, pacer["reviews"])
    spread = 0.75 + 0.5 * np.float64(bits >> np.uint64(11)) / 2.0**53
    pacer["reviews"] += 1
    pacer["due_ps"] = now + np.int64(INTERVAL_RTTS * settings["base_rtt_ps"] * spread)
    return pacer["rate"]


@kernel
def _reviewed(pacer: Any, settings: Any) -> float:
    """Return the rate that follows from what arrived since the last review."""
    rate, slower = pacer["rate"], False
    whole = pacer["packets"] - pacer["trims"]
    gain, target = settings["over_gain"] / 1e6, settings["over_target"] / 1e6
    marked = pacer["marks"] / whole if whole > 0 else 0.0
    pacer["marked"] = (1 - gain) * pacer["marked"] + gain * marked
    if pacer["far_trims"] > 0:
        rate, slower = rate - pacer["far_trims"] / pacer["packets"], True
    if pacer["marked"] > target:
        rate, slower = rate * (1 - (pacer["marked"] - target) * settings["over_decrease"] / 1e6), True
    if slower:
        pacer["streak"] = 0
        return rate
    doublings = min(pacer["streak"], 20) if pacer["marks"] == 0 else 0
    pacer["streak"] += 1
    return rate + settings["over_increase"] / 1e6 * np.float64(1 << doublings)
