"""Messages at the receiver: one row per message whose packets are coming in."""

from __future__ import annotations

from typing import Any

import numpy as np

from uet.base.jit import kernel, rare_kernel
from uet.transport.directory import inbox_key, insert, lookup, remove
from uet.transport.messages import complete
from uet.transport.record import NackCode, SesFlag
from uet.transport.state import RECEIVED_DONE, core_at, inbox_at, packet_at, pdc_at, ses_at

WHOLE = int(SesFlag.SOM | SesFlag.EOM)
NO_SES_MSG_AVAIL = int(NackCode.NO_SES_MSG_AVAIL)


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
        p["boxes"] += 1
    p["inbox"] = row
    return row


@kernel
def deliver(e: Any, pdc: int, slot: int, now: int) -> int:
    """Account a new packet's payload to its message; returns 0, or the NACK code of a refusal."""
    packet, p = packet_at(e, slot), pdc_at(e, pdc)
    s = ses_at(e, packet["ses"])
    if packet["detail"] & WHOLE == WHOLE:
        handle = np.int64(s["match_bits"])
        complete(e, RECEIVED_DONE, now, handle, s["request_length"], p["endpoint"], p["peer"], -1)
        return 0
    row = _inbox_of(e, pdc, slot, now)
    if row < 0:
        return NO_SES_MSG_AVAIL
    box = inbox_at(e, row)
    box["bytes"] += packet["payload_bytes"]
    if box["bytes"] >= s["request_length"]:
        handle = np.int64(s["match_bits"])
        complete(e, RECEIVED_DONE, now, handle, box["bytes"], p["endpoint"], p["peer"], row)
        _free_inbox(e, row)
    return 0


@kernel
def _free_inbox(e: Any, row: int) -> None:
    """Give the row of a message that is received, or never will be, back."""
    core, box = core_at(e, 0), inbox_at(e, row)
    p = pdc_at(e, box["pdc"])
    remove(e, inbox_key(np.int64(box["pdc"]), np.int64(box["message_id"])))
    p["inbox"] = -1
    p["boxes"] -= 1
    box["pdc"] = core["free_inbox"]
    core["free_inbox"] = row


@rare_kernel
def drop_inboxes(e: Any, pdc: int) -> None:
    """Give up the messages a PDC is receiving: it is closed."""
    p, n = pdc_at(e, pdc), core_at(e, 0)["used_inbox"]
    for row in range(n):
        box = inbox_at(e, row)
        if p["boxes"] > 0 and box["pdc"] == pdc and lookup(e, inbox_key(pdc, np.int64(box["message_id"]))) == row:
            _free_inbox(e, row)
