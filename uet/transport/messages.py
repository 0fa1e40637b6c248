"""Messages at the sender: posting plain ones, and completing or failing all kinds."""

from __future__ import annotations

from typing import Any

import numpy as np

from uet.base.jit import kernel
from uet.transport.completions import complete, complete_message
from uet.transport.credit import note_posted
from uet.transport.inbox import end_fetch
from uet.transport.pdc import activate, open_initiator, start_sender
from uet.transport.pools import free_message, free_ring, is_own, take_own_message, take_ring
from uet.transport.record import NextHeader, PdsType, SesOpcode
from uet.transport.state import (
    ABANDONED,
    ROD,
    RUD,
    SENT_DONE,
    UUD,
    WAITS_NOTHING,
    WAITS_READ,
    core_at,
    message_at,
    pdc_at,
    ses_at,
    settings_at,
)
from uet.transport.waiting import satisfied, stop_waiting
from uet.transport.wire.sizes import PDS_BYTES

RUD_REQ, CP = int(PdsType.RUD_REQ), int(PdsType.CP)
REQUEST_STD, RESPONSE_DATA = int(NextHeader.REQUEST_STD), int(NextHeader.RESPONSE_DATA)
READ, MSG_ERROR = int(SesOpcode.READ), int(SesOpcode.MSG_ERROR)
MAX_MESSAGE_BYTES = 2**32 - 1

NO_PDC, NO_MESSAGE, TOO_LONG, NO_RING = -1, -2, -3, -4
"""Reasons why `post` refuses a message."""


@kernel
def take_message(e: Any) -> int:
    """Return a message row for the application, -1 if none is left."""
    core = core_at(e, 0)
    row = core["free_message"]
    if row >= 0:
        core["free_message"] = message_at(e, row)["next"]
        return row
    if core["n_messages"] >= core["max_messages"]:
        return -1
    core["n_messages"] += 1
    return core["n_messages"] - 1


_PLAIN = [PdsType.RUD_REQ, PdsType.ROD_REQ, PdsType.RUDI_REQ, PdsType.UUD_REQ]
_CREDIT = [PdsType.RUD_CC_REQ, PdsType.ROD_CC_REQ, PdsType.RUDI_REQ, PdsType.UUD_REQ]
PDS_TYPE = np.array(_PLAIN + _CREDIT, dtype=np.int64)
OPCODE = np.array(
    [SesOpcode.TAGGED_SEND, SesOpcode.TAGGED_SEND, SesOpcode.WRITE, SesOpcode.DATAGRAM_SEND], dtype=np.int64
)
"""PDS type by delivery mode, without and then with receiver credit, and SES opcode of a plain message by mode."""


@kernel
def post(e: Any, endpoint: int, peer: int, n_bytes: int, match_bits: int, handle: int, now: int) -> int:
    """Post a tagged send of `n_bytes`, RUD or ROD as `pdc.ordered` says; returns its row, or a negative reason."""
    mode = RUD if settings_at(e, 0)["ordered"] == 0 else ROD
    return post_mode(e, mode, endpoint, peer, n_bytes, match_bits, handle, now)


@kernel
def post_mode(e: Any, mode: int, endpoint: int, peer: int, n_bytes: int, match_bits: int, handle: int, now: int) -> int:
    """Post a message of `n_bytes` in a delivery mode and return its row, or a negative reason."""
    settings = settings_at(e, 0)
    if n_bytes > (settings["payload_bytes"] if mode == UUD else MAX_MESSAGE_BYTES):
        return TOO_LONG
    pdc = open_initiator(e, endpoint, peer, mode, now)
    if pdc < 0:
        return NO_PDC
    p = pdc_at(e, pdc)
    if p["ring"] < 0 and not take_ring(e, pdc):
        return NO_RING
    row = take_message(e)
    if row < 0:
        return NO_MESSAGE
    s = ses_at(e, row)
    s["opcode"], s["match_bits"], s["initiator"] = OPCODE[mode], np.uint64(match_bits), endpoint
    kind = PDS_TYPE[mode if settings["credit"] == 0 else mode + len(OPCODE)]
    overhead = settings["overhead_bytes"] + PDS_BYTES[PDS_TYPE[mode]] - PDS_BYTES[RUD_REQ]
    enqueue(e, pdc, row, kind, REQUEST_STD, overhead, n_bytes, handle, now)
    activate(e, pdc)
    return row


@kernel
def enqueue(
    e: Any, pdc: int, row: int, pds_type: int, next_hdr: int, overhead: int, n_bytes: int, handle: int, now: int
) -> None:
    """Append the message in `row`, whose SES fields are set, to a PDC that has a send ring."""
    p, m, s, settings = pdc_at(e, pdc), message_at(e, row), ses_at(e, row), settings_at(e, 0)
    full = settings["payload_bytes"]
    m["handle"], m["bytes"], m["posted_ps"], m["done_ps"] = handle, n_bytes, now, -1
    m["first"], m["packets"] = p["tx_end"], max((n_bytes + full - 1) // full, 1)
    m["pdc"], m["next"], m["failed"], m["retransmitted"] = pdc, -1, 0, 0
    m["ses_flags"], m["waits"], m["acked"], m["return_code"] = 0, 0, 0, 0
    m["next_waiting"], m["serves"], m["got"] = -1, -1, 0
    m["pds_type"], m["next_hdr"], m["overhead"] = pds_type, next_hdr, overhead
    m["nominal"] = settings["nominal_bytes"] + overhead - settings["overhead_bytes"]
    s["request_length"], s["message_id"] = n_bytes, p["next_message_id"] & 0xFFFF
    p["next_message_id"] += 1
    p["tx_end"] += m["packets"]
    if p["last_message"] >= 0:
        message_at(e, p["last_message"])["next"] = row
    p["last_message"] = row
    if p["message"] < 0:
        p["message"] = row
    if p["segmenting"] < 0:
        p["segmenting"] = row
    if settings["credit"] != 0:
        note_posted(e, row, now)


@kernel
def post_command(e: Any, pdc: int, ctl: int, now: int) -> bool:
    """Append a control packet that takes a PSN of its own; False if there is no room for it."""
    p = pdc_at(e, pdc)
    if p["ring"] < 0 and not take_ring(e, pdc):
        return False
    row = take_own_message(e)
    if row < 0:
        return False
    start_sender(e, pdc, now)
    enqueue(e, pdc, row, CP, ctl, settings_at(e, 0)["nack_bytes"], 0, -1, now)
    return True


@kernel
def finish_acknowledged(e: Any, pdc: int, now: int) -> None:
    """Complete the messages whose last packet is now cumulatively acknowledged."""
    p = pdc_at(e, pdc)
    while p["message"] >= 0:
        row = np.int64(p["message"])
        m = message_at(e, row)
        if p["tx_cack"] < m["first"] + m["packets"]:
            return
        p["message"] = m["next"]
        if m["waits"] != 0 or m["failed"] != 0 or m["got"] != 0 or is_own(e, row):
            _finish_rare(e, row, now)
        else:
            m["done_ps"] = now
            complete(e, SENT_DONE, now, m["handle"], m["bytes"], p["endpoint"], p["peer"], row)
        if p["message"] < 0:
            p["last_message"] = -1
            free_ring(e, pdc)


@kernel
def _finish_rare(e: Any, row: int, now: int) -> None:
    """Finish an acknowledged message of the engine's own, or one that failed, waits for more or got data."""
    m = message_at(e, row)
    m["acked"] = 1
    if m["waits"] != WAITS_NOTHING:
        return
    if _fetches(e, row):
        end_fetch(e, row, now)
        return
    if is_own(e, row):
        _end_own(e, row, 0, now)
        return
    if m["failed"] == ABANDONED:
        _post_error(e, row, now)
    complete_message(e, row, now)


@kernel
def _fetches(e: Any, row: int) -> bool:
    """Tell whether a message is a read of the engine's own, which fetches the rest of a rendezvous message."""
    m = message_at(e, row)
    asks = m["pds_type"] != CP and m["next_hdr"] != RESPONSE_DATA
    return is_own(e, row) and asks and ses_at(e, row)["opcode"] == READ


@kernel
def _post_error(e: Any, row: int, now: int) -> None:
    """Tell the target that no more of a message comes; without room for that, it learns it when the PDC closes."""
    m, original = message_at(e, row), ses_at(e, row)
    error = np.int64(-1) if pdc_at(e, m["pdc"])["mode"] > ROD else take_own_message(e)
    if error < 0:
        return
    s = ses_at(e, error)
    s["opcode"], s["match_bits"], s["initiator"] = MSG_ERROR, original["match_bits"], original["initiator"]
    s["job_id"], s["pid_on_fep"], s["resource_index"] = (
        original["job_id"],
        original["pid_on_fep"],
        original["resource_index"],
    )
    s["ri_generation"], s["buffer_offset"], s["header_data"] = original["ri_generation"], np.uint64(0), np.uint64(0)
    kind, overhead = np.int64(m["pds_type"]), np.int64(m["overhead"])
    enqueue(e, np.int64(m["pdc"]), error, kind, REQUEST_STD, overhead, 0, -1, now)
    s["message_id"] = original["message_id"]


@kernel
def _end_own(e: Any, row: int, failed: int, now: int) -> None:
    """End a message of the engine's own; one that carried the rest of a rendezvous message ends that too."""
    m = message_at(e, row)
    serves, answer = np.int64(m["serves"]), m["next_hdr"] == RESPONSE_DATA
    free_message(e, row)
    if answer:
        core_at(e, 0)["reading"] -= 1
        if serves >= 0 and message_at(e, serves)["waits"] == WAITS_READ:
            message_at(e, serves)["failed"] |= failed
            satisfied(e, serves, now)


@kernel
def fail_messages(e: Any, pdc: int, now: int) -> None:
    """Report every message of a PDC that is not complete as failed and take it off the PDC's books."""
    p = pdc_at(e, pdc)
    p["in_flight"], p["tx_lost"], p["tx_cack"] = 0, 0, p["tx_next"]
    while p["message"] >= 0:
        row = np.int64(p["message"])
        p["message"] = message_at(e, row)["next"]
        _fail(e, row, now)
    while p["patient"] >= 0:
        _fail(e, np.int64(p["patient"]), now)
    p["segmenting"], p["last_message"] = -1, -1


@kernel
def _fail(e: Any, row: int, now: int) -> None:
    m = message_at(e, row)
    m["failed"] = 1
    stop_waiting(e, row)
    if not is_own(e, row):
        complete_message(e, row, now)
    elif _fetches(e, row):
        end_fetch(e, row, now)
    else:
        _end_own(e, row, 1, now)
