"""Packets without a PDC: RUDI requests and responses, and UUD datagrams.

RUDI delivers at least once: every request is carried out whenever it arrives and answered by a response with
its pkt_id; all state is at the initiator, whose books are those of a PDC that never shows on the wire. UUD
datagrams are single packets that nobody answers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from uet.base.jit import kernel
from uet.transport.answers import answer_one
from uet.transport.closing import progress_close
from uet.transport.completions import complete
from uet.transport.directory import lookup, own_key
from uet.transport.inbox import free_inbox, take_inbox
from uet.transport.losses import in_flight, mark_lost
from uet.transport.matching import finish_box, take_receive
from uet.transport.messages import finish_acknowledged
from uet.transport.nacks import ACTION_OF, LATER, RETRANSMIT, hold, trimmed_too_often
from uet.transport.pdc import activate, number_of
from uet.transport.reasons import Reason, ignore, note
from uet.transport.record import NackCode, Net, NextHeader, PdsFlag, PdsType
from uet.transport.reply import answer_nack, turn_round
from uet.transport.serve import OP_READ, OP_WRITE, check_memory
from uet.transport.slots import free_slot, slot_ses
from uet.transport.state import (
    BY_TAG,
    FETCH,
    IN_SLOT,
    NOTHING,
    RECEIVED_DONE,
    RUDI,
    STORE,
    WAITS_NOTHING,
    endpoint_at,
    inbox_at,
    message_at,
    move_at,
    packet_at,
    pdc_at,
    ses_at,
    settings_at,
)
from uet.transport.waiting import stop_waiting, waiting_message
from uet.transport.wire.codes import ResponseOpcode, ReturnCode
from uet.transport.wire.sizes import header_bytes

RUDI_REQ, RUDI_RESP, UUD_REQ = int(PdsType.RUDI_REQ), int(PdsType.RUDI_RESP), int(PdsType.UUD_REQ)
NACK = int(PdsType.NACK)
RETX, MARKED, OF_RUDI = int(PdsFlag.RETX), int(PdsFlag.MARKED), int(PdsFlag.RUDI)
IS_TRIMMED, LAST_HOP, CE = int(Net.TRIMMED), int(Net.LAST_HOP), int(Net.ECN_CE)
TRIMMED, TRIMMED_LASTHOP = int(NackCode.TRIMMED), int(NackCode.TRIMMED_LASTHOP)
RESPONSE, RESPONSE_HEADER = int(ResponseOpcode.RESPONSE), int(NextHeader.RESPONSE)
WITH_DATA, DATA_HEADER = int(ResponseOpcode.RESPONSE_W_DATA), int(NextHeader.RESPONSE_DATA)
OK, OP_VIOLATION = int(ReturnCode.OK), int(ReturnCode.OP_VIOLATION)
UNSUPPORTED_SIZE = int(ReturnCode.UNSUPPORTED_SIZE)
NO_HEADER, REQUEST_STD = int(NextHeader.NONE), int(NextHeader.REQUEST_STD)
REFUSED_NO_MESSAGE = int(Reason.REFUSED_NO_MESSAGE)
IGNORED_TYPE, IGNORED_ANSWER = int(Reason.IGNORED_TYPE), int(Reason.IGNORED_ANSWER)
REFUSED_TRIMMED, RETX_TRIMMED = int(Reason.REFUSED_TRIMMED), int(Reason.RETX_TRIMMED)


@kernel
def on_datagram(e: Any, slot: int, now: int) -> int:
    """Process a packet of a type that belongs to no PDC; returns what is to be done with its payload."""
    packet = packet_at(e, slot)
    kind, trimmed = packet["pds_type"], packet["net"] & IS_TRIMMED
    asks = NO_HEADER < packet["next_hdr"] <= REQUEST_STD
    if kind == RUDI_REQ and (asks or trimmed):
        return _on_rudi_request(e, slot, now)
    if kind == UUD_REQ and asks and not trimmed:
        what = _on_datagram(e, slot, now)
        free_slot(e, slot)
        return what
    what = NOTHING
    if kind == RUDI_RESP:
        what = _on_rudi_response(e, slot, now)
    else:
        ignore(e, slot, REFUSED_TRIMMED if trimmed else IGNORED_TYPE, now)
    free_slot(e, slot)
    return what


@kernel
def _on_datagram(e: Any, slot: int, now: int) -> int:
    """Give a datagram to the first plain receive of an endpoint that matches, or whom its match bits name."""
    packet, move = packet_at(e, slot), move_at(e, 0)
    s, endpoint, peer = ses_at(e, packet["ses"]), np.int64(packet["dst"]), np.int64(packet["src"])
    n_bytes = np.int64(packet["payload_bytes"])
    if endpoint_at(e, endpoint)["matching"] == 0:
        complete(e, RECEIVED_DONE, now, np.int64(s["match_bits"]), n_bytes, endpoint, peer, -1)
        return BY_TAG
    box = take_inbox(e)
    if box < 0:
        ignore(e, slot, REFUSED_NO_MESSAGE, now)
        return NOTHING
    b = inbox_at(e, box)
    b["endpoint"], b["peer"], b["match_bits"], b["tagged"] = endpoint, peer, s["match_bits"], 0
    b["total"], b["length"], b["header_data"] = n_bytes, n_bytes, s["header_data"]
    if not take_receive(e, box):
        free_inbox(e, box)
        ignore(e, slot, REFUSED_NO_MESSAGE, now)
        return NOTHING
    move["handle"], move["offset"], move["bytes"], move["row"] = b["handle"], 0, min(n_bytes, b["room"]), box
    finish_box(e, box, now)
    return STORE


@kernel
def _on_rudi_request(e: Any, slot: int, now: int) -> int:
    """Answer a RUDI request; returns what is to be done with its payload, be it there for the first time or not."""
    packet, settings = packet_at(e, slot), settings_at(e, 0)
    if packet["net"] & IS_TRIMMED:
        note(e, REFUSED_TRIMMED, now, np.int64(packet["dst"]), -1, np.int64(packet["psn"]))
        answer_nack(e, -1, slot, TRIMMED_LASTHOP if packet["net"] & LAST_HOP else TRIMMED, 0, now)
        packet["pds_flags"] |= OF_RUDI
        packet["dpdcid"] = 0
        return NOTHING
    request, move = ses_at(e, packet["ses"]), move_at(e, 0)
    code, what, payload = OK, BY_TAG, 0
    if endpoint_at(e, packet["dst"])["regions"] >= 0:
        code = check_memory(e, slot, 1) if request["opcode"] in (OP_WRITE, OP_READ) else OP_VIOLATION
        if code == OK and request["opcode"] == OP_READ and move["bytes"] > settings["payload_bytes"]:
            code = UNSUPPORTED_SIZE
        what = NOTHING if code != OK else STORE if request["opcode"] == OP_WRITE else FETCH
        payload = move["bytes"] if what == FETCH else 0
    row = slot_ses(e, slot)
    s = ses_at(e, row)
    message_id = request["message_id"]
    s["job_id"], s["ri_generation"] = request["job_id"], request["ri_generation"]
    s["message_id"], s["request_id"] = message_id, message_id
    s["opcode"], s["return_code"], s["list"] = WITH_DATA if payload else RESPONSE, code, 0
    s["modified_length"] = packet["payload_bytes"]
    header = DATA_HEADER if payload else RESPONSE_HEADER
    flags = (packet["pds_flags"] & RETX) | (MARKED if packet["net"] & CE else 0)
    size = settings["nack_bytes"] - header_bytes(NACK, 0) + header_bytes(RUDI_RESP, header) + payload
    turn_round(e, slot, -1, size, now)
    packet["pds_type"], packet["pds_flags"], packet["next_hdr"], packet["ses"] = RUDI_RESP, flags, header, row
    packet["dpdcid"], packet["psn_offset"], packet["detail"], packet["code"] = 0, 0, 0, 0
    packet["payload_bytes"] = payload
    if what == FETCH:
        move["row"] = IN_SLOT - slot
    return what


@kernel
def _rudi_books(e: Any, slot: int) -> int:
    """Return the row with the initiator's books that an answer to RUDI belongs to, -1 if there is none."""
    packet = packet_at(e, slot)
    return lookup(e, own_key(np.int64(packet["dst"]), np.int64(packet["src"]), RUDI))


@kernel
def _on_rudi_response(e: Any, slot: int, now: int) -> int:
    """Take a packet off the initiator's books; returns STORE if the response carries data that was read."""
    packet, pdc, move = packet_at(e, slot), _rudi_books(e, slot), move_at(e, 0)
    if pdc < 0:
        ignore(e, slot, IGNORED_ANSWER, now)
        return NOTHING
    p = pdc_at(e, pdc)
    number = number_of(np.int64(packet["psn"]), p["tx_start"], p["tx_cack"])
    row = waiting_message(e, pdc, number)
    if row < 0 or not answer_one(e, pdc, number):
        ignore(e, slot, IGNORED_ANSWER, now)
        return NOTHING
    m, s, what = message_at(e, row), ses_at(e, packet["ses"]), NOTHING
    if s["return_code"] != OK:
        m["failed"], m["return_code"] = 1, s["return_code"]
    if packet["payload_bytes"] > 0 and m["waits"] != WAITS_NOTHING:
        m["got"] = min(packet["payload_bytes"], ses_at(e, row)["request_length"])
        move["handle"], move["offset"], move["bytes"], move["row"] = m["handle"], 0, m["got"], -1
        what = STORE
    stop_waiting(e, row)
    p["nack_retries"] = 0
    finish_acknowledged(e, pdc, now)
    if p["closing"] != 0:
        progress_close(e, pdc, now)
    activate(e, pdc)
    return what


@kernel
def on_rudi_nack(e: Any, slot: int, now: int) -> None:
    """Send a RUDI request again that was trimmed, or for which the target lacked something."""
    packet, pdc = packet_at(e, slot), _rudi_books(e, slot)
    if pdc < 0:
        ignore(e, slot, IGNORED_ANSWER, now)
        return
    p = pdc_at(e, pdc)
    number = number_of(np.int64(packet["psn"]), p["tx_start"], p["tx_cack"])
    action = ACTION_OF[np.int64(packet["code"])]
    if not in_flight(e, pdc, number) or (action != RETRANSMIT and action != LATER):
        ignore(e, slot, IGNORED_ANSWER, now)
        return
    if action == LATER:
        hold(e, pdc, number, now)
    elif not trimmed_too_often(e, pdc, number, now):
        mark_lost(e, pdc, number, RETX_TRIMMED, now)
    activate(e, pdc)
