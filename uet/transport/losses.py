"""Packets to be sent again: moving them from in flight to lost, one, all from a number on, or one settled before."""

from __future__ import annotations

from typing import Any

import numpy as np

from uet.base.jit import kernel
from uet.transport.bits import add, discard, has, next_member, words_for
from uet.transport.pdc import sent_size
from uet.transport.reasons import note
from uet.transport.state import endpoint_at, pdc_at, settings_at


@kernel
def in_flight(e: Any, pdc: int, number: int) -> bool:
    """Tell whether a packet is outstanding: sent, not answered and not known lost."""
    p, window = pdc_at(e, pdc), settings_at(e, 0)["window_packets"]
    inside = p["ring"] >= 0 and p["tx_cack"] <= number < p["tx_next"]
    return inside and has(e, np.int64(p["tx_words"]), window, number)


@kernel
def is_lost(e: Any, pdc: int, number: int) -> bool:
    """Tell whether a packet waits to be sent again."""
    p, window = pdc_at(e, pdc), settings_at(e, 0)["window_packets"]
    return p["tx_lost"] > 0 and has(e, np.int64(p["tx_words"]) + words_for(window), window, number)


@kernel
def mark_lost(e: Any, pdc: int, number: int, reason: int, now: int) -> int:
    """Move a packet in flight to the lost ones and return its size on the link."""
    p, window = pdc_at(e, pdc), settings_at(e, 0)["window_packets"]
    size = sent_size(e, pdc, number)
    discard(e, np.int64(p["tx_words"]), window, number)
    p["in_flight"] -= size
    endpoint_at(e, p["endpoint"])["outstanding"] -= 1
    _add_lost(e, pdc, number, reason, now)
    return size


@kernel
def _add_lost(e: Any, pdc: int, number: int, reason: int, now: int) -> None:
    p, window = pdc_at(e, pdc), settings_at(e, 0)["window_packets"]
    add(e, np.int64(p["tx_words"]) + words_for(window), window, number)
    if p["tx_lost"] == 0 or number < p["tx_lost_low"]:
        p["tx_lost_low"] = number
    p["tx_lost"] += 1
    note(e, reason, now, np.int64(p["endpoint"]), pdc, (p["tx_start"] + number) & 0xFFFFFFFF)


@kernel
def send_again(e: Any, pdc: int, number: int, reason: int, now: int) -> None:
    """Have a packet sent again, even one that was received: its answer is missing."""
    p = pdc_at(e, pdc)
    if p["ring"] < 0 or not p["tx_cack"] <= number < p["tx_next"]:
        return
    if in_flight(e, pdc, number):
        mark_lost(e, pdc, number, reason, now)
    elif not is_lost(e, pdc, number):
        _add_lost(e, pdc, number, reason, now)


@kernel
def go_back(e: Any, pdc: int, number: int, reason: int, now: int) -> int:
    """Have every packet in flight from `number` on sent again; returns their bytes."""
    p, window = pdc_at(e, pdc), settings_at(e, 0)["window_packets"]
    if p["ring"] < 0:
        return 0
    flying, total = np.int64(p["tx_words"]), 0
    n = next_member(e, flying, window, max(number, p["tx_cack"]), p["tx_next"])
    while n < p["tx_next"]:
        total += mark_lost(e, pdc, n, reason, now)
        n = next_member(e, flying, window, n + 1, p["tx_next"])
    return total
