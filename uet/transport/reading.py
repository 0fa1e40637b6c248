"""Reads longer than an ACK may carry, at both ends, and deferred messages sent again.

The target answers such a read with requests of its own on the same PDC, in the reverse direction and numbered
from the same start PSN.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from uet.base.jit import kernel
from uet.transport.inbox import NO_SES_MSG_AVAIL
from uet.transport.messages import OPCODE, PDS_TYPE, enqueue
from uet.transport.pdc import activate, open_initiator, start_sender
from uet.transport.pools import take_own_message, take_ring
from uet.transport.record import NackCode, NextHeader, SesFlag
from uet.transport.state import (
    WAITS_ANSWER,
    WAITS_NOTHING,
    WAITS_RESTART,
    core_at,
    endpoint_at,
    message_at,
    move_at,
    packet_at,
    pdc_at,
    ses_at,
    settings_at,
)
from uet.transport.timers import ANSWER, ensure_timer
from uet.transport.waiting import reading_message, satisfied, stop_waiting, wait_for
from uet.transport.wire.codes import ResponseOpcode, ReturnCode
from uet.transport.wire.sizes import SES_BYTES

NO_RESOURCE = int(NackCode.NO_RESOURCE)
DATA_HEADER, STD = int(NextHeader.RESPONSE_DATA), int(NextHeader.REQUEST_STD)
WITH_DATA, OK = int(ResponseOpcode.RESPONSE_W_DATA), int(ReturnCode.OK)
DELIVERY_COMPLETE, DONE = int(SesFlag.DELIVERY_COMPLETE), -1


@kernel
def answer_read(e: Any, pdc: int, slot: int, now: int) -> int:
    """Queue the data that MOVE names as requests to the reader; returns DONE or the NACK code of a refusal."""
    p, core, move, settings = pdc_at(e, pdc), core_at(e, 0), move_at(e, 0), settings_at(e, 0)
    packet = packet_at(e, slot)
    if core["reading"] >= e["n_message"] - core["max_messages"] - e["n_pdc"]:
        return NO_SES_MSG_AVAIL  # what is left is for commands
    if p["ring"] < 0 and not take_ring(e, pdc):
        return NO_RESOURCE
    row = take_own_message(e)
    if row < 0:
        return NO_SES_MSG_AVAIL
    core["reading"] += 1
    start_sender(e, pdc, now)
    request, s = ses_at(e, packet["ses"]), ses_at(e, row)
    s["opcode"], s["return_code"], s["list"], s["job_id"] = WITH_DATA, OK, 0, request["job_id"]
    s["request_id"], s["modified_length"] = request["message_id"], request["request_length"]
    kind = PDS_TYPE[p["mode"] if settings["credit"] == 0 else p["mode"] + len(OPCODE)]
    overhead = settings["overhead_bytes"] + SES_BYTES[DATA_HEADER] - SES_BYTES[STD]
    enqueue(e, pdc, row, kind, DATA_HEADER, overhead, move["bytes"], -1, now)
    m = message_at(e, row)
    m["source"], m["source_offset"] = move["handle"], move["offset"]
    m["serves"] = _rendezvous_read(e, np.int64(packet["dst"]), request["match_bits"], request["buffer_offset"])
    activate(e, pdc)
    return DONE


@kernel
def _rendezvous_read(e: Any, endpoint: int, key: np.uint64, offset: np.uint64) -> int:
    """Return the rendezvous message of an endpoint whose rest a read fetches, -1 if there is none."""
    at = np.int64(endpoint_at(e, endpoint)["rendezvous"])
    while at >= 0:
        s = ses_at(e, at)
        if s["read_key"] == key and s["read_offset"] + np.uint64(s["eager_length"]) == offset:
            return at
        at = np.int64(message_at(e, at)["serves"])
    return -1


@kernel
def fetched(e: Any, pdc: int, slot: int, now: int) -> bool:
    """Take a packet of the data that a read asked for; MOVE says where it goes. False if nobody waits for it
    or it does not lie within what was asked for.
    """
    packet, move = packet_at(e, slot), move_at(e, 0)
    row = reading_message(e, pdc, np.int64(ses_at(e, packet["ses"])["request_id"]))
    if row < 0:
        return False
    m = message_at(e, row)
    n_bytes = np.int64(packet["payload_bytes"])
    if np.int64(packet["argument"]) + n_bytes > ses_at(e, row)["request_length"]:
        return False
    move["handle"], move["offset"] = m["handle"], m["source_offset"] + np.int64(packet["argument"])
    move["bytes"], move["row"] = n_bytes, -1
    m["got"] += n_bytes
    if m["got"] >= ses_at(e, row)["request_length"]:
        satisfied(e, row, now)
    return True


@kernel
def restart(e: Any, peer: int, tokens: np.uint64, now: int) -> int:
    """Send a deferred message again, as its target asks; the tokens name the message here and its box there.

    Returns DONE, or the NACK code that has the target ask again, as the first copy is not acknowledged yet.
    """
    row = np.int64(tokens >> np.uint64(32)) - 1
    if row < 0 or row >= core_at(e, 0)["n_messages"]:
        return DONE
    m = message_at(e, row)
    p = pdc_at(e, m["pdc"])
    if m["waits"] == WAITS_NOTHING or p["peer"] != peer:
        return NO_RESOURCE if p["peer"] == peer and m["acked"] == 0 and m["done_ps"] < 0 else DONE
    if m["waits"] != WAITS_RESTART:
        return DONE
    if m["acked"] == 0:
        return NO_RESOURCE
    ses_at(e, row)["buffer_offset"] = tokens
    endpoint, mode = np.int64(p["endpoint"]), np.int64(p["mode"])
    stop_waiting(e, row)
    pdc = open_initiator(e, endpoint, peer, mode, now)
    if pdc < 0 or (pdc_at(e, pdc)["ring"] < 0 and not take_ring(e, pdc)):
        m["failed"] = 1
        satisfied(e, row, now)
        return DONE
    posted, flags = m["posted_ps"], np.int64(m["ses_flags"])
    kind, overhead = np.int64(m["pds_type"]), np.int64(m["overhead"])
    enqueue(e, pdc, row, kind, STD, overhead, m["bytes"], m["handle"], now)
    m["posted_ps"], m["ses_flags"] = posted, flags
    ses_at(e, row)["request_length"] = m["bytes"]
    if flags & DELIVERY_COMPLETE:
        wait_for(e, pdc, row, WAITS_ANSWER)
        ensure_timer(e, pdc, ANSWER, now + settings_at(e, 0)["rto_ps"])
    activate(e, pdc)
    return DONE
