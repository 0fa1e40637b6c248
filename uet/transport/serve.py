"""The target's side of SES: what each request asks for, checked and answered.

A result of `serve` above 0 is the NACK code of a refusal; DONE means accepted, nothing to be moved; others are
minus (10 + what the carrier is to do), see `move_code`. Explicit responses (errors, data, delivery complete) are
saved until the initiator clears them; everything else is answered by the ACK alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from uet.base.jit import kernel
from uet.transport.abandoning import on_message_error
from uet.transport.completions import complete_with
from uet.transport.features import DEFERS, OPCODES
from uet.transport.inbox import (
    NEW_BOX,
    NO_SES_MSG_AVAIL,
    WHOLE,
    close_box,
    deliver_by_tag,
    free_inbox,
    inbox_of,
    take_inbox,
)
from uet.transport.matching import finish_box, push_unexpected, take_receive
from uet.transport.orders import COMPARE_SWAP_BYTES, compares
from uet.transport.pools import take_saved
from uet.transport.reading import answer_read, fetched, restart
from uet.transport.record import NackCode, NextHeader, PdsFlag, SesFlag, SesOpcode
from uet.transport.regions import check_address, check_region, find_region
from uet.transport.state import (
    ACCESS_ATOMIC,
    ACCESS_READ,
    ACCESS_WRITE,
    ATOMIC,
    BOX_DEFERRED,
    BOX_RECEIVING,
    BOX_WHOLE,
    BOX_WRITE,
    FETCH,
    RECEIVED_DONE,
    STORE,
    STORE_UNEXPECTED,
    core_at,
    endpoint_at,
    inbox_at,
    move_at,
    packet_at,
    region_at,
    saved_at,
    ses_at,
    settings_at,
)
from uet.transport.wire.codes import AtomicOp, AtomicType, ResponseOpcode, ReturnCode

DONE = -1
NO_GTD = int(NackCode.NO_GTD_DEL_AVAIL)
OP_NO_OP, OP_WRITE, OP_READ, OP_ATOMIC, OP_FETCHING = 0, 1, 2, 3, 4
SEND, DEFERRABLE, RTR, ERROR = (
    int(o) for o in (SesOpcode.SEND, SesOpcode.DEFERRABLE_SEND, SesOpcode.DEFERRABLE_RTR, SesOpcode.MSG_ERROR)
)
TAGGED, DEFERRABLE_T = int(SesOpcode.TAGGED_SEND), int(SesOpcode.DEFERRABLE_TSEND)
RENDEZVOUS, RENDEZVOUS_T = int(SesOpcode.RENDEZVOUS_SEND), int(SesOpcode.RENDEZVOUS_TSEND)
HEADER_DATA, DELIVERY_COMPLETE = int(SesFlag.HEADER_DATA), int(SesFlag.DELIVERY_COMPLETE)
SOM, EOM = int(SesFlag.SOM), int(SesFlag.EOM)
INITIATOR_ERROR, AR = int(SesFlag.INITIATOR_ERROR), int(PdsFlag.AR)
RESPONSE_HEADER, DATA_HEADER = int(NextHeader.RESPONSE), int(NextHeader.RESPONSE_DATA)
REQUEST_STD = int(NextHeader.REQUEST_STD)
SMALL_DATA_HEADER, SMALL = int(NextHeader.RESPONSE_DATA_SMALL), int(NextHeader.REQUEST_SMALL)
RESPONSE, WITH_DATA = int(ResponseOpcode.RESPONSE), int(ResponseOpcode.RESPONSE_W_DATA)
OK, UNSUPPORTED_OP = int(ReturnCode.OK), int(ReturnCode.UNSUPPORTED_OP)
INITIATOR_ERR, BAD_OP = int(ReturnCode.INITIATOR_ERR), int(ReturnCode.AMO_UNSUPPORTED_OP)
BAD_TYPE, BAD_SIZE = int(ReturnCode.AMO_UNSUPPORTED_DT), int(ReturnCode.AMO_UNSUPPORTED_SIZE)
UNALIGNED, OP_VIOLATION = int(ReturnCode.AMO_UNALIGNED), int(ReturnCode.OP_VIOLATION)
RESPONSE_BYTES = 12

TYPE_BYTES = np.array([1, 1, 2, 2, 4, 4, 8, 8, 16, 16, 4, 8, 8, 16, 16, 32, 2, 2], dtype=np.int64)
"""Operand bytes by AtomicType; a long double takes 16 here."""
LAST_OP, LAST_TYPE, FIRST_FLOAT = int(AtomicOp.INVAL), int(AtomicType.FP16), int(AtomicType.FLOAT)
BOR, BAND, BXOR = int(AtomicOp.BOR), int(AtomicOp.BAND), int(AtomicOp.BXOR)


@kernel
def deliver(e: Any, pdc: int, slot: int, number: int, now: int) -> int:
    """Give a new request to the receiver: plain tagged sends at once, all else through `serve`."""
    packet = packet_at(e, slot)
    s = ses_at(e, packet["ses"])
    plain = SMALL <= packet["next_hdr"] <= REQUEST_STD and s["opcode"] == TAGGED and packet["detail"] <= WHOLE
    if plain and core_at(e, 0)["matchers"] == 0 and fits_message(packet, s):
        return deliver_by_tag(e, pdc, slot, now)
    return serve(e, pdc, slot, number, now)


@kernel
def fits_message(packet: Any, ses: Any) -> bool:
    """Tell whether a packet lies within its message, and ends it if it says so."""
    end, length = np.int64(packet["argument"]) + np.int64(packet["payload_bytes"]), np.int64(ses["request_length"])
    return end == length if packet["detail"] & EOM else end < length


@kernel
def move_code(what: int) -> int:
    """Return the result of `serve` that makes `receive` return `what`."""
    return -10 - what


@kernel
def respond(e: Any, pdc: int, slot: int, number: int, code: int, where: int, modified: int, data_bytes: int) -> int:
    """Save a response to a packet and have its ACK sent at once; returns its row, -1 if there is no room."""
    packet = packet_at(e, slot)
    row = take_saved(e, pdc, number, RESPONSE_BYTES + data_bytes)
    if row < 0:
        return -1
    saved, request, s = saved_at(e, row), ses_at(e, packet["ses"]), ses_at(e, e["n_message"] + row)
    saved["payload_bytes"], saved["argument"] = data_bytes, packet["psn"] if data_bytes > 0 else 0
    saved["next_hdr"] = SMALL_DATA_HEADER if data_bytes > 0 else RESPONSE_HEADER
    s["opcode"] = WITH_DATA if data_bytes > 0 else RESPONSE
    s["return_code"], s["list"], s["modified_length"] = code, where, modified
    s["message_id"], s["job_id"] = request["message_id"], request["job_id"]
    s["ri_generation"], s["request_id"] = request["ri_generation"], request["message_id"]
    packet["pds_flags"] |= AR
    return row


@kernel
def _refuse(e: Any, pdc: int, slot: int, number: int, code: int) -> int:
    """Answer a request with an error; its payload is not placed."""
    return NO_GTD if respond(e, pdc, slot, number, code, 0, 0, 0) < 0 else DONE


@kernel
def serve(e: Any, pdc: int, slot: int, number: int, now: int) -> int:
    """Carry out a new request packet, as far as that is the engine's part."""
    packet = packet_at(e, slot)
    s, endpoint = ses_at(e, packet["ses"]), np.int64(packet["dst"])
    if packet["next_hdr"] == DATA_HEADER:
        return move_code(STORE) if fetched(e, pdc, slot, now) else DONE
    if not SMALL <= packet["next_hdr"] <= REQUEST_STD:
        return DONE  # no request of SES
    opcode, flags = np.int64(s["opcode"]), np.int64(packet["detail"])
    if (OPCODES[settings_at(e, 0)["ses_profile"]] >> opcode) & 1 == 0:
        return _refuse(e, pdc, slot, number, UNSUPPORTED_OP)
    if flags & INITIATOR_ERROR:
        return _refuse(e, pdc, slot, number, INITIATOR_ERR)
    if opcode == RTR:
        return restart(e, np.int64(packet["src"]), s["match_bits"], now)
    code = check_address(e, endpoint, s, flags, np.int64(packet["next_hdr"]))
    if code != OK:
        return _refuse(e, pdc, slot, number, code)
    if opcode == ERROR:
        on_message_error(e, pdc, slot, now)
        return DONE
    if opcode == OP_NO_OP:
        return DONE
    if opcode in (OP_READ, OP_ATOMIC, OP_FETCHING):
        return _serve_memory(e, pdc, slot, number, now)
    if opcode not in (RENDEZVOUS, RENDEZVOUS_T) and not fits_message(packet, s):
        return _refuse(e, pdc, slot, number, OP_VIOLATION)
    if opcode == OP_WRITE:
        return _serve_memory(e, pdc, slot, number, now)
    return _serve_send(e, pdc, slot, number, now)


@kernel
def check_memory(e: Any, slot: int, idempotent: int) -> int:
    """Return OK or the return code that refuses a WRITE, READ or atomic; fills MOVE with the memory concerned."""
    packet, move = packet_at(e, slot), move_at(e, 0)
    s = ses_at(e, packet["ses"])
    opcode, small = np.int64(s["opcode"]), packet["next_hdr"] == SMALL
    key = np.uint64(s["resource_index"]) if small else s["match_bits"]
    region = find_region(e, np.int64(packet["dst"]), key)
    access, n_bytes = ACCESS_WRITE, np.int64(packet["payload_bytes"])
    if opcode == OP_READ:
        access, n_bytes = ACCESS_READ, np.int64(s["request_length"])
    elif opcode != OP_WRITE:
        access, n_bytes = ACCESS_ATOMIC, np.int64(s["request_length"])
    offset = np.int64(s["buffer_offset"]) + np.int64(packet["argument"])
    code = check_region(e, region, np.int64(s["job_id"]), access, offset, n_bytes, idempotent)
    if code != OK:
        return code
    move["handle"], move["offset"], move["bytes"], move["row"] = region_at(e, region)["handle"], offset, n_bytes, -1
    move["op"], move["type"] = s["atomic_op"], s["atomic_type"]
    return OK if opcode <= OP_READ else _check_atomic(packet, s, offset)


@kernel
def _check_atomic(packet: Any, s: Any, offset: int) -> int:
    """Return OK or the return code that refuses an atomic operation by its operation, type, size or address."""
    op, kind = np.int64(s["atomic_op"]), np.int64(s["atomic_type"])
    if op > LAST_OP or (op in (BOR, BAND, BXOR) and kind >= FIRST_FLOAT):
        return BAD_OP
    if kind > LAST_TYPE:
        return BAD_TYPE
    size, n_bytes = TYPE_BYTES[kind], np.int64(s["request_length"])
    operands = COMPARE_SWAP_BYTES if compares(op) else n_bytes
    if n_bytes == 0 or n_bytes % size or (compares(op) and n_bytes != size):
        return BAD_SIZE
    if packet["payload_bytes"] != operands or packet["detail"] & WHOLE != WHOLE:
        return BAD_SIZE
    return UNALIGNED if offset % size else OK


@kernel
def _serve_memory(e: Any, pdc: int, slot: int, number: int, now: int) -> int:
    """Serve a WRITE, READ or atomic."""
    packet, move, settings = packet_at(e, slot), move_at(e, 0), settings_at(e, 0)
    s = ses_at(e, packet["ses"])
    code = check_memory(e, slot, 0)
    if code != OK:
        return _refuse(e, pdc, slot, number, code)
    opcode, n_bytes = np.int64(s["opcode"]), move["bytes"]
    if opcode == OP_READ:
        if n_bytes > settings["max_ack_data"]:
            return answer_read(e, pdc, slot, now)
        move["row"] = respond(e, pdc, slot, number, OK, 0, n_bytes, n_bytes)
        return NO_GTD if move["row"] < 0 else move_code(FETCH)
    if opcode == OP_FETCHING:
        if n_bytes > settings["max_ack_data"]:
            return _refuse(e, pdc, slot, number, BAD_SIZE)
        move["row"] = respond(e, pdc, slot, number, OK, 0, n_bytes, n_bytes)
        return NO_GTD if move["row"] < 0 else move_code(ATOMIC)
    return _serve_write(e, pdc, slot, number, now)


@kernel
def _serve_write(e: Any, pdc: int, slot: int, number: int, now: int) -> int:
    """Serve a WRITE or an atomic that fetches nothing; immediate data and responses wait for its last packet."""
    packet, move = packet_at(e, slot), move_at(e, 0)
    s, flags = ses_at(e, packet["ses"]), np.int64(packet["detail"])
    what = move_code(STORE if s["opcode"] == OP_WRITE else ATOMIC)
    if flags & (HEADER_DATA | DELIVERY_COMPLETE) == 0:
        return what
    if flags & WHOLE != WHOLE:
        box = inbox_of(e, pdc, slot, now)
        if box < 0:
            return NO_SES_MSG_AVAIL
        b = inbox_at(e, box)
        b["state"] = BOX_WRITE
        if flags & SOM:
            b["header_data"] = s["header_data"]
        if b["bytes"] + packet["payload_bytes"] < s["request_length"]:
            b["bytes"] += packet["payload_bytes"]
            return what
        data = b["header_data"]
    else:
        box, data = np.int64(-1), s["header_data"]
    if flags & DELIVERY_COMPLETE:
        row = respond(e, pdc, slot, number, OK, 0, np.int64(s["request_length"]), 0)
        if row < 0:
            return NO_GTD
        if s["opcode"] != OP_WRITE:
            move["row"] = row
    if box >= 0:
        close_box(e, box)
        free_inbox(e, box)
    if flags & HEADER_DATA:
        handle, n_bytes = move["handle"], np.int64(s["request_length"])
        dst, src = np.int64(packet["dst"]), np.int64(packet["src"])
        complete_with(e, RECEIVED_DONE, now, handle, n_bytes, dst, src, -1, OK, np.int64(data))
    return what


@kernel
def _box_for(e: Any, pdc: int, slot: int, now: int) -> int:
    """Return the box of a send's packet, its fields filled on first sight; -1 if no row is left.

    A message in one packet needs no directory entry, as no other packet will ask for its box.
    """
    packet = packet_at(e, slot)
    s = ses_at(e, packet["ses"])
    token = np.int64(s["buffer_offset"] & np.uint64(0xFFFFFFFF))
    opcode = np.int64(s["opcode"])
    whole = packet["detail"] & WHOLE == WHOLE
    box = take_inbox(e) if whole else inbox_of(e, pdc, slot, now)
    if box < 0:
        return -1
    b = inbox_at(e, box)
    if whole:
        b["pdc"], b["bytes"], b["first_ps"], b["room"], b["state"] = pdc, 0, now, NEW_BOX, BOX_RECEIVING
    if b["room"] != NEW_BOX:
        return box
    b["endpoint"], b["peer"], b["match_bits"] = packet["dst"], packet["src"], s["match_bits"]
    b["tagged"] = 1 if opcode in (TAGGED, DEFERRABLE_T, RENDEZVOUS_T) else 0
    b["total"] = s["request_length"]
    b["length"] = s["request_length"]
    b["header_data"] = np.uint64(0)
    b["job_id"], b["read_pid"], b["read_resource"] = s["job_id"], 0, 0
    if opcode in (DEFERRABLE, DEFERRABLE_T):
        b["read_key"] = s["buffer_offset"] >> np.uint64(32)
        if _take_over(e, box, token - 1):
            return box
    if not take_receive(e, box):
        deferred = opcode in (DEFERRABLE, DEFERRABLE_T) and DEFERS[settings_at(e, 0)["ses_profile"]]
        b["state"] = BOX_DEFERRED if deferred else BOX_RECEIVING
        push_unexpected(e, box)
    return box


@kernel
def _take_over(e: Any, box: int, deferred: int) -> bool:
    """Let a message that is sent again have the receive that its deferred box was given; False if there is none."""
    if deferred < 0 or deferred >= e["n_inbox"]:
        return False
    b, old = inbox_at(e, box), inbox_at(e, deferred)
    if old["state"] != BOX_DEFERRED or old["peer"] != b["peer"] or old["room"] < 0:
        return False
    b["handle"], b["room"], old["state"] = old["handle"], old["room"], BOX_RECEIVING
    free_inbox(e, deferred)
    return True


@kernel
def _serve_send(e: Any, pdc: int, slot: int, number: int, now: int) -> int:
    """Serve a packet of a send of any kind at an endpoint that matches messages with receives."""
    packet, move = packet_at(e, slot), move_at(e, 0)
    s, flags = ses_at(e, packet["ses"]), np.int64(packet["detail"])
    whole = flags & WHOLE == WHOLE
    if endpoint_at(e, packet["dst"])["matching"] == 0:
        if s["opcode"] in (SEND, TAGGED, DEFERRABLE, DEFERRABLE_T):
            return deliver_by_tag(e, pdc, slot, now)
        return _refuse(e, pdc, slot, number, UNSUPPORTED_OP)
    box = _box_for(e, pdc, slot, now)
    if box < 0:
        return NO_SES_MSG_AVAIL
    b = inbox_at(e, box)
    first = b["bytes"] == 0
    if flags & SOM:
        if flags & HEADER_DATA:
            b["header_data"] = s["header_data"]
        if s["opcode"] in (RENDEZVOUS, RENDEZVOUS_T):  # only the first packet tells how much comes, and where from
            b["length"], b["read_key"], b["read_offset"] = s["eager_length"], s["read_key"], s["read_offset"]
            b["read_pid"], b["read_resource"] = s["read_pid"], s["read_resource"]
    b["bytes"] += packet["payload_bytes"]
    last = b["bytes"] >= b["length"]
    if b["state"] == BOX_DEFERRED:
        return _defer(e, pdc, slot, number, box, first, last and not whole)
    offset = np.int64(packet["argument"])
    move["row"], move["offset"], move["handle"] = box, offset, b["handle"]
    move["bytes"] = packet["payload_bytes"]
    what = STORE_UNEXPECTED
    if b["room"] >= 0:
        what, move["bytes"] = STORE, max(min(move["bytes"], b["room"] - offset), 0)
    if last:
        if flags & DELIVERY_COMPLETE and respond(e, pdc, slot, number, OK, 0, np.int64(b["total"]), 0) < 0:
            b["bytes"] -= packet["payload_bytes"]
            return NO_GTD
        if not whole:
            close_box(e, box)
        b["state"] = BOX_WHOLE
        if what == STORE:
            finish_box(e, box, now)
    return move_code(what)


@kernel
def _defer(e: Any, pdc: int, slot: int, number: int, box: int, first: bool, last: bool) -> int:
    """Say that a message has no receive yet and is to be sent again when asked for; what came of it is dropped.

    The sheet of return codes has none for this, so OK, the overflow list and a length of 0 say it here.
    """
    if first and respond(e, pdc, slot, number, OK, 1, 0, 0) < 0:
        inbox_at(e, box)["bytes"] -= packet_at(e, slot)["payload_bytes"]
        return NO_GTD
    if last:
        close_box(e, box)
    return DONE
