"""Messages at the receiver: one row per message whose packets are coming in."""

from __future__ import annotations

from typing import Any

import numpy as np

from uet.base.jit import kernel
from uet.transport.completions import complete, complete_with
from uet.transport.directory import inbox_key, insert, lookup, remove
from uet.transport.pools import free_message
from uet.transport.record import NackCode, SesFlag
from uet.transport.state import (
    BOX_RECEIVING,
    RECEIVED_DONE,
    RECEIVED_FAILED,
    core_at,
    endpoint_at,
    inbox_at,
    message_at,
    packet_at,
    pdc_at,
    ses_at,
)
from uet.transport.wire.codes import ReturnCode

WHOLE = int(SesFlag.SOM | SesFlag.EOM)
NO_SES_MSG_AVAIL = int(NackCode.NO_SES_MSG_AVAIL)
TOO_LONG, OK = int(ReturnCode.TOO_LONG), int(ReturnCode.OK)
NEW_BOX, NO_RECEIVE = -2, -1
"""Room of a box that was not looked at yet, and of one without a receive."""


@kernel
def take_inbox(e: Any) -> int:
    """Return a free inbox row, -1 if none is left."""
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
def inbox_of(e: Any, pdc: int, slot: int, now: int) -> int:
    """Return the inbox row of the message a packet belongs to, opening it if needed; -1 if none is left."""
    p, packet = pdc_at(e, pdc), packet_at(e, slot)
    s = ses_at(e, packet["ses"])
    message_id = np.int64(s["message_id"])
    row = np.int64(p["inbox"])
    if row >= 0 and inbox_at(e, row)["pdc"] == pdc and inbox_at(e, row)["message_id"] == message_id:
        return row
    row = lookup(e, inbox_key(pdc, message_id))
    if row < 0:
        row = take_inbox(e)
        if row < 0:
            return -1
        box = inbox_at(e, row)
        box["bytes"], box["first_ps"], box["pdc"], box["message_id"] = 0, now, pdc, message_id
        box["room"], box["state"] = NEW_BOX, BOX_RECEIVING
        insert(e, inbox_key(pdc, message_id), row)
        p["boxes"] += 1
    p["inbox"] = row
    return row


@kernel
def deliver_by_tag(e: Any, pdc: int, slot: int, now: int) -> int:
    """Account a new packet's payload to the message that its match bits name; returns 0, or a NACK code."""
    packet, p = packet_at(e, slot), pdc_at(e, pdc)
    s = ses_at(e, packet["ses"])
    if packet["detail"] & WHOLE == WHOLE:
        handle = np.int64(s["match_bits"])
        complete(e, RECEIVED_DONE, now, handle, s["request_length"], p["endpoint"], p["peer"], -1)
        return 0
    row = inbox_of(e, pdc, slot, now)
    if row < 0:
        return NO_SES_MSG_AVAIL
    box = inbox_at(e, row)
    box["bytes"] += packet["payload_bytes"]
    if box["bytes"] >= s["request_length"]:
        handle = np.int64(s["match_bits"])
        complete(e, RECEIVED_DONE, now, handle, box["bytes"], p["endpoint"], p["peer"], row)
        close_box(e, row)
        free_inbox(e, row)
    return 0


@kernel
def close_box(e: Any, row: int) -> None:
    """No longer look for packets of a message: all are here, or will never be."""
    box = inbox_at(e, row)
    p = pdc_at(e, box["pdc"])
    remove(e, inbox_key(np.int64(box["pdc"]), np.int64(box["message_id"])))
    p["inbox"] = -1
    p["boxes"] -= 1


@kernel
def free_inbox(e: Any, row: int) -> None:
    """Give the row of a message that its receiver has, or never will have, back."""
    core, box = core_at(e, 0), inbox_at(e, row)
    box["pdc"] = core["free_inbox"]
    core["free_inbox"] = row


@kernel
def end_box(e: Any, row: int, kind: int, code: int, now: int) -> None:
    """Report the message of a box that is closed, and give the row back."""
    box = inbox_at(e, row)
    n_bytes = min(box["total"], box["room"]) if box["room"] >= 0 else box["total"]
    endpoint, peer, data = np.int64(box["endpoint"]), np.int64(box["peer"]), np.int64(box["header_data"])
    complete_with(e, kind, now, box["handle"], n_bytes, endpoint, peer, row, code, data)
    free_inbox(e, row)


@kernel
def end_fetch(e: Any, message: int, now: int) -> None:
    """End the read that fetched the rest of a rendezvous message, and that message with it."""
    m = message_at(e, message)
    box, failed, code = np.int64(m["serves"]), m["failed"], np.int64(m["return_code"])
    free_message(e, message)
    if not failed:
        code = np.int64(TOO_LONG if inbox_at(e, box)["total"] > inbox_at(e, box)["room"] else OK)
    end_box(e, box, RECEIVED_FAILED if failed else RECEIVED_DONE, code, now)


@kernel
def drop_inboxes(e: Any, pdc: int, now: int) -> None:
    """Give up the messages a PDC is receiving: it is closed."""
    p, n = pdc_at(e, pdc), core_at(e, 0)["used_inbox"]
    for row in range(n):
        box = inbox_at(e, row)
        if p["boxes"] > 0 and box["pdc"] == pdc and lookup(e, inbox_key(pdc, np.int64(box["message_id"]))) == row:
            give_up_box(e, row, 0, now)


@kernel
def give_up_box(e: Any, row: int, code: int, now: int) -> None:
    """Give up a message that is coming in; its receive, if it has one, fails with a return code."""
    close_box(e, row)
    if inbox_at(e, row)["room"] >= 0:
        end_box(e, row, RECEIVED_FAILED, code, now)
    else:
        _unlink(e, row)
        free_inbox(e, row)


@kernel
def _unlink(e: Any, row: int) -> None:
    """Take a box out of its endpoint's list of unexpected messages, if it is in it."""
    box = inbox_at(e, row)
    ep = endpoint_at(e, box["endpoint"])
    before, at = np.int64(-1), np.int64(ep["unexpected"])
    while at >= 0 and at != row:
        before, at = at, np.int64(inbox_at(e, at)["next"])
    if at < 0:
        return
    if before < 0:
        ep["unexpected"] = box["next"]
    else:
        inbox_at(e, before)["next"] = box["next"]
