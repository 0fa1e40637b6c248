"""What holds between two verbs, whatever the medium does: each table agrees with the others and with the peer."""

from __future__ import annotations

from typing import Any

import numpy as np

from emulation.pair.medium import violate
from emulation.pair.state import Violation, engine_of, flight_at, pair_at
from uet.base.bitops import count
from uet.base.jit import kernel
from uet.transport.bits import has, words_for
from uet.transport.directory import lookup, pdc_key
from uet.transport.pdc import can_send, is_open, sent_size
from uet.transport.state import core_at, endpoint_at, pdc_at, settings_at, slot_at, word_at
from uet.transport.timers import RTO

WINDOW, IN_FLIGHT, LOST, FORGOTTEN = (
    int(v) for v in (Violation.WINDOW, Violation.IN_FLIGHT, Violation.LOST, Violation.FORGOTTEN)
)
ACKNOWLEDGED, OUT_OF_ORDER = int(Violation.ACKNOWLEDGED), int(Violation.OUT_OF_ORDER)
NO_TIMER, SLOTS, IDLE = int(Violation.NO_TIMER), int(Violation.SLOTS), int(Violation.IDLE)


@kernel
def check(w: Any) -> int:
    """Return the first violation found so far, looking at all tables; 0 if there is none."""
    e = engine_of(w, 0)
    for row in range(e["n_pdc"]):
        p = pdc_at(e, row)
        if not is_open(p):
            continue
        if p["ring"] >= 0:
            _check_sender(w, e, row)
        _check_receiver(w, e, row)
    _check_slots(w, e)
    return pair_at(w, 0)["violation"]


@kernel
def peer_row(e: Any, row: int) -> int:
    """Return the row of the PDC at the other end, -1 if it is not open yet."""
    p = pdc_at(e, row)
    return lookup(e, pdc_key(np.int64(p["peer"]), np.int64(p["endpoint"]), np.int64(p["pdcid"])))


@kernel
def _received(e: Any, row: int, number: int) -> bool:
    """Tell whether the PDC in `row`, -1 for none, received packet `number`."""
    if row < 0:
        return False
    p = pdc_at(e, row)
    if number < p["rx_expected"]:
        return True
    window = settings_at(e, 0)["window_packets"]
    inside = p["rx_words"] >= 0 and number < p["rx_expected"] + window
    return inside and has(e, np.int64(p["rx_words"]), window, number)


@kernel
def _check_sender(w: Any, e: Any, row: int) -> None:
    """Count the packets between tx_cack and tx_next: each is in flight, lost or received, and none is two of these."""
    p, window, peer = pdc_at(e, row), settings_at(e, 0)["window_packets"], peer_row(e, row)
    flying_words = np.int64(p["tx_words"])
    lost_words = flying_words + words_for(window)
    outstanding = p["tx_next"] - p["tx_cack"]
    if outstanding < 0 or outstanding > window:
        violate(w, WINDOW, row)
        return
    known = peer >= 0 and is_open(pdc_at(e, peer))  # a closed PDC has forgotten what it received
    if known and p["tx_cack"] > pdc_at(e, peer)["rx_expected"]:
        violate(w, ACKNOWLEDGED, row)
    flying, in_flight, lost, lowest = 0, 0, 0, -1
    for number in range(p["tx_cack"], p["tx_next"]):
        flies, is_lost = has(e, flying_words, window, number), has(e, lost_words, window, number)
        if flies:
            flying += 1
            in_flight += sent_size(e, row, number)
        if is_lost:
            lost += 1
            lowest = number if lowest < 0 else lowest
        if flies and is_lost:
            violate(w, LOST, row)
        if known and not flies and not is_lost and not _received(e, peer, number):
            violate(w, FORGOTTEN, row)
    if in_flight != p["in_flight"]:
        violate(w, IN_FLIGHT, row)
    if _members(e, flying_words, words_for(window)) != flying or _members(e, lost_words, words_for(window)) != lost:
        violate(w, LOST, row)
    if lost != p["tx_lost"] or (lost > 0 and lowest != p["tx_lost_low"]):
        violate(w, LOST, row)
    if flying > 0 and p["timers"] & (1 << RTO) == 0:
        violate(w, NO_TIMER, row)
    if p["active"] == 0 and can_send(e, row):
        violate(w, IDLE, row)


@kernel
def _members(e: Any, first: int, n: int) -> int:
    """Return how many members the set in `n` words from `first` on has."""
    total = 0
    for i in range(first, first + n):
        total += count(word_at(e, i)["bits"])
    return total


@kernel
def _check_receiver(w: Any, e: Any, row: int) -> None:
    p, window = pdc_at(e, row), settings_at(e, 0)["window_packets"]
    if p["rx_words"] < 0:
        if p["rx_out_of_order"] != 0:
            violate(w, OUT_OF_ORDER, row)
        return
    above = _members(e, np.int64(p["rx_words"]), words_for(window))
    if above != p["rx_out_of_order"] or above >= window or has(e, np.int64(p["rx_words"]), window, p["rx_expected"]):
        violate(w, OUT_OF_ORDER, row)


@kernel
def _check_slots(w: Any, e: Any) -> None:
    """Count the slots that are free, under way or waiting to be sent: together all that were ever taken."""
    core, total = core_at(e, 0), pair_at(w, 0)["n_flight"]
    slot = core["free_packet"]
    while slot >= 0 and total <= core["used_packets"]:
        total += 1
        slot = slot_at(e, slot)["next"]
    for endpoint in range(2):
        slot = np.int64(endpoint_at(e, endpoint)["control_head"])
        while slot >= 0 and total <= core["used_packets"]:
            total += 1
            slot = np.int64(slot_at(e, slot)["next"])
    if total != core["used_packets"]:
        violate(w, SLOTS, np.int64(flight_at(w, 0)["slot"]))
