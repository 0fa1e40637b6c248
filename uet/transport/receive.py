"""The way in for every packet, and the receiving side of requests."""

from __future__ import annotations

from typing import Any

import numpy as np

from uet.base.jit import kernel
from uet.transport.answers import learn_peer, on_ack
from uet.transport.bits import add, discard, has
from uet.transport.clearing import clear_up_to
from uet.transport.closing import end_target
from uet.transport.control import CLOSED_BY_PEER, on_command, on_control, takes_psn
from uet.transport.credit import on_demand
from uet.transport.datagrams import on_datagram, on_rudi_nack
from uet.transport.directory import lookup, pdc_key
from uet.transport.lifecycle import Input, State
from uet.transport.nacks import on_nack
from uet.transport.oversubscription import observe
from uet.transport.pdc import find_pdc, is_open, number_of, open_target, transition
from uet.transport.pools import give_bitmap, take_bitmap
from uet.transport.reasons import Reason, ignore, note
from uet.transport.record import NackCode, Net, PdsFlag, PdsType
from uet.transport.reply import answer_ack, answer_nack, repeat_ack
from uet.transport.serve import deliver
from uet.transport.slots import free_slot
from uet.transport.state import BY_TAG, NOTHING, ROD, RUD, core_at, endpoint_at, packet_at, pdc_at, settings_at

RUD_CC_REQ, ROD_CC_REQ = int(PdsType.RUD_CC_REQ), int(PdsType.ROD_CC_REQ)
RUD_REQ, ROD_REQ, CP = int(PdsType.RUD_REQ), int(PdsType.ROD_REQ), int(PdsType.CP)
ACK, ACK_CC, NACK = int(PdsType.ACK), int(PdsType.ACK_CC), int(PdsType.NACK)
RETX, AR, SYN = int(PdsFlag.RETX), int(PdsFlag.AR), int(PdsFlag.SYN)
ORDERED, OF_RUDI = int(PdsFlag.ROD), int(PdsFlag.RUDI)
CE, IS_TRIMMED, LAST_HOP = int(Net.ECN_CE), int(Net.TRIMMED), int(Net.LAST_HOP)
TRIMMED, TRIMMED_LASTHOP = int(NackCode.TRIMMED), int(NackCode.TRIMMED_LASTHOP)
NO_PDC_AVAIL, NO_BITMAP = int(NackCode.NO_PDC_AVAIL), int(NackCode.NO_BITMAP)
INV_DPDCID, HDR_MISMATCH = int(NackCode.INV_DPDCID), int(NackCode.PDC_HDR_MISMATCH)
CLOSING_IN_ERR, MODE_MISMATCH = int(NackCode.CLOSING_IN_ERR), int(NackCode.PDC_MODE_MISMATCH)
OUT_OF_WINDOW, INVALID_SYN = int(NackCode.PSN_OOR_WINDOW), int(NackCode.INVALID_SYN)
NEW_START_PSN, ROD_OOO = int(NackCode.NEW_START_PSN), int(NackCode.ROD_OOO)
PENDING, ERROR, SYN_INPUT = int(State.TARGET_PENDING), int(State.ERROR), int(Input.SYN)
IGNORED_ANSWER, IGNORED_TYPE = int(Reason.IGNORED_ANSWER), int(Reason.IGNORED_TYPE)
DUPLICATE_DROPPED, DUPLICATE_ANSWERED = int(Reason.DUPLICATE_DROPPED), int(Reason.DUPLICATE_ANSWERED)
REFUSED_TRIMMED, REFUSED_ORDER = int(Reason.REFUSED_TRIMMED), int(Reason.REFUSED_ORDER)
REFUSED_NO_PDC, CHALLENGED = int(Reason.REFUSED_NO_PDC), int(Reason.CHALLENGED)
REFUSED_OLD_SYN = int(Reason.REFUSED_OLD_SYN)

_REASONS = np.full(256, int(Reason.REFUSED_NO_MESSAGE), dtype=np.int64)
"""Reason by the NACK code that refuses a request."""
for _code, _reason in (
    (NackCode.TRIMMED, Reason.REFUSED_TRIMMED), (NackCode.TRIMMED_LASTHOP, Reason.REFUSED_TRIMMED),
    (NackCode.NO_PDC_AVAIL, Reason.REFUSED_NO_PDC), (NackCode.NO_BITMAP, Reason.REFUSED_NO_BITMAP),
    (NackCode.INV_DPDCID, Reason.REFUSED_UNKNOWN_PDC), (NackCode.PDC_HDR_MISMATCH, Reason.REFUSED_OTHER_PDC),
    (NackCode.CLOSING, Reason.REFUSED_CLOSING), (NackCode.CLOSING_IN_ERR, Reason.REFUSED_CLOSING),
    (NackCode.PDC_MODE_MISMATCH, Reason.REFUSED_MODE), (NackCode.PSN_OOR_WINDOW, Reason.REFUSED_WINDOW),
    (NackCode.INVALID_SYN, Reason.REFUSED_SYN), (NackCode.NEW_START_PSN, Reason.CHALLENGED),
    (NackCode.ROD_OOO, Reason.REFUSED_ORDER), (NackCode.NO_GTD_DEL_AVAIL, Reason.REFUSED_NO_SAVED),
):  # fmt: skip
    _REASONS[_code] = _reason


@kernel
def receive(e: Any, slot: int, now: int) -> int:
    """Process the packet in `slot`, addressed to endpoint `dst`; the slot belongs to the engine again.

    Returns what is to be done with its payload: NOTHING; BY_TAG: it is new and to be placed `argument` bytes
    into its message, which its match bits name; otherwise the MOVE row says where it goes (state.NOTHING ...).
    Afterwards `dst` may have packets to send and completions may be waiting.
    """
    packet = packet_at(e, slot)
    kind = packet["pds_type"]
    if kind in (RUD_REQ, ROD_REQ, RUD_CC_REQ, ROD_CC_REQ) or (kind == CP and takes_psn(packet)):
        return _on_request(e, slot, now)
    if kind != ACK_CC and kind != NACK and kind != ACK and kind != CP:
        return on_datagram(e, slot, now)
    pdc, what = _pdc_of(e, slot), NOTHING
    if kind == NACK and packet["pds_flags"] & OF_RUDI:
        on_rudi_nack(e, slot, now)
    elif pdc < 0:
        ignore(e, slot, IGNORED_ANSWER, now)
    elif kind in (ACK_CC, ACK):
        what = on_ack(e, pdc, slot, now)
    elif kind == NACK:
        on_nack(e, pdc, slot, now)
    elif on_control(e, pdc, slot, now):
        return NOTHING
    free_slot(e, slot)
    return what


@kernel
def _pdc_of(e: Any, slot: int) -> int:
    """Return the open PDC that a packet without SYN is addressed to, -1 if there is none."""
    packet = packet_at(e, slot)
    dst, src = np.int64(packet["dst"]), np.int64(packet["src"])
    return find_pdc(e, dst, np.int64(packet["dpdcid"]), src, np.int64(packet["spdcid"]))


@kernel
def _refuse(e: Any, pdc: int, slot: int, code: int, argument: int, now: int) -> None:
    """Answer a request with a NACK and note why."""
    packet, reason = packet_at(e, slot), _REASONS[code]
    if code == INV_DPDCID and packet["pds_flags"] & SYN:
        reason = REFUSED_OLD_SYN
    note(e, reason, now, np.int64(packet["dst"]), pdc, np.int64(packet["psn"]))
    answer_nack(e, pdc, slot, code, argument, now)


@kernel
def _target_of_syn(e: Any, slot: int, mode: int, now: int) -> int:
    """Return the PDC of a SYN packet, opening it if need be, or minus the NACK code that refuses it."""
    packet = packet_at(e, slot)
    endpoint, peer, pdcid = np.int64(packet["dst"]), np.int64(packet["src"]), np.int64(packet["spdcid"])
    start = (np.int64(packet["psn"]) - (np.int64(packet["dpdcid"]) & 0xFFF)) & 0xFFFFFFFF
    pdc = lookup(e, pdc_key(endpoint, peer, pdcid))
    trimmed = packet["net"] & IS_TRIMMED
    if pdc >= 0 and is_open(pdc_at(e, pdc)):
        p = pdc_at(e, pdc)
        if p["mode"] != mode:
            return -MODE_MISMATCH
        if p["state"] != PENDING:
            return pdc if p["rx_start"] == start else -INVALID_SYN
        if p["rx_start"] != start:
            return -NEW_START_PSN
        if not trimmed:
            transition(e, pdc, SYN_INPUT, now)
        return pdc
    if pdc >= 0 and pdc_at(e, pdc)["rx_start"] == start:
        return -INV_DPDCID  # an old duplicate: this PDC has been closed
    if trimmed:
        return -TRIMMED
    pdc = open_target(e, endpoint, peer, pdcid, start, mode, now)
    if pdc < 0:
        return -NO_PDC_AVAIL
    return -NEW_START_PSN if pdc_at(e, pdc)["state"] == PENDING else pdc


@kernel
def _refuse_unknown(e: Any, slot: int, code: int, now: int) -> None:
    """Answer a request that has no PDC here, or not yet."""
    packet = packet_at(e, slot)
    endpoint, peer = np.int64(packet["dst"]), np.int64(packet["src"])
    argument, pdcid = 0, np.int64(packet["dpdcid"])
    if packet["net"] & IS_TRIMMED:
        code = TRIMMED_LASTHOP if packet["net"] & LAST_HOP else TRIMMED
    elif code == NEW_START_PSN:
        argument = pdc_at(e, lookup(e, pdc_key(endpoint, peer, np.int64(packet["spdcid"]))))["rx_start"]
    elif code == INV_DPDCID and packet["pds_flags"] & SYN == 0 and 1 <= pdcid <= endpoint_at(e, endpoint)["n_pdcs"]:
        p = pdc_at(e, np.int64(endpoint_at(e, endpoint)["first_pdc"]) + pdcid - 1)
        if is_open(p):
            code = HDR_MISMATCH
        elif p["state"] == ERROR and p["peer"] == peer:
            code = CLOSING_IN_ERR
    _refuse(e, -1, slot, code, argument, now)


@kernel
def _target_of(e: Any, slot: int, mode: int, now: int) -> int:
    """Return the PDC a request belongs to, or minus the NACK code that refuses it."""
    if packet_at(e, slot)["pds_flags"] & SYN:
        return _target_of_syn(e, slot, mode, now)
    pdc = _pdc_of(e, slot)
    if pdc < 0:
        return -INV_DPDCID
    return pdc if pdc_at(e, pdc)["mode"] == mode else -MODE_MISMATCH


@kernel
def _mode_of(packet: Any) -> int:
    """Return the delivery mode a request asks for."""
    ordered = packet["pds_type"] in (ROD_REQ, ROD_CC_REQ) or (
        packet["pds_type"] == CP and packet["pds_flags"] & ORDERED
    )
    return ROD if ordered else RUD


@kernel
def _on_request(e: Any, slot: int, now: int) -> int:
    """Process a packet that takes a PSN; returns what is to be done with its payload."""
    packet, window = packet_at(e, slot), settings_at(e, 0)["window_packets"]
    mode = _mode_of(packet)
    pdc = _target_of(e, slot, mode, now)
    if pdc < 0:
        _refuse_unknown(e, slot, -pdc, now)
        return NOTHING
    p = pdc_at(e, pdc)
    if settings_at(e, 0)["credit"] != 0 and packet["pds_type"] in (RUD_CC_REQ, ROD_CC_REQ):
        observe(e, np.int64(packet["dst"]), slot)
        on_demand(e, pdc, slot, now)
    number = number_of(np.int64(packet["psn"]), p["rx_start"], p["rx_expected"])
    if number >= p["rx_expected"] + window or number < p["rx_expected"] - window:
        _refuse(e, pdc, slot, INVALID_SYN if packet["pds_flags"] & SYN else OUT_OF_WINDOW, 0, now)
        return NOTHING
    if p["peer_pdcid"] == 0:
        learn_peer(e, pdc, np.int64(packet["spdcid"]), now)
    if p["saved"] >= 0:
        clear_up_to(e, pdc, number + packet["psn_offset"])
    ahead = number != p["rx_expected"]
    known = number < p["rx_expected"] or (p["rx_words"] >= 0 and has(e, np.int64(p["rx_words"]), window, number))
    if packet["net"] & IS_TRIMMED or known:
        _on_useless(e, pdc, slot, number, known, now)
        return NOTHING
    code = 0
    if ahead and mode == ROD:
        code = ROD_OOO
    elif ahead and p["rx_words"] < 0 and not take_bitmap(e, pdc):
        code = NO_BITMAP
    elif packet["pds_type"] == CP:
        code = on_command(e, pdc, slot, now)
    else:
        code = deliver(e, pdc, slot, number, now)
    if code > 0:
        _refuse(e, pdc, slot, code, p["rx_start"] + p["rx_expected"] if code == ROD_OOO else 0, now)
        return NOTHING
    _accept(e, pdc, slot, number, now)
    if code == CLOSED_BY_PEER:
        end_target(e, pdc, now)
    if code == 0:
        return BY_TAG
    return -10 - code if code <= -10 else NOTHING


@kernel
def _on_useless(e: Any, pdc: int, slot: int, number: int, known: bool, now: int) -> None:
    """Answer a request that is trimmed or was received before.

    A duplicate that is no retransmission was made by the network: UE has it dropped (suet-fork), while
    uet-ref-prov and uet-htsim answer it; see the setting ack.duplicates.
    """
    packet, settings = packet_at(e, slot), settings_at(e, 0)
    endpoint, psn = np.int64(packet["dst"]), np.int64(packet["psn"])
    if not known:
        _refuse(e, pdc, slot, TRIMMED_LASTHOP if packet["net"] & LAST_HOP else TRIMMED, 0, now)
        return
    core_at(e, 0)["duplicates"] += 1
    if packet["pds_flags"] & RETX == 0 and settings["ack_duplicates"] == 0:
        note(e, DUPLICATE_DROPPED, now, endpoint, pdc, psn)
        free_slot(e, slot)
        return
    note(e, DUPLICATE_ANSWERED, now, endpoint, pdc, psn)
    repeat_ack(e, pdc, slot, number, 1, now)


@kernel
def _accept(e: Any, pdc: int, slot: int, number: int, now: int) -> None:
    """Record a new packet and decide whether to acknowledge at once (UE 1.0 rules as in uet-htsim)."""
    p, packet, settings = pdc_at(e, pdc), packet_at(e, slot), settings_at(e, 0)
    window = settings["window_packets"]
    first = p["rx_bytes"] == 0
    p["rx_bytes"] += packet["payload_bytes"] + settings["nominal_bytes"]
    p["rx_unacked"] += max(np.int64(packet["payload_bytes"]), settings["ack_min_packet_bytes"])
    p["rx_max"] = max(p["rx_max"], number)
    if number == p["rx_expected"]:
        p["rx_expected"] += 1
        if p["rx_words"] >= 0:
            _close_gap(e, pdc, window)
    else:
        add(e, np.int64(p["rx_words"]), window, number)
        p["rx_out_of_order"] += 1
    asked = packet["pds_flags"] & AR
    if asked:
        p["rx_closing"] = 1
    closed = p["rx_closing"] != 0 and p["rx_out_of_order"] == 0
    if closed:
        p["rx_closing"] = 0
    forced = 1 if asked or packet["net"] & CE else 0
    if first or forced or closed or p["rx_unacked"] >= settings["ack_trigger_bytes"]:
        answer_ack(e, pdc, slot, number, forced, now)
    else:
        free_slot(e, slot)


@kernel
def _close_gap(e: Any, pdc: int, window: int) -> None:
    """Count the packets in order again that follow a packet which was missing."""
    p = pdc_at(e, pdc)
    words = np.int64(p["rx_words"])
    while p["rx_out_of_order"] > 0 and has(e, words, window, p["rx_expected"]):
        discard(e, words, window, p["rx_expected"])
        p["rx_expected"] += 1
        p["rx_out_of_order"] -= 1
    if p["rx_out_of_order"] == 0:
        give_bitmap(e, pdc)
