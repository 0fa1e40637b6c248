"""Packets without a PDC: RUDI requests and responses, and UUD datagrams.

RUDI delivers at least once: every request is carried out whenever it arrives and answered by a response with
its pkt_id; all state is at the initiator, whose books are those of a PDC that never shows on the wire. UUD
datagrams are single packets that nobody answers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from uet.base.jit import kernel, rare_kernel
from uet.transport.answers import answer_one
from uet.transport.directory import lookup, own_key
from uet.transport.losses import in_flight, mark_lost
from uet.transport.messages import complete, finish_acknowledged
from uet.transport.nacks import ACTION_OF, LATER, RETRANSMIT, hold
from uet.transport.pdc import activate, number_of
from uet.transport.reasons import Reason, ignore, note
from uet.transport.record import NackCode, Net, NextHeader, PdsFlag, PdsType
from uet.transport.reply import answer_nack, turn_round
from uet.transport.slots import free_slot, slot_ses
from uet.transport.state import RECEIVED_DONE, RUDI, packet_at, pdc_at, ses_at, settings_at
from uet.transport.wire.codes import ResponseOpcode, ReturnCode
from uet.transport.wire.sizes import header_bytes

RUDI_REQ, RUDI_RESP, UUD_REQ = int(PdsType.RUDI_REQ), int(PdsType.RUDI_RESP), int(PdsType.UUD_REQ)
NACK = int(PdsType.NACK)
RETX, MARKED, OF_RUDI = int(PdsFlag.RETX), int(PdsFlag.MARKED), int(PdsFlag.RUDI)
IS_TRIMMED, LAST_HOP, CE = int(Net.TRIMMED), int(Net.LAST_HOP), int(Net.ECN_CE)
TRIMMED, TRIMMED_LASTHOP = int(NackCode.TRIMMED), int(NackCode.TRIMMED_LASTHOP)
RESPONSE, RESPONSE_HEADER = int(ResponseOpcode.RESPONSE), int(NextHeader.RESPONSE)
OK = int(ReturnCode.OK)
IGNORED_TYPE, IGNORED_ANSWER = int(Reason.IGNORED_TYPE), int(Reason.IGNORED_ANSWER)
REFUSED_TRIMMED, RETX_TRIMMED = int(Reason.REFUSED_TRIMMED), int(Reason.RETX_TRIMMED)


@rare_kernel
def on_datagram(e: Any, slot: int, now: int) -> bool:
    """Process a packet of a type that belongs to no PDC; True if its payload is to be placed."""
    packet = packet_at(e, slot)
    kind, trimmed = packet["pds_type"], packet["net"] & IS_TRIMMED
    if kind == RUDI_REQ:
        return _on_rudi_request(e, slot, now)
    if kind == UUD_REQ and not trimmed:
        s = ses_at(e, packet["ses"])
        handle, n_bytes = np.int64(s["match_bits"]), np.int64(packet["payload_bytes"])
        complete(e, RECEIVED_DONE, now, handle, n_bytes, np.int64(packet["dst"]), np.int64(packet["src"]), -1)
        free_slot(e, slot)
        return True
    if kind == RUDI_RESP:
        _on_rudi_response(e, slot, now)
    else:
        ignore(e, slot, REFUSED_TRIMMED if trimmed else IGNORED_TYPE, now)
    free_slot(e, slot)
    return False


@rare_kernel
def _on_rudi_request(e: Any, slot: int, now: int) -> bool:
    """Answer a RUDI request; True if its payload is to be placed, be it for the first time or not."""
    packet, settings = packet_at(e, slot), settings_at(e, 0)
    if packet["net"] & IS_TRIMMED:
        note(e, REFUSED_TRIMMED, now, np.int64(packet["dst"]), -1, np.int64(packet["psn"]))
        answer_nack(e, -1, slot, TRIMMED_LASTHOP if packet["net"] & LAST_HOP else TRIMMED, 0, now)
        packet["pds_flags"] |= OF_RUDI
        packet["dpdcid"] = 0
        return False
    request = ses_at(e, packet["ses"])
    row = slot_ses(e, slot)
    s = ses_at(e, row)
    s["job_id"], s["ri_generation"], s["message_id"] = (
        request["job_id"],
        request["ri_generation"],
        request["message_id"],
    )
    s["opcode"], s["return_code"], s["list"], s["modified_length"] = RESPONSE, OK, 0, packet["payload_bytes"]
    flags = (packet["pds_flags"] & RETX) | (MARKED if packet["net"] & CE else 0)
    size = settings["nack_bytes"] - header_bytes(NACK, 0) + header_bytes(RUDI_RESP, RESPONSE_HEADER)
    turn_round(e, slot, -1, size, now)
    packet["pds_type"], packet["pds_flags"], packet["next_hdr"], packet["ses"] = RUDI_RESP, flags, RESPONSE_HEADER, row
    packet["dpdcid"], packet["psn_offset"], packet["detail"], packet["code"] = 0, 0, 0, 0
    return True


@kernel
def _rudi_books(e: Any, slot: int) -> int:
    """Return the row with the initiator's books that an answer to RUDI belongs to, -1 if there is none."""
    packet = packet_at(e, slot)
    return lookup(e, own_key(np.int64(packet["dst"]), np.int64(packet["src"]), RUDI))


@rare_kernel
def _on_rudi_response(e: Any, slot: int, now: int) -> None:
    """Take a packet off the initiator's books."""
    packet, pdc = packet_at(e, slot), _rudi_books(e, slot)
    if pdc < 0:
        ignore(e, slot, IGNORED_ANSWER, now)
        return
    p = pdc_at(e, pdc)
    number = number_of(np.int64(packet["psn"]), p["tx_start"], p["tx_cack"])
    if not answer_one(e, pdc, number):
        ignore(e, slot, IGNORED_ANSWER, now)
        return
    p["nack_retries"] = 0
    finish_acknowledged(e, pdc, now)
    activate(e, pdc)


@rare_kernel
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
    else:
        mark_lost(e, pdc, number, RETX_TRIMMED, now)
    activate(e, pdc)
