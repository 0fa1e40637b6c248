"""Messages: posting them at the sender, assembling them at the receiver, completions for both."""

from __future__ import annotations

from typing import Any

import numpy as np

from uet.base.jit import kernel
from uet.transport.credit import note_posted
from uet.transport.directory import inbox_key, insert, lookup, remove
from uet.transport.pdc import activate, open_initiator
from uet.transport.record import SesFlag, SesOpcode
from uet.transport.state import (
    FAILED,
    RECEIVED_DONE,
    SENT_DONE,
    SENT_FAILED,
    completion_at,
    core_at,
    inbox_at,
    message_at,
    packet_at,
    pdc_at,
    ses_at,
    settings_at,
)

TAGGED_SEND = int(SesOpcode.TAGGED_SEND)
WHOLE = int(SesFlag.SOM | SesFlag.EOM)
MAX_MESSAGE_BYTES = 2**32 - 1

NO_PDC, NO_MESSAGE, TOO_LONG, PEER_FAILED = -1, -2, -3, -4
"""Reasons why `post` refuses a message."""


@kernel
def complete(e: Any, kind: int, time: int, handle: int, n_bytes: int, endpoint: int, peer: int, row: int) -> None:
    """Append a completion; the carrier takes completions out after every verb."""
    core = core_at(e, 0)
    c = completion_at(e, core["completions_in"] & (e["n_completion"] - 1))
    core["completions_in"] += 1
    c["kind"], c["time_ps"], c["handle"], c["bytes"] = kind, time, handle, n_bytes
    c["endpoint"], c["peer"], c["message"] = endpoint, peer, row


@kernel
def next_completion(e: Any) -> int:
    """Take the oldest completion and return its row, -1 if there is none."""
    core = core_at(e, 0)
    if core["completions_out"] == core["completions_in"]:
        return -1
    core["completions_out"] += 1
    return (core["completions_out"] - 1) & (e["n_completion"] - 1)


@kernel
def post(e: Any, endpoint: int, peer: int, n_bytes: int, match_bits: int, handle: int, now: int) -> int:
    """Post a tagged send of `n_bytes` and return its message row, or a negative reason."""
    core = core_at(e, 0)
    row = core["n_messages"]
    if row >= e["n_message"]:
        return NO_MESSAGE
    if n_bytes > MAX_MESSAGE_BYTES:
        return TOO_LONG
    pdc = open_initiator(e, endpoint, peer, now)
    if pdc < 0:
        return NO_PDC
    p, m, s, full = pdc_at(e, pdc), message_at(e, row), ses_at(e, row), settings_at(e, 0)["payload_bytes"]
    if p["state"] == FAILED:
        return PEER_FAILED
    core["n_messages"] = row + 1
    m["handle"], m["bytes"], m["posted_ps"], m["done_ps"] = handle, n_bytes, now, -1
    m["first"], m["packets"] = p["tx_end"], max((n_bytes + full - 1) // full, 1)
    m["pdc"], m["next"] = pdc, -1
    s["opcode"], s["match_bits"] = TAGGED_SEND, np.uint64(match_bits)
    s["request_length"], s["message_id"] = n_bytes, p["next_message_id"] & 0xFFFF
    s["initiator"] = endpoint
    p["next_message_id"] += 1
    p["tx_end"] += m["packets"]
    if p["last_message"] >= 0:
        message_at(e, p["last_message"])["next"] = row
    p["last_message"] = row
    if p["message"] < 0:
        p["message"] = row
    if p["segmenting"] < 0:
        p["segmenting"] = row
    if settings_at(e, 0)["credit"] != 0:
        note_posted(e, row, now)
    activate(e, pdc)
    return row


@kernel
def finish_acknowledged(e: Any, pdc: int, now: int) -> None:
    """Complete the messages whose last packet is now cumulatively acknowledged."""
    p = pdc_at(e, pdc)
    while p["message"] >= 0:
        row = np.int64(p["message"])
        m = message_at(e, row)
        if p["tx_cack"] < m["first"] + m["packets"]:
            return
        m["done_ps"] = now
        complete(e, SENT_DONE, now, m["handle"], m["bytes"], p["endpoint"], p["peer"], row)
        p["message"] = m["next"]
        if p["message"] < 0:
            p["last_message"] = -1


@kernel
def fail_pdc(e: Any, pdc: int, now: int) -> None:
    """Give up a PDC: every message that is not complete fails."""
    p = pdc_at(e, pdc)
    p["state"], p["in_flight"], p["tx_lost"] = FAILED, 0, 0
    p["tx_cack"] = p["tx_next"]
    while p["message"] >= 0:
        row = np.int64(p["message"])
        m = message_at(e, row)
        m["failed"] = 1
        complete(e, SENT_FAILED, now, m["handle"], m["bytes"], p["endpoint"], p["peer"], row)
        p["message"] = m["next"]
    p["segmenting"], p["last_message"] = -1, -1


@kernel
def _take_inbox(e: Any) -> int:
    core = core_at(e, 0)
    row = core["free_inbox"]
    if row >= 0:
        core["free_inbox"] = inbox_at(e, row)["pdc"]
        return row
    if core["used_inbox"] >= e["n_inbox"]:
        return -1
    core["used_inbox"] += 1
    return core["used_inbox"] - 1


@kernel
def _inbox_of(e: Any, pdc: int, slot: int, now: int) -> int:
    """Return the inbox row of the message a packet belongs to, opening it if needed; -1 if none is left."""
    p, packet = pdc_at(e, pdc), packet_at(e, slot)
    message_id = np.int64(ses_at(e, packet["ses"])["message_id"])
    row = np.int64(p["inbox"])
    if row >= 0 and inbox_at(e, row)["pdc"] == pdc and inbox_at(e, row)["message_id"] == message_id:
        return row
    row = lookup(e, inbox_key(pdc, message_id))
    if row < 0:
        row = _take_inbox(e)
        if row < 0:
            return -1
        box = inbox_at(e, row)
        box["bytes"], box["first_ps"], box["pdc"] = 0, now, pdc
        box["message_id"], box["ses"] = message_id, packet["ses"]
        insert(e, inbox_key(pdc, message_id), row)
    p["inbox"] = row
    return row


@kernel
def deliver(e: Any, pdc: int, slot: int, now: int) -> bool:
    """Account a new packet's payload to its message; False if the receiver has no room for the message."""
    packet, p = packet_at(e, slot), pdc_at(e, pdc)
    s = ses_at(e, packet["ses"])
    if packet["detail"] & WHOLE == WHOLE:
        handle = np.int64(s["match_bits"])
        complete(e, RECEIVED_DONE, now, handle, s["request_length"], p["endpoint"], p["peer"], -1)
        return True
    row = _inbox_of(e, pdc, slot, now)
    if row < 0:
        return False
    box = inbox_at(e, row)
    box["bytes"] += packet["payload_bytes"]
    if box["bytes"] >= s["request_length"]:
        handle = np.int64(s["match_bits"])
        complete(e, RECEIVED_DONE, now, handle, box["bytes"], p["endpoint"], p["peer"], row)
        remove(e, inbox_key(pdc, np.int64(box["message_id"])))
        core = core_at(e, 0)
        box["pdc"], p["inbox"] = core["free_inbox"], -1
        core["free_inbox"] = row
    return True
