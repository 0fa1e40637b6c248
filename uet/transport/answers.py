"""What the sending side does with ACKs."""

from __future__ import annotations

from typing import Any

import numpy as np

from uet.base.bitops import ONE, ZERO, count, low_bits, trailing_zeros
from uet.base.jit import kernel
from uet.transport.balancing.contract import ECN as LB_ECN
from uet.transport.balancing.contract import GOOD as LB_GOOD
from uet.transport.balancing.contract import tell_balancer
from uet.transport.bits import add, discard, has, next_member, read64, words_for
from uet.transport.clearing import send_clear
from uet.transport.closing import close_pdc, progress_close
from uet.transport.congestion.contract import ACK as CC_ACK
from uet.transport.congestion.contract import tell_controller
from uet.transport.control import send_probe
from uet.transport.credit import end_speculation, take_credit
from uet.transport.inference import infer
from uet.transport.lifecycle import Input
from uet.transport.messages import finish_acknowledged
from uet.transport.pdc import activate, next_size, number_of, sent_size, transition
from uet.transport.reasons import Reason, note
from uet.transport.record import NextHeader, PdsFlag, PdsType
from uet.transport.reply import RECEIVED_MASK, RECEIVED_UNIT_BITS, SERVICE_MAX, SERVICE_UNIT_PS
from uet.transport.responses import on_response
from uet.transport.state import (
    INITIATOR,
    NOTHING,
    ROD,
    cc_event_at,
    core_at,
    endpoint_at,
    message_at,
    packet_at,
    pdc_at,
    sent_at,
    settings_at,
)
from uet.transport.timers import ANSWER, ensure_timer
from uet.transport.wire.codes import CcType

CC_NSCC, CC_CREDIT = int(CcType.NSCC), int(CcType.CREDIT)
ACK_CC, NO_HEADER = int(PdsType.ACK_CC), int(NextHeader.NONE)
MARKED, RETX, PROBED = int(PdsFlag.MARKED), int(PdsFlag.RETX), int(PdsFlag.PROBE)
REQUEST_CLEAR, REQUEST_CLOSE = int(PdsFlag.REQUEST_CLEAR), int(PdsFlag.REQUEST_CLOSE)
RARE_FLAGS = PROBED | REQUEST_CLEAR | REQUEST_CLOSE
ANSWER_INPUT = int(Input.ANSWER)
IGNORED_ANSWER = int(Reason.IGNORED_ANSWER)
BIT_PS_PER_BYTE_MBPS = 8 * 10**6


@kernel
def _settle(e: Any, pdc: int, number: int, bits: np.uint64) -> None:
    """Take the packets number + i (i a set bit) off the books: they were received."""
    p, window = pdc_at(e, pdc), settings_at(e, 0)["window_packets"]
    flying, lost = np.int64(p["tx_words"]), np.int64(p["tx_words"]) + words_for(window)
    done = read64(e, flying, window, number) & bits
    endpoint_at(e, p["endpoint"])["outstanding"] -= count(done)
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
    """Settle everything up to `cack` and what the selective bitmap names, within what was sent.

    The left edge `tx_cack` does not pass a message that waits for an answer of its own.
    """
    p = pdc_at(e, pdc)
    n, end = p["tx_cack"], cack + 1
    while n < end:
        _settle(e, pdc, n, low_bits(end - n))
        n += 64
    if p["awaiting"] >= 0 or p["answered"] > 0:
        _move_edge(e, pdc, end)
    else:
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
def _limit(e: Any, pdc: int) -> int:
    """Return how far the left edge may go: to the last packet of the first message that waits for its answer."""
    first = np.int64(pdc_at(e, pdc)["awaiting"])
    if first < 0:
        return pdc_at(e, pdc)["tx_next"]
    m = message_at(e, first)
    return m["first"] + m["packets"] - 1


@kernel
def _move_edge(e: Any, pdc: int, end: int) -> None:
    """Move the left edge to `end`, and on over packets answered one by one, as far as it may go."""
    p, window = pdc_at(e, pdc), settings_at(e, 0)["window_packets"]
    answered, limit = np.int64(p["tx_words"]) + 2 * words_for(window), _limit(e, pdc)
    while p["tx_cack"] < limit:
        n = p["tx_cack"]
        individually = p["answered"] > 0 and has(e, answered, window, n)
        if n >= end and not individually:
            return
        if individually:
            discard(e, answered, window, n)
            p["answered"] -= 1
        p["tx_cack"] = n + 1


@kernel
def round_trip(e: Any, pdc: int, number: int, retx: int, now: int) -> int:
    """Return the round trip [ps] of the packet an answer is about, -1 if it is ambiguous."""
    p, window = pdc_at(e, pdc), settings_at(e, 0)["window_packets"]
    if number < 0 or number >= p["tx_next"] or number < p["tx_next"] - window or p["ring"] < 0:
        return -1
    row = sent_at(e, p["ring"] + (number & (window - 1)))
    if (row["tries"] == 1 and retx == 0) or (row["tries"] == 2 and retx != 0):
        return now - row["time_ps"]
    return -1


@kernel
def _without_service(service: int, rtt: int) -> int:
    """Return a round trip less the time its ACK waited at the receiver; -1 if that is not known."""
    if rtt < 0 or service == SERVICE_MAX:
        return -1
    return max(rtt - service * SERVICE_UNIT_PS, 0)


@kernel
def learn_peer(e: Any, pdc: int, spdcid: int, now: int) -> None:
    """Leave the SYN state: the first answer carries the other side's identifier."""
    p = pdc_at(e, pdc)
    if spdcid != 0 and p["peer_pdcid"] == 0:
        transition(e, pdc, ANSWER_INPUT, now)
        p["peer_pdcid"] = spdcid
        if p["role"] == INITIATOR and settings_at(e, 0)["probe_rtt"] != 0:
            _measure_base_rtt(e, pdc, now)


@kernel
def _measure_base_rtt(e: Any, pdc: int, now: int) -> None:
    """Send a probe, which no data queue delays, unless about a bandwidth delay product is all there is to send."""
    p, settings = pdc_at(e, pdc), settings_at(e, 0)
    bdp = settings["base_rtt_ps"] * settings["line_mbps"] // BIT_PS_PER_BYTE_MBPS
    if p["tx_end"] * settings["payload_bytes"] > bdp and p["mode"] <= ROD:
        send_probe(e, pdc, now)


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
def on_ack(e: Any, pdc: int, slot: int, now: int) -> int:
    """Process an ACK or ACK_CC; returns what is to be done with its payload, as `receive` does.

    An ACK of packets never sent, or of long ago, changes nothing.
    """
    p, packet, settings = pdc_at(e, pdc), packet_at(e, slot), settings_at(e, 0)
    cack = number_of(np.int64(packet["psn"]), p["tx_start"], p["tx_cack"])
    if cack >= p["tx_next"] or cack + settings["window_packets"] < p["tx_cack"] - 1:
        core_at(e, 0)["refused"] += 1
        note(e, IGNORED_ANSWER, now, np.int64(p["endpoint"]), pdc, np.int64(packet["psn"]))
        return NOTHING
    if p["peer_pdcid"] == 0:
        learn_peer(e, pdc, np.int64(packet["spdcid"]), now)
    flags = np.int64(packet["pds_flags"])
    trigger = cack + np.int64(packet["psn_offset"])
    rare = flags & RARE_FLAGS != 0 or packet["next_hdr"] != NO_HEADER or packet["pds_type"] != ACK_CC
    what = NOTHING
    if rare:
        rtt = _on_rare_ack(e, pdc, slot, trigger, now)
        if packet["next_hdr"] != NO_HEADER:
            what = on_response(e, pdc, slot, trigger, now)
    else:
        rtt = round_trip(e, pdc, trigger, flags & RETX, now)
    if p["ring"] >= 0:
        _acknowledge(e, pdc, cack, cack + np.int64(packet["sack_offset"]), packet["sack_bitmap"])
    p["nack_retries"], p["answer_tries"] = 0, 0
    mpr = np.int64(packet["detail"]) << 7
    if mpr > 0 and cack + 1 >= p["tx_cack"]:
        p["tx_range"] = min(mpr, settings["window_packets"])
    news = _newly_received(p, packet)
    if settings["credit"] != 0:
        end_speculation(e, pdc)
        if np.int64(packet["code"]) >> 4 == CC_CREDIT:
            take_credit(e, pdc, np.int64(packet["cc_state"] >> np.uint64(40)))
    ecn = 1 if flags & MARKED else 0
    if p["mode"] != ROD:
        tell_balancer(e, pdc, LB_ECN if ecn else LB_GOOD, np.int64(packet["entropy"]), now)
    if np.int64(packet["code"]) >> 4 == CC_NSCC:
        rtt = _without_service(np.int64(packet["cc_state"] >> np.uint64(48)), rtt)
        asked = np.int64(packet["cc_state"] >> np.uint64(40)) & 0xFF
        event = cc_event_at(e, 0)
        event["pressure"], event["restore"] = asked & 0x7F, asked >> 7
    size = settings["payload_bytes"] + settings["nominal_bytes"]
    tell_controller(e, pdc, CC_ACK, now, news, size, rtt, ecn, 0)
    if settings["infer"] != 0 and p["mode"] != ROD:
        infer(e, pdc, slot, rtt, now)
    finish_acknowledged(e, pdc, now)
    if rare or p["closing"] != 0:
        _after_rare_ack(e, pdc, flags, now)
    activate(e, pdc)
    return what


@kernel
def _on_rare_ack(e: Any, pdc: int, slot: int, trigger: int, now: int) -> int:
    """Take what an ACK has beyond the usual, and return the round trip [ps] it measures, -1 for none.

    An ACK without congestion state leaves the books of the controller as they are. One that answers a
    packet by itself lets the left edge pass that packet although the cumulative ACK waits for a clear.
    """
    p, packet = pdc_at(e, pdc), packet_at(e, slot)
    flags = np.int64(packet["pds_flags"])
    if packet["pds_type"] != ACK_CC:
        packet["cc_state"] = np.uint64(((p["peer_bytes"] >> RECEIVED_UNIT_BITS) & RECEIVED_MASK) << 16)
        packet["sack_bitmap"], packet["sack_offset"], packet["detail"], packet["code"] = ZERO, 0, 0, 0
    if flags & PROBED:
        current = packet["psn_offset"] == np.int64(p["probe_opaque"]) and p["probe_ps"] > 0
        rtt = now - p["probe_ps"] if current else -1
        p["probe_ps"] = 0
        return rtt
    rtt = round_trip(e, pdc, trigger, flags & RETX, now)
    if p["ring"] < 0 or trigger < p["tx_cack"] or trigger >= p["tx_next"]:
        return rtt
    _note_answered(e, pdc, trigger)
    return rtt


@kernel
def _note_answered(e: Any, pdc: int, number: int) -> None:
    """Book the answer to one packet that was sent and is not acknowledged cumulatively."""
    p, window = pdc_at(e, pdc), settings_at(e, 0)["window_packets"]
    _settle(e, pdc, number, ONE)
    answered = np.int64(p["tx_words"]) + 2 * words_for(window)
    if not has(e, answered, window, number):
        add(e, answered, window, number)
        p["answered"] += 1


@kernel
def answer_one(e: Any, pdc: int, number: int) -> bool:
    """Book the answer to one packet and move the left edge; False if the packet is not outstanding."""
    p = pdc_at(e, pdc)
    if p["ring"] < 0 or not p["tx_cack"] <= number < p["tx_next"]:
        return False
    _note_answered(e, pdc, number)
    _move_edge(e, pdc, p["tx_cack"])
    return True


@kernel
def _after_rare_ack(e: Any, pdc: int, flags: int, now: int) -> None:
    """Clear, ask or close as an ACK wants, now that its acknowledgements are booked."""
    p = pdc_at(e, pdc)
    if flags & PROBED == 0 and flags & REQUEST_CLOSE == REQUEST_CLOSE and p["role"] == INITIATOR and p["closing"] == 0:
        close_pdc(e, pdc, now)
    if flags & REQUEST_CLEAR:
        if next_size(e, pdc) == 0:
            send_clear(e, pdc, now)
        if p["tx_cack"] < p["tx_next"]:
            ensure_timer(e, pdc, ANSWER, now + settings_at(e, 0)["rto_ps"])
    if p["closing"] != 0 and p["role"] == INITIATOR:
        progress_close(e, pdc, now)
