"""Posting any operation: the application fills the one ORDER row, `submit` turns it into a message."""

from __future__ import annotations

from typing import Any

import numpy as np

from uet.base.jit import kernel
from uet.transport.features import MODES, OPCODES
from uet.transport.messages import (
    MAX_MESSAGE_BYTES,
    NO_MESSAGE,
    NO_PDC,
    NO_RING,
    OPCODE,
    PDS_TYPE,
    TOO_LONG,
    enqueue,
    take_message,
)
from uet.transport.pdc import activate, open_initiator
from uet.transport.pools import take_own_message, take_ring
from uet.transport.record import NextHeader, PdsType, SesFlag, SesOpcode
from uet.transport.state import (
    FROM_BUFFER,
    FROM_SAVED,
    FROM_SLOT,
    RUDI,
    UUD,
    WAITS_ANSWER,
    WAITS_DATA,
    WAITS_NOTHING,
    WAITS_READ,
    endpoint_at,
    message_at,
    move_at,
    order_at,
    packet_at,
    pdc_at,
    ses_at,
    settings_at,
)
from uet.transport.timers import ANSWER, ensure_timer
from uet.transport.waiting import wait_for
from uet.transport.wire.codes import AtomicOp
from uet.transport.wire.sizes import PDS_BYTES, SES_BYTES

NOT_OFFERED, NOT_IDEMPOTENT = -5, -6
"""Further reasons why `submit` refuses an order: the profile lacks it; RUDI carries writes and short reads only."""

RUD_REQ, RESPONSE_DATA = int(PdsType.RUD_REQ), int(NextHeader.RESPONSE_DATA)
STD, MEDIUM, SMALL = (int(h) for h in (NextHeader.REQUEST_STD, NextHeader.REQUEST_MEDIUM, NextHeader.REQUEST_SMALL))
WRITE, READ, ATOMIC, FETCHING = (
    int(o) for o in (SesOpcode.WRITE, SesOpcode.READ, SesOpcode.ATOMIC, SesOpcode.FETCHING_ATOMIC)
)
DATAGRAM, RENDEZVOUS, RENDEZVOUS_T = (
    int(o) for o in (SesOpcode.DATAGRAM_SEND, SesOpcode.RENDEZVOUS_SEND, SesOpcode.RENDEZVOUS_TSEND)
)
DEFERRABLE, DEFERRABLE_T, RTR = (
    int(o) for o in (SesOpcode.DEFERRABLE_SEND, SesOpcode.DEFERRABLE_TSEND, SesOpcode.DEFERRABLE_RTR)
)
DELIVERY_COMPLETE, HEADER_DATA = int(SesFlag.DELIVERY_COMPLETE), int(SesFlag.HEADER_DATA)
CSWAP, CSWAP_GT = int(AtomicOp.CSWAP), int(AtomicOp.CSWAP_GT)
COMPARE_SWAP_BYTES = 32
MAX_SHORT_BYTES = (1 << 14) - 1
ATOMIC_EXTENSION_BYTES, RENDEZVOUS_EXTENSION_BYTES = 4, 24


@kernel
def compares(op: int) -> bool:
    """Tell whether an atomic operation carries a value to compare with and one to store."""
    return CSWAP <= op <= CSWAP_GT


@kernel
def sent_bytes(order: Any) -> int:
    """Return how many payload bytes an order sends."""
    opcode = order["opcode"]
    if opcode in (READ, RTR):
        return 0
    if opcode in (RENDEZVOUS, RENDEZVOUS_T):
        return min(order["eager_bytes"], order["bytes"])
    if (opcode in (ATOMIC, FETCHING)) and compares(np.int64(order["atomic_op"])):
        return COMPARE_SWAP_BYTES
    return order["bytes"]


@kernel
def _refusal(e: Any, order: Any) -> int:
    """Return why an order cannot be posted, 0 if it can."""
    settings = settings_at(e, 0)
    profile, opcode, mode = settings["ses_profile"], np.int64(order["opcode"]), np.int64(order["mode"])
    if (
        (OPCODES[profile] >> opcode) & 1 == 0
        or (MODES[profile] >> mode) & 1 == 0
        or (opcode == DATAGRAM) != (mode == UUD)
    ):
        return NOT_OFFERED
    if mode == RUDI and not (opcode == WRITE or (opcode == READ and order["bytes"] <= settings["payload_bytes"])):
        return NOT_IDEMPOTENT
    most = MAX_MESSAGE_BYTES
    if opcode in (DATAGRAM, ATOMIC, FETCHING):
        most = settings["payload_bytes"]
    return TOO_LONG if order["bytes"] > most else 0


@kernel
def _header(e: Any, order: Any, n_bytes: int) -> int:
    """Return the shortest SES header an order can do with: small for RMA, medium for what fits one packet."""
    settings, opcode = settings_at(e, 0), np.int64(order["opcode"])
    fits = n_bytes <= settings["payload_bytes"] and order["bytes"] <= MAX_SHORT_BYTES
    if settings["short_headers"] == 0 or not fits or opcode >= RENDEZVOUS_T or opcode == RENDEZVOUS:
        return STD
    if opcode == DEFERRABLE or order["flags"] & DELIVERY_COMPLETE:
        return STD
    if opcode in (WRITE, READ):
        if order["match_bits"] < np.uint64(1 << 12) and order["flags"] & HEADER_DATA == 0:
            return SMALL  # an optimized key travels as the resource index
        return STD if order["flags"] & HEADER_DATA else MEDIUM
    return MEDIUM


@kernel
def submit(e: Any, own: int, now: int) -> int:
    """Post what the ORDER row says and return the message row, or a negative reason; `own` = 1 for the engine's own."""
    order, settings = order_at(e, 0), settings_at(e, 0)
    why = _refusal(e, order)
    if why < 0:
        return why
    mode, endpoint = np.int64(order["mode"]), np.int64(order["endpoint"])
    pdc = open_initiator(e, endpoint, np.int64(order["peer"]), mode, now)
    if pdc < 0:
        return NO_PDC
    if pdc_at(e, pdc)["ring"] < 0 and not take_ring(e, pdc):
        return NO_RING
    row = take_own_message(e) if own != 0 else take_message(e)
    if row < 0:
        return NO_MESSAGE
    n_bytes = sent_bytes(order)
    header = _header(e, order, n_bytes)
    _fill_ses(e, order, row)
    kind = PDS_TYPE[mode if settings["credit"] == 0 else mode + len(OPCODE)]
    overhead = settings["overhead_bytes"] + PDS_BYTES[PDS_TYPE[mode]] - PDS_BYTES[RUD_REQ]
    overhead += SES_BYTES[header] - SES_BYTES[STD]
    opcode = np.int64(order["opcode"])
    if opcode in (ATOMIC, FETCHING):
        overhead += ATOMIC_EXTENSION_BYTES
    elif opcode in (RENDEZVOUS, RENDEZVOUS_T):
        overhead += RENDEZVOUS_EXTENSION_BYTES
    enqueue(e, pdc, row, kind, header, overhead, n_bytes, order["handle"], now)
    ses_at(e, row)["request_length"] = order["bytes"]
    if opcode in (DEFERRABLE, DEFERRABLE_T):
        ses_at(e, row)["buffer_offset"] = np.uint64(row + 1) << np.uint64(32)  # the token that names it
    message_at(e, row)["ses_flags"] = order["flags"]
    _begin_waiting(e, pdc, row, order, now)
    activate(e, pdc)
    return row


@kernel
def _fill_ses(e: Any, order: Any, row: int) -> None:
    s = ses_at(e, row)
    s["opcode"], s["match_bits"], s["initiator"] = order["opcode"], order["match_bits"], order["endpoint"]
    s["buffer_offset"], s["header_data"], s["job_id"] = order["buffer_offset"], order["header_data"], order["job_id"]
    s["pid_on_fep"], s["resource_index"] = order["pid_on_fep"], order["resource_index"]
    s["ri_generation"], s["atomic_op"], s["atomic_type"] = (
        order["ri_generation"],
        order["atomic_op"],
        order["atomic_type"],
    )
    s["atomic_semantics"], s["return_code"], s["list"], s["modified_length"] = 0, 0, 0, 0
    s["read_key"], s["read_offset"], s["read_pid"] = order["read_key"], order["read_offset"], order["pid_on_fep"]
    s["read_resource"], s["read_generation"] = order["resource_index"], order["ri_generation"]
    s["eager_length"] = min(order["eager_bytes"], order["bytes"])


@kernel
def _begin_waiting(e: Any, pdc: int, row: int, order: Any, now: int) -> None:
    """Note what the message waits for beside its ACKs."""
    m, s, settings = message_at(e, row), ses_at(e, row), settings_at(e, 0)
    opcode, waits = np.int64(order["opcode"]), WAITS_NOTHING
    if order["mode"] == UUD:
        return
    if opcode == FETCHING or (order["flags"] & DELIVERY_COMPLETE and opcode != READ):
        waits = WAITS_ANSWER
    elif opcode == READ:
        waits = WAITS_ANSWER if order["bytes"] <= settings["max_ack_data"] and order["mode"] != RUDI else WAITS_DATA
    elif (opcode in (RENDEZVOUS, RENDEZVOUS_T)) and s["eager_length"] < order["bytes"]:
        waits = WAITS_READ
        ep = endpoint_at(e, order["endpoint"])
        m["serves"], ep["rendezvous"] = ep["rendezvous"], row
    if waits != WAITS_NOTHING:
        wait_for(e, pdc, row, waits)
        ensure_timer(e, pdc, ANSWER, now + settings["rto_ps"])


@kernel
def payload_source(e: Any, slot: int) -> int:
    """Return where the payload of a packet to be sent is: FROM_BUFFER, FROM_SAVED or FROM_SLOT; MOVE says the rest.

    To be called before the packet's SES fields are replaced by those read from its bytes.
    """
    packet, move = packet_at(e, slot), move_at(e, 0)
    row = np.int64(packet["ses"])
    move["bytes"], move["row"] = packet["payload_bytes"], -1
    if packet["payload_bytes"] == 0 or row >= e["n_message"] + e["n_saved"]:
        return FROM_SLOT
    if row >= e["n_message"]:
        move["row"] = row - e["n_message"]
        return FROM_SAVED
    m = message_at(e, row)
    own = packet["next_hdr"] == RESPONSE_DATA
    move["handle"] = m["source"] if own else m["handle"]
    move["offset"] = (m["source_offset"] if own else 0) + np.int64(packet["argument"])
    return FROM_BUFFER


@kernel
def performed(e: Any, return_code: int) -> None:
    """Note how the atomic operation or fetch went that MOVE describes, in the response saved for it, if any."""
    row = np.int64(move_at(e, 0)["row"])
    if row >= 0:
        ses_at(e, e["n_message"] + row)["return_code"] = return_code
