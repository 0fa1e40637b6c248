"""Building answers: a request's packet is turned round and becomes its own ACK or NACK."""

from __future__ import annotations

from typing import Any

import numpy as np

from uet.base.bitops import low_bits
from uet.base.jit import kernel
from uet.transport.bits import read64
from uet.transport.pools import find_saved
from uet.transport.reasons import Reason, note
from uet.transport.record import Net, NextHeader, PdsFlag, PdsType
from uet.transport.slots import push_control, take_slot
from uet.transport.state import TARGET, core_at, credit_at, endpoint_at, packet_at, pdc_at, saved_at, settings_at
from uet.transport.timers import ANSWER, ensure_timer
from uet.transport.wire.codes import CcType

ACK_CC, NACK = int(PdsType.ACK_CC), int(PdsType.NACK)
RETX, MARKED = int(PdsFlag.RETX), int(PdsFlag.MARKED)
REQUEST_CLEAR, REQUEST_CLOSE = int(PdsFlag.REQUEST_CLEAR), int(PdsFlag.REQUEST_CLOSE)
CE, CONTROL = int(Net.ECN_CE), int(Net.CONTROL)
NO_HEADER, CP, NO_SLOT = int(NextHeader.NONE), int(PdsType.CP), int(Reason.NO_SLOT)
RECEIVED_UNIT_BITS, RECEIVED_MASK = 8, 0xFFFFFF
SERVICE_UNIT_PS, SERVICE_MAX = 128_000, 0xFFFF
"""Units of ack_cc_state: 256 bytes received, 128 ns of service time, whose greatest value means more than that."""
CC_CREDIT, BESIDE_WINDOW, ALONE, COUNT_MASK = int(CcType.CREDIT), 1, 2, 0xFFFFFF
"""The setting `credit` when it is on: receiver credit beside a window, or alone; and its 24-bit count."""


@kernel
def turn_round(e: Any, slot: int, pdc: int, size: int, now: int) -> None:
    """Make the request in `slot` an answer: addresses, identifiers, class and size."""
    packet = packet_at(e, slot)
    src, asker = packet["dst"], packet["spdcid"]
    packet["dst"] = packet["src"]
    packet["src"] = src
    packet["dpdcid"] = asker
    packet["spdcid"] = pdc_at(e, pdc)["pdcid"] if pdc >= 0 else 0
    packet["time_ps"], packet["net"] = now, CONTROL
    packet["next_hdr"], packet["ses"], packet["argument"] = NO_HEADER, -1, 0
    packet["payload_bytes"], packet["wire_bytes"] = 0, size
    push_control(e, np.int64(src), slot)


@kernel
def answer_ack(e: Any, pdc: int, slot: int, number: int, exact: int, now: int) -> None:
    """Answer with an ACK_CC; `exact` puts the packet itself at the base of the selective bitmap."""
    p, packet, settings = pdc_at(e, pdc), packet_at(e, slot), settings_at(e, 0)
    cack = p["rx_expected"] - 1
    base = number if exact else max(number - 63, p["rx_expected"])
    flags = (packet["pds_flags"] & RETX) | (MARKED if packet["net"] & CE else 0)
    turn_round(e, slot, pdc, settings["ack_bytes"], now)
    packet["pds_type"], packet["pds_flags"], packet["code"] = ACK_CC, flags, 0
    packet["psn"], packet["psn_offset"] = (p["rx_start"] + cack) & 0xFFFFFFFF, number - cack
    packet["sack_offset"] = base - cack
    packet["sack_bitmap"] = _received(e, pdc, base)
    packet["detail"] = settings["window_packets"] >> 7
    out_of_order = min(p["rx_out_of_order"], 0xFFFE)
    if settings["credit"] == ALONE and settings["credit_in_acks"] != 0:
        packet["code"] = CC_CREDIT << 4
        packet["cc_state"] = np.uint64(((credit_at(e, pdc)["granted"] & COUNT_MASK) << 40) | out_of_order)
    else:
        received = ((p["rx_bytes"] + 255) >> RECEIVED_UNIT_BITS) & RECEIVED_MASK
        ep = endpoint_at(e, p["endpoint"])
        asked = np.int64(ep["restore"]) << 7 | np.int64(ep["pressure"])
        packet["cc_state"] = np.uint64((asked << 40) | (received << 16) | out_of_order)
    p["rx_unacked"] = 0
    core_at(e, 0)["acks"] += 1
    if p["saved"] >= 0 or p["closing"] != 0:
        _adorn(e, pdc, slot, number, now)


@kernel
def _received(e: Any, pdc: int, base: int) -> np.uint64:
    """Return which of the packets base .. base + 63 above all those expected are here, as a bitmap."""
    p, window = pdc_at(e, pdc), settings_at(e, 0)["window_packets"]
    if p["rx_out_of_order"] == 0:
        return np.uint64(0)
    return read64(e, np.int64(p["rx_words"]), window, base) & low_bits(p["rx_expected"] + window - base)


@kernel
def _adorn(e: Any, pdc: int, slot: int, number: int, now: int) -> None:
    """Let an ACK carry the response kept for its packet, ask for a clear or a close, and stop before unheard responses.

    UE leaves open whether the cumulative ACK waits for the clear (uet-ref-prov) or not (suet-fork); see
    the setting ack.waits_for_clear. Waiting is safe: a response that was lost is never taken as given.
    """
    p, packet, settings = pdc_at(e, pdc), packet_at(e, slot), settings_at(e, 0)
    if p["closing"] != 0 and p["role"] == TARGET:
        packet["pds_flags"] |= REQUEST_CLOSE
    if p["saved"] < 0:
        return
    if p["closing"] == 0 or p["role"] != TARGET:
        packet["pds_flags"] |= REQUEST_CLEAR
        ensure_timer(e, pdc, ANSWER, now + settings["rto_ps"])  # the clear may get lost
    row = find_saved(e, pdc, number)
    if row >= 0:
        attach_response(e, slot, row)
    if settings["ack_waits_for_clear"] == 0:
        return
    cack = min(p["rx_expected"], saved_at(e, p["saved"])["number"]) - 1
    base = max(number - 63, cack + 1)
    below = low_bits(p["rx_expected"] - base)
    packet["psn"], packet["psn_offset"] = (p["rx_start"] + cack) & 0xFFFFFFFF, number - cack
    packet["sack_offset"] = base - cack
    packet["sack_bitmap"] = _received(e, pdc, base) | below


@kernel
def attach_response(e: Any, slot: int, row: int) -> None:
    """Put a saved response into an ACK."""
    packet, saved = packet_at(e, slot), saved_at(e, row)
    packet["next_hdr"], packet["ses"] = saved["next_hdr"], e["n_message"] + row
    packet["payload_bytes"] = saved["payload_bytes"]
    packet["wire_bytes"] += saved["bytes"]
    packet["argument"] = saved["argument"]


@kernel
def answer_nack(e: Any, pdc: int, slot: int, code: int, argument: int, now: int) -> None:
    """Answer with a NACK about the request in `slot`; `argument` is the code's own payload."""
    packet = packet_at(e, slot)
    flags = (packet["pds_flags"] & RETX) | (MARKED if packet["net"] & CE else 0)
    turn_round(e, slot, pdc, settings_at(e, 0)["nack_bytes"], now)
    packet["pds_type"], packet["pds_flags"], packet["code"] = NACK, flags, code
    packet["psn_offset"], packet["sack_offset"], packet["detail"] = 0, 0, 0
    packet["sack_bitmap"], packet["cc_state"] = np.uint64(0), np.uint64(0)
    packet["argument"] = argument & 0xFFFFFFFF
    core_at(e, 0)["nacks"] += 1


@kernel
def control_packet(e: Any, pdc: int, ctl: int, psn: int, opaque: int, argument: int, now: int) -> int:
    """Queue a control packet that takes no PSN of its own and return its slot, -1 if no slot is free."""
    slot = take_slot(e)
    if slot < 0:
        note(e, NO_SLOT, now, np.int64(pdc_at(e, pdc)["endpoint"]), pdc, psn)
        return -1
    p, packet, settings = pdc_at(e, pdc), packet_at(e, slot), settings_at(e, 0)
    packet["time_ps"], packet["src"], packet["dst"] = now, p["endpoint"], p["peer"]
    packet["pds_type"], packet["next_hdr"], packet["pds_flags"] = CP, ctl, 0
    packet["psn"], packet["psn_offset"], packet["argument"] = psn & 0xFFFFFFFF, opaque, argument & 0xFFFFFFFF
    packet["spdcid"], packet["dpdcid"] = p["pdcid"], p["peer_pdcid"]
    packet["ses"], packet["payload_bytes"], packet["wire_bytes"] = -1, 0, settings["nack_bytes"]
    packet["detail"], packet["net"], packet["code"], packet["sack_offset"] = 0, CONTROL, 0, 0
    packet["sack_bitmap"], packet["cc_state"], packet["entropy"] = np.uint64(0), np.uint64(0), 0
    push_control(e, np.int64(p["endpoint"]), slot)
    return slot


@kernel
def repeat_ack(e: Any, pdc: int, slot: int, number: int, exact: int, now: int) -> None:
    """Do as `answer_ack`, for callers that seldom need it."""
    answer_ack(e, pdc, slot, number, exact, now)
