"""What the sending side does with answers: ACKs, NACKs and timeouts."""

from __future__ import annotations

from typing import Any

import numpy as np

from uet.base.bitops import ONE, ZERO, count, low_bits, trailing_zeros
from uet.base.jit import kernel
from uet.transport.balancing.contract import ECN as LB_ECN
from uet.transport.balancing.contract import GOOD as LB_GOOD
from uet.transport.balancing.contract import NACK as LB_NACK
from uet.transport.balancing.contract import TIMEOUT as LB_TIMEOUT
from uet.transport.balancing.contract import tell_balancer
from uet.transport.bits import add, discard, has, next_member, read64, words_for
from uet.transport.congestion.contract import ACK as CC_ACK
from uet.transport.congestion.contract import NACK as CC_NACK
from uet.transport.congestion.contract import TIMEOUT as CC_TIMEOUT
from uet.transport.congestion.contract import tell_controller
from uet.transport.credit import ask_if_starving, end_speculation, on_credit_tick, take_credit
from uet.transport.messages import fail_pdc, finish_acknowledged
from uet.transport.pdc import activate, number_of, sent_size
from uet.transport.record import NackCode, PdsFlag
from uet.transport.state import (
    ESTABLISHED,
    FAILED,
    SYN_SENT,
    core_at,
    packet_at,
    pdc_at,
    sent_at,
    settings_at,
)
from uet.transport.timers import CREDIT, kind_of, pop_timer, row_of, set_timer
from uet.transport.wire.codes import CcType

MARKED, RETX = int(PdsFlag.MARKED), int(PdsFlag.RETX)
TRIMMED, TRIMMED_LASTHOP = int(NackCode.TRIMMED), int(NackCode.TRIMMED_LASTHOP)
FATAL_CODES = (int(NackCode.INV_DPDCID), int(NackCode.PDC_HDR_MISMATCH), int(NackCode.INVALID_SYN))
RECEIVED_UNIT_BITS, RECEIVED_MASK = 8, 0xFFFFFF
CC_NSCC, CC_CREDIT = int(CcType.NSCC), int(CcType.CREDIT)


@kernel
def _settle(e: Any, pdc: int, number: int, bits: np.uint64) -> None:
    """Take the packets number + i (i a set bit) off the books: they were received."""
    p, window = pdc_at(e, pdc), settings_at(e, 0)["window_packets"]
    flying, lost = np.int64(p["tx_words"]), np.int64(p["tx_words"]) + words_for(window)
    done = read64(e, flying, window, number) & bits
    while done != ZERO:
        n = number + trailing_zeros(done)
        p["in_flight"] -= sent_size(e, pdc, n)
        discard(e, flying, window, n)
        done &= done - ONE
    if p["tx_lost"] == 0:
        return
    found = read64(e, lost, window, number) & bits
    p["tx_lost"] -= count(found)
    while found != ZERO:
        discard(e, lost, window, number + trailing_zeros(found))
        found &= found - ONE
    if p["tx_lost"] > 0:
        p["tx_lost_low"] = next_member(e, lost, window, p["tx_lost_low"], p["tx_next"])


@kernel
def _acknowledge(e: Any, pdc: int, cack: int, sack_base: int, sack_bits: np.uint64) -> None:
    """Settle everything up to `cack` and what the selective bitmap names, within what was sent."""
    p = pdc_at(e, pdc)
    n, end = p["tx_cack"], cack + 1
    while n < end:
        _settle(e, pdc, n, low_bits(end - n))
        n += 64
    p["tx_cack"] = max(p["tx_cack"], end)
    if sack_bits == ZERO:
        return
    below = p["tx_cack"] - sack_base  # acknowledged already
    if below >= 64 or sack_base >= p["tx_next"]:
        return
    bits = sack_bits & low_bits(p["tx_next"] - sack_base)
    if below > 0:
        _settle(e, pdc, p["tx_cack"], bits >> np.uint64(below))
    else:
        _settle(e, pdc, sack_base, bits)


@kernel
def _round_trip(e: Any, pdc: int, number: int, retx: int, now: int) -> int:
    """Return the round trip [ps] of the packet an answer is about, -1 if it is ambiguous."""
    p, window = pdc_at(e, pdc), settings_at(e, 0)["window_packets"]
    if number < 0 or number >= p["tx_next"] or number < p["tx_next"] - window:
        return -1
    row = sent_at(e, p["ring"] + (number & (window - 1)))
    if (row["tries"] == 1 and retx == 0) or (row["tries"] == 2 and retx != 0):
        return now - row["time_ps"]
    return -1


@kernel
def _learn_peer(e: Any, pdc: int, spdcid: int) -> None:
    """Leave the SYN state: the first answer carries the other side's identifier."""
    p = pdc_at(e, pdc)
    if p["state"] == SYN_SENT and spdcid != 0:
        p["state"], p["peer_pdcid"] = ESTABLISHED, spdcid


@kernel
def _newly_received(p: Any, packet: Any) -> int:
    """Return the bytes an ACK newly reports as received, 0 for an older one that was overtaken."""
    if np.int64(packet["code"]) >> 4 != CC_NSCC:
        return 0
    units = np.int64((packet["cc_state"] >> np.uint64(16)) & np.uint64(RECEIVED_MASK))
    news = (units - (p["peer_bytes"] >> RECEIVED_UNIT_BITS)) & RECEIVED_MASK
    if news > RECEIVED_MASK >> 1:
        return 0
    p["peer_bytes"] += news << RECEIVED_UNIT_BITS
    return news << RECEIVED_UNIT_BITS


@kernel
def on_ack(e: Any, pdc: int, slot: int, now: int) -> None:
    """Process an ACK_CC for a PDC of ours. An ACK of packets never sent changes nothing."""
    p, packet = pdc_at(e, pdc), packet_at(e, slot)
    cack = number_of(np.int64(packet["psn"]), p["tx_start"], p["tx_cack"])
    if p["state"] == FAILED or cack >= p["tx_next"]:
        core_at(e, 0)["refused"] += 1
        return
    _learn_peer(e, pdc, np.int64(packet["spdcid"]))
    flags = np.int64(packet["pds_flags"])
    trigger = cack + np.int64(packet["psn_offset"])
    rtt = _round_trip(e, pdc, trigger, flags & RETX, now)
    _acknowledge(e, pdc, cack, cack + np.int64(packet["sack_offset"]), packet["sack_bitmap"])
    news = _newly_received(p, packet)
    if settings_at(e, 0)["credit"] != 0:
        end_speculation(e, pdc)
        if np.int64(packet["code"]) >> 4 == CC_CREDIT:
            take_credit(e, pdc, np.int64(packet["cc_state"] >> np.uint64(40)))
    ecn = 1 if flags & MARKED else 0
    tell_balancer(e, pdc, LB_ECN if ecn else LB_GOOD, np.int64(packet["entropy"]), now)
    size = settings_at(e, 0)["payload_bytes"] + settings_at(e, 0)["nominal_bytes"]
    tell_controller(e, pdc, CC_ACK, now, news, size, rtt, ecn, 0)
    finish_acknowledged(e, pdc, now)
    activate(e, pdc)


@kernel
def _mark_lost(e: Any, pdc: int, number: int) -> int:
    """Move a packet in flight to the lost ones and return its nominal size."""
    p, window = pdc_at(e, pdc), settings_at(e, 0)["window_packets"]
    size = sent_size(e, pdc, number)
    discard(e, np.int64(p["tx_words"]), window, number)
    add(e, np.int64(p["tx_words"]) + words_for(window), window, number)
    p["in_flight"] -= size
    if p["tx_lost"] == 0 or number < p["tx_lost_low"]:
        p["tx_lost_low"] = number
    p["tx_lost"] += 1
    return size


@kernel
def on_nack(e: Any, pdc: int, slot: int, now: int) -> None:
    """Process a NACK for a PDC of ours. One that names no packet in flight changes nothing.

    Trim codes mean: send again now. Fatal codes end the PDC. All others are left to the timer.
    """
    p, packet, window = pdc_at(e, pdc), packet_at(e, slot), settings_at(e, 0)["window_packets"]
    number = number_of(np.int64(packet["psn"]), p["tx_start"], p["tx_cack"])
    inside = p["tx_cack"] <= number < p["tx_next"]
    if p["state"] == FAILED or not inside or not has(e, np.int64(p["tx_words"]), window, number):
        core_at(e, 0)["refused"] += 1
        return
    code, flags = np.int64(packet["code"]), np.int64(packet["pds_flags"])
    _learn_peer(e, pdc, np.int64(packet["spdcid"]))
    if code in FATAL_CODES:
        fail_pdc(e, pdc, now)
        return
    if code not in (TRIMMED, TRIMMED_LASTHOP):
        return
    if settings_at(e, 0)["credit"] != 0:
        end_speculation(e, pdc)
    rtt = _round_trip(e, pdc, number, flags & RETX, now)
    size = _mark_lost(e, pdc, number)
    ecn = 1 if flags & MARKED else 0
    last_hop = 1 if code == TRIMMED_LASTHOP else 0
    feedback = LB_NACK if last_hop == 0 else LB_ECN if ecn else LB_GOOD  # another path does not help at the last hop
    tell_balancer(e, pdc, feedback, np.int64(packet["entropy"]), now)
    tell_controller(e, pdc, CC_NACK, now, 0, size, rtt, ecn, last_hop)
    activate(e, pdc)


@kernel
def _deadline(e: Any, row: int) -> int:
    """Return when the packet in a send ring row counts as lost [ps]."""
    sent, settings = sent_at(e, row), settings_at(e, 0)
    doublings = min(np.int64(sent["timeouts"]), 20) if settings["rto_backoff"] else 0
    return sent["time_ps"] + (settings["rto_ps"] << doublings)


@kernel
def _earliest(e: Any, pdc: int) -> int:
    """Return the packet in flight whose deadline comes first, -1 if none is in flight."""
    p, window = pdc_at(e, pdc), settings_at(e, 0)["window_packets"]
    words, ring = np.int64(p["tx_words"]), np.int64(p["ring"])
    best = -1
    n = next_member(e, words, window, p["tx_cack"], p["tx_next"])
    while n < p["tx_next"]:
        row = ring + (n & (window - 1))
        if best < 0 or _deadline(e, row) < _deadline(e, ring + (best & (window - 1))):
            best = n
        n = next_member(e, words, window, n + 1, p["tx_next"])
    return best


@kernel
def on_timer(e: Any, now: int) -> int:
    """Serve the earliest timer, which is due, and return the endpoint that may now have more to send."""
    item = pop_timer(e)
    if kind_of(item) == CREDIT:
        on_credit_tick(e, row_of(item), now)
        return row_of(item)
    pdc = row_of(item)
    _on_retransmission_timer(e, pdc, now)
    if settings_at(e, 0)["credit"] != 0:
        ask_if_starving(e, pdc, now)
    return np.int64(pdc_at(e, pdc)["endpoint"])


@kernel
def _on_retransmission_timer(e: Any, pdc: int, now: int) -> None:
    """Give up the packet in flight whose time is over, or set the timer for the next one."""
    p, settings = pdc_at(e, pdc), settings_at(e, 0)
    number = _earliest(e, pdc)
    if number < 0:
        return
    row = p["ring"] + (number & (settings["window_packets"] - 1))
    if _deadline(e, row) > now:
        set_timer(e, pdc, _deadline(e, row))
        return
    sent = sent_at(e, row)
    core_at(e, 0)["timeouts"] += 1
    sent["timeouts"] = min(sent["timeouts"] + 1, 255)
    if settings["max_retries"] >= 0 and sent["timeouts"] > settings["max_retries"]:
        fail_pdc(e, pdc, now)
        return
    size = _mark_lost(e, pdc, number)
    tell_balancer(e, pdc, LB_TIMEOUT, np.int64(sent["entropy"]), now)
    tell_controller(e, pdc, CC_TIMEOUT, now, 0, size, -1, 0, 0)
    following = _earliest(e, pdc)
    if following >= 0:
        ring_row = p["ring"] + (following & (settings["window_packets"] - 1))
        set_timer(e, pdc, max(now, _deadline(e, ring_row)))
    activate(e, pdc)
