"""What the initiator does with responses: data of short reads and atomics, errors, delivery complete, deferral."""

from __future__ import annotations

from typing import Any

import numpy as np

from uet.base.jit import kernel
from uet.transport.state import (
    NOTHING,
    STORE,
    WAITS_ANSWER,
    WAITS_NOTHING,
    WAITS_RESTART,
    message_at,
    move_at,
    packet_at,
    ses_at,
)
from uet.transport.waiting import satisfied, stop_waiting, wait_for, waiting_message
from uet.transport.wire.codes import ReturnCode

OK, NULL = int(ReturnCode.OK), int(ReturnCode.NULL)
OVERFLOW = 1


@kernel
def on_response(e: Any, pdc: int, slot: int, number: int, now: int) -> int:
    """Take the response to packet `number`; returns what the carrier is to do with its payload.

    A response that comes again finds its message answered and does nothing.
    """
    row = waiting_message(e, pdc, number)
    if row < 0:
        return NOTHING
    m, s, packet = message_at(e, row), ses_at(e, packet_at(e, slot)["ses"]), packet_at(e, slot)
    if s["return_code"] != OK and s["return_code"] != NULL:
        m["failed"], m["return_code"] = 1, s["return_code"]
        if m["waits"] != WAITS_NOTHING:
            satisfied(e, row, now)
        return NOTHING
    if s["list"] == OVERFLOW and m["waits"] in (WAITS_NOTHING, WAITS_ANSWER):  # deferred
        stop_waiting(e, row)
        wait_for(e, pdc, row, WAITS_RESTART)
        return NOTHING
    if m["waits"] != WAITS_ANSWER:
        return NOTHING
    n_bytes, move = min(np.int64(packet["payload_bytes"]), np.int64(ses_at(e, row)["request_length"])), move_at(e, 0)
    move["handle"], move["offset"], move["bytes"], move["row"] = m["handle"], m["source_offset"], n_bytes, -1
    m["got"] += n_bytes
    stop_waiting(e, row)
    return STORE if n_bytes > 0 else NOTHING
