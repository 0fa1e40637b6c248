"""The receiving side: requests, the ACKs and NACKs they cause, and the way in for every packet."""

from __future__ import annotations

from typing import Any

import numpy as np

from uet.base.bitops import low_bits
from uet.base.jit import kernel
from uet.transport.answers import RECEIVED_MASK, RECEIVED_UNIT_BITS, on_ack, on_nack
from uet.transport.bits import add, discard, has, read64
from uet.transport.credit import ALONE, COUNT_MASK, on_control, on_demand
from uet.transport.directory import lookup, pdc_key
from uet.transport.messages import deliver
from uet.transport.oversubscription import observe
from uet.transport.pdc import find_pdc, number_of, open_target
from uet.transport.record import NackCode, Net, NextHeader, PdsFlag, PdsType
from uet.transport.slots import free_slot, push_control
from uet.transport.state import core_at, credit_at, packet_at, pdc_at, settings_at
from uet.transport.wire.codes import CcType

RUD_REQ, ACK_CC, NACK = int(PdsType.RUD_REQ), int(PdsType.ACK_CC), int(PdsType.NACK)
RUD_CC_REQ, CP, CC_CREDIT = int(PdsType.RUD_CC_REQ), int(PdsType.CP), int(CcType.CREDIT)
RETX, AR, SYN, MARKED = int(PdsFlag.RETX), int(PdsFlag.AR), int(PdsFlag.SYN), int(PdsFlag.MARKED)
CE, IS_TRIMMED, LAST_HOP, CONTROL = int(Net.ECN_CE), int(Net.TRIMMED), int(Net.LAST_HOP), int(Net.CONTROL)
TRIMMED, TRIMMED_LASTHOP = int(NackCode.TRIMMED), int(NackCode.TRIMMED_LASTHOP)
NO_PDC_AVAIL, INV_DPDCID = int(NackCode.NO_PDC_AVAIL), int(NackCode.INV_DPDCID)
OUT_OF_WINDOW, NO_MESSAGE = int(NackCode.PSN_OOR_WINDOW), int(NackCode.NO_SES_MSG_AVAIL)
NO_HEADER = int(NextHeader.NONE)


@kernel
def receive(e: Any, slot: int, now: int) -> bool:
    """Process the packet in `slot`, addressed to endpoint `dst`; the slot belongs to the engine again.

    True means that its payload is new and to be placed: `argument` bytes into its message.
    Afterwards `dst` may have packets to send and completions may be waiting.
    """
    packet = packet_at(e, slot)
    kind = packet["pds_type"]
    if kind in (RUD_REQ, RUD_CC_REQ):
        return _on_request(e, slot, now)
    if kind == CP:
        core_at(e, 0)["refused"] += 0 if on_control(e, slot, now) else 1
        free_slot(e, slot)
        return False
    pdc = find_pdc(e, np.int64(packet["dst"]), np.int64(packet["dpdcid"]), np.int64(packet["src"]))
    if pdc < 0 or pdc_at(e, pdc)["ring"] < 0 or (kind != ACK_CC and kind != NACK):
        core_at(e, 0)["refused"] += 1
    elif kind == ACK_CC:
        on_ack(e, pdc, slot, now)
    else:
        on_nack(e, pdc, slot, now)
    free_slot(e, slot)
    return False


@kernel
def _target_of(e: Any, slot: int) -> int:
    """Return the PDC a request belongs to, opening it for a SYN that is not trimmed; -1 if there is none."""
    packet = packet_at(e, slot)
    endpoint, peer, pdcid = np.int64(packet["dst"]), np.int64(packet["src"]), np.int64(packet["spdcid"])
    if not packet["pds_flags"] & SYN:
        return find_pdc(e, endpoint, np.int64(packet["dpdcid"]), peer)
    pdc = lookup(e, pdc_key(endpoint, peer, pdcid))
    if pdc >= 0 or packet["net"] & IS_TRIMMED:
        return pdc
    start = (np.int64(packet["psn"]) - (np.int64(packet["dpdcid"]) & 0xFFF)) & 0xFFFFFFFF
    return open_target(e, endpoint, peer, pdcid, start)


@kernel
def _on_request(e: Any, slot: int, now: int) -> bool:
    """Process a request; True if its payload is new."""
    packet, window = packet_at(e, slot), settings_at(e, 0)["window_packets"]
    trimmed = packet["net"] & IS_TRIMMED
    trim_code = TRIMMED_LASTHOP if packet["net"] & LAST_HOP else TRIMMED
    pdc = _target_of(e, slot)
    if pdc < 0:
        missing = NO_PDC_AVAIL if packet["pds_flags"] & SYN else INV_DPDCID
        _answer_nack(e, -1, slot, trim_code if trimmed else missing, now)
        return False
    p = pdc_at(e, pdc)
    if packet["pds_type"] == RUD_CC_REQ and settings_at(e, 0)["credit"] != 0:
        observe(e, np.int64(packet["dst"]), slot)
        on_demand(e, pdc, slot, now)
    number = number_of(np.int64(packet["psn"]), p["rx_start"], p["rx_expected"])
    if number >= p["rx_expected"] + window or number < p["rx_expected"] - window:
        _answer_nack(e, pdc, slot, OUT_OF_WINDOW, now)
        return False
    known = number < p["rx_expected"] or has(e, np.int64(p["rx_words"]), window, number)
    if trimmed and not known:
        _answer_nack(e, pdc, slot, trim_code, now)
    elif known:
        core_at(e, 0)["duplicates"] += 1
        _answer_ack(e, pdc, slot, number, 1, now)
    elif deliver(e, pdc, slot, now):
        _accept(e, pdc, slot, number, now)
        return True
    else:
        _answer_nack(e, pdc, slot, NO_MESSAGE, now)
    return False


@kernel
def _accept(e: Any, pdc: int, slot: int, number: int, now: int) -> None:
    """Record a new packet and decide whether to acknowledge at once (UE 1.0 rules as in uet-htsim)."""
    p, packet, settings = pdc_at(e, pdc), packet_at(e, slot), settings_at(e, 0)
    window, words = settings["window_packets"], np.int64(p["rx_words"])
    first = p["rx_bytes"] == 0
    p["rx_bytes"] += packet["payload_bytes"] + settings["nominal_bytes"]
    p["rx_unacked"] += max(np.int64(packet["payload_bytes"]), settings["ack_min_packet_bytes"])
    p["rx_max"] = max(p["rx_max"], number)
    if number == p["rx_expected"]:
        p["rx_expected"] += 1
        while p["rx_out_of_order"] > 0 and has(e, words, window, p["rx_expected"]):
            discard(e, words, window, p["rx_expected"])
            p["rx_expected"] += 1
            p["rx_out_of_order"] -= 1
    else:
        add(e, words, window, number)
        p["rx_out_of_order"] += 1
    asked = packet["pds_flags"] & AR
    if asked:
        p["rx_closing"] = 1
    closed = p["rx_closing"] != 0 and p["rx_out_of_order"] == 0
    if closed:
        p["rx_closing"] = 0
    forced = 1 if asked or packet["net"] & CE else 0
    if first or forced or closed or p["rx_unacked"] >= settings["ack_trigger_bytes"]:
        _answer_ack(e, pdc, slot, number, forced, now)
    else:
        free_slot(e, slot)


@kernel
def _answer(e: Any, slot: int, pdc: int, size: int, now: int) -> None:
    """Turn the request in `slot` round: addresses, identifiers, class and size of an answer."""
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
def _answer_ack(e: Any, pdc: int, slot: int, number: int, exact: int, now: int) -> None:
    """Answer with an ACK_CC; `exact` puts the packet itself at the base of the selective bitmap."""
    p, packet, settings = pdc_at(e, pdc), packet_at(e, slot), settings_at(e, 0)
    cack = p["rx_expected"] - 1
    base = number if exact else max(number - 63, p["rx_expected"])
    flags = (packet["pds_flags"] & RETX) | (MARKED if packet["net"] & CE else 0)
    _answer(e, slot, pdc, settings["ack_bytes"], now)
    packet["pds_type"], packet["pds_flags"], packet["code"] = ACK_CC, flags, 0
    packet["psn"], packet["psn_offset"] = (p["rx_start"] + cack) & 0xFFFFFFFF, number - cack
    packet["sack_offset"] = base - cack
    window = settings["window_packets"]
    received_above = read64(e, np.int64(p["rx_words"]), window, base)
    packet["sack_bitmap"] = received_above & low_bits(p["rx_expected"] + window - base)
    packet["detail"] = window >> 7
    out_of_order = min(p["rx_out_of_order"], 0xFFFE)
    if settings["credit"] == ALONE and settings["credit_in_acks"] != 0:
        packet["code"] = CC_CREDIT << 4
        packet["cc_state"] = np.uint64(((credit_at(e, pdc)["granted"] & COUNT_MASK) << 40) | out_of_order)
    else:
        received = ((p["rx_bytes"] + 255) >> RECEIVED_UNIT_BITS) & RECEIVED_MASK
        packet["cc_state"] = np.uint64((received << 16) | out_of_order)
    p["rx_unacked"] = 0
    core_at(e, 0)["acks"] += 1


@kernel
def _answer_nack(e: Any, pdc: int, slot: int, code: int, now: int) -> None:
    """Answer with a NACK about the request in `slot`."""
    packet = packet_at(e, slot)
    flags = (packet["pds_flags"] & RETX) | (MARKED if packet["net"] & CE else 0)
    _answer(e, slot, pdc, settings_at(e, 0)["nack_bytes"], now)
    packet["pds_type"], packet["pds_flags"], packet["code"] = NACK, flags, code
    packet["psn_offset"], packet["sack_offset"], packet["detail"] = 0, 0, 0
    packet["sack_bitmap"], packet["cc_state"] = np.uint64(0), np.uint64(0)
    core_at(e, 0)["nacks"] += 1
