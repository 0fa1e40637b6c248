"""Messages that wait for more than ACKs: two lists per PDC, and how such messages end.

Those in `awaiting` need a response of their own and keep the left edge from passing them, so that their
request can be repeated; those in `patient` wait for data, a read or a restart, which come as requests.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from uet.base.jit import kernel
from uet.transport.completions import complete_message
from uet.transport.inbox import end_fetch
from uet.transport.pools import is_own
from uet.transport.state import WAITS_ANSWER, WAITS_NOTHING, WAITS_READ, endpoint_at, message_at, pdc_at, ses_at


@kernel
def wait_for(e: Any, pdc: int, row: int, what: int) -> None:
    """Append a message to the list of those that wait alike."""
    p, m = pdc_at(e, pdc), message_at(e, row)
    m["waits"], m["next_waiting"] = what, -1
    last = np.int64(p["awaiting"] if what == WAITS_ANSWER else p["patient"])
    if last < 0:
        if what == WAITS_ANSWER:
            p["awaiting"] = row
        else:
            p["patient"] = row
        return
    while message_at(e, last)["next_waiting"] >= 0:
        last = np.int64(message_at(e, last)["next_waiting"])
    message_at(e, last)["next_waiting"] = row


@kernel
def stop_waiting(e: Any, row: int) -> None:
    """Take a message out of the list it waits in."""
    m = message_at(e, row)
    if m["waits"] == WAITS_NOTHING:
        return
    p, answer = pdc_at(e, m["pdc"]), m["waits"] == WAITS_ANSWER
    before, at = np.int64(-1), np.int64(p["awaiting"] if answer else p["patient"])
    while at != row:
        before, at = at, np.int64(message_at(e, at)["next_waiting"])
    if before >= 0:
        message_at(e, before)["next_waiting"] = m["next_waiting"]
    elif answer:
        p["awaiting"] = m["next_waiting"]
    else:
        p["patient"] = m["next_waiting"]
    if m["waits"] == WAITS_READ:
        _forget_rendezvous(e, row)
    m["waits"] = WAITS_NOTHING


@kernel
def _forget_rendezvous(e: Any, row: int) -> None:
    """Take a message out of its endpoint's list of rendezvous messages to be read."""
    m = message_at(e, row)
    ep = endpoint_at(e, pdc_at(e, m["pdc"])["endpoint"])
    before, at = np.int64(-1), np.int64(ep["rendezvous"])
    while at >= 0 and at != row:
        before, at = at, np.int64(message_at(e, at)["serves"])
    if at < 0:
        return
    if before < 0:
        ep["rendezvous"] = m["serves"]
    else:
        message_at(e, before)["serves"] = m["serves"]


@kernel
def satisfied(e: Any, row: int, now: int) -> None:
    """End the wait of a message; it is complete if its packets are acknowledged too."""
    m = message_at(e, row)
    stop_waiting(e, row)
    if m["acked"] == 0:
        return
    if is_own(e, row):
        end_fetch(e, row, now)
    else:
        complete_message(e, row, now)


@kernel
def waiting_message(e: Any, pdc: int, number: int) -> int:
    """Return the message of a PDC that packet `number` belongs to and that is not complete, -1 if there is none."""
    p = pdc_at(e, pdc)
    for k in range(3):
        row = np.int64(p["message"] if k == 0 else p["awaiting"] if k == 1 else p["patient"])
        while row >= 0:
            m = message_at(e, row)
            if m["first"] <= number < m["first"] + m["packets"]:
                return row
            row = np.int64(m["next"] if k == 0 else m["next_waiting"])
    return -1


@kernel
def reading_message(e: Any, pdc: int, message_id: int) -> int:
    """Return the message of a PDC that waits for data and has this identifier, -1 if there is none."""
    p = pdc_at(e, pdc)
    for k in range(2):
        row = np.int64(p["awaiting"] if k == 0 else p["patient"])
        while row >= 0:
            if ses_at(e, row)["message_id"] == message_id:
                return row
            row = np.int64(message_at(e, row)["next_waiting"])
    return -1
