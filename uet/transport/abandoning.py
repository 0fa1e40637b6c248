"""Giving up a message that is being sent, at both ends.

The sender stops where it is. Once all that it did send is acknowledged, so that nothing of the message is under
way any more, a MSG_ERROR (`messages`) tells the target, which gives up what it has of it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from uet.base.jit import kernel
from uet.transport.closing import progress_close
from uet.transport.completions import complete_message, complete_with
from uet.transport.credit import note_dropped
from uet.transport.directory import inbox_key, lookup
from uet.transport.inbox import NEW_BOX, give_up_box
from uet.transport.pools import free_ring
from uet.transport.state import (
    ABANDONED,
    BOX_RECEIVING,
    RECEIVED_FAILED,
    inbox_at,
    message_at,
    packet_at,
    pdc_at,
    ses_at,
    settings_at,
)
from uet.transport.waiting import stop_waiting
from uet.transport.wire.codes import ReturnCode

CANCELLED, INITIATOR_ERR = int(ReturnCode.CANCELLED), int(ReturnCode.INITIATOR_ERR)


@kernel
def abandon(e: Any, row: int, now: int) -> bool:
    """Give up a message of the application; False if it is too late, as all its packets were sent.

    It fails as CANCELLED: at once if nothing of it was sent, else when what was sent is acknowledged.
    """
    m = message_at(e, row)
    p = pdc_at(e, m["pdc"])
    at = np.int64(p["segmenting"])
    while at >= 0 and at != row:
        at = np.int64(message_at(e, at)["next"])
    if at < 0:
        return False
    stop_waiting(e, row)
    m["failed"], m["return_code"] = ABANDONED, CANCELLED
    sent = max(p["tx_next"] - m["first"], 0)
    _drop_packets(e, row, sent)
    if p["segmenting"] == row:
        p["segmenting"] = m["next"]
    if sent == 0:
        _unlink(e, row)
        complete_message(e, row, now)
        if p["closing"] != 0:
            progress_close(e, np.int64(m["pdc"]), now)
    return True


@kernel
def _drop_packets(e: Any, row: int, sent: int) -> None:
    """Take all packets of a message but the first `sent` off the books, and renumber the messages behind it."""
    m = message_at(e, row)
    p, dropped = pdc_at(e, m["pdc"]), m["packets"] - sent
    if settings_at(e, 0)["credit"] != 0:
        left = m["bytes"] - sent * settings_at(e, 0)["payload_bytes"]
        note_dropped(e, np.int64(m["pdc"]), left, dropped)
    m["packets"] = sent
    p["tx_end"] -= dropped
    at = np.int64(m["next"])
    while at >= 0:
        message_at(e, at)["first"] -= dropped
        at = np.int64(message_at(e, at)["next"])


@kernel
def _unlink(e: Any, row: int) -> None:
    """Take a message without packets out of its PDC's list."""
    m = message_at(e, row)
    p, before = pdc_at(e, m["pdc"]), np.int64(-1)
    at = np.int64(p["message"])
    while at != row:
        before, at = at, np.int64(message_at(e, at)["next"])
    if before >= 0:
        message_at(e, before)["next"] = m["next"]
    else:
        p["message"] = m["next"]
    if p["last_message"] == row:
        p["last_message"] = before
    if p["message"] < 0:
        free_ring(e, np.int64(m["pdc"]))


@kernel
def on_message_error(e: Any, pdc: int, slot: int, now: int) -> None:
    """Give up a message whose sender did; one that is not coming in is left alone."""
    packet = packet_at(e, slot)
    s = ses_at(e, packet["ses"])
    row = lookup(e, inbox_key(pdc, np.int64(s["message_id"])))
    if row < 0:
        return
    b = inbox_at(e, row)
    if b["room"] == NEW_BOX and b["state"] == BOX_RECEIVING:  # delivered by tag, so no receive knows of it
        handle, dst, src = np.int64(s["match_bits"]), np.int64(packet["dst"]), np.int64(packet["src"])
        complete_with(e, RECEIVED_FAILED, now, handle, b["bytes"], dst, src, row, INITIATOR_ERR, 0)
    give_up_box(e, row, INITIATOR_ERR, now)
