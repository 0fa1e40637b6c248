"""Closing PDCs, from either side and in error: the steps of `lifecycle.TRANSITIONS` after the opening."""

from __future__ import annotations

from typing import Any

import numpy as np

from uet.base.jit import kernel
from uet.transport.completions import complete
from uet.transport.inbox import drop_inboxes
from uet.transport.lifecycle import Action, Input, State
from uet.transport.messages import fail_messages, post_command
from uet.transport.pdc import ALL, REFUSED, activate, forget_own, hide, release, transition
from uet.transport.pools import free_bitmap, free_ring, free_saved
from uet.transport.reasons import note
from uet.transport.state import (
    BLOCKED_CLOSED,
    INITIATOR,
    PDC_CLOSED,
    ROD,
    pdc_at,
    settings_at,
)
from uet.transport.timers import STATE, ensure_timer
from uet.transport.wire.codes import ControlType

ASK_CLOSE, SENT, DRAINED = int(Input.ASK_CLOSE), int(Input.SENT), int(Input.DRAINED)
CLOSE_DONE, CLOSE_COMMAND, FATAL = int(Input.CLOSE_DONE), int(Input.CLOSE_COMMAND), int(Input.FATAL)
RELEASE, SEND_CLOSE = int(Action.RELEASE), int(Action.SEND_CLOSE)
CTL_CLOSE, CTL_CLOSE_REQUEST = int(ControlType.CLOSE_COMMAND), int(ControlType.CLOSE_REQUEST)
CLOSE_WAIT = int(State.CLOSE_WAIT)


@kernel
def close_pdc(e: Any, pdc: int, now: int) -> bool:
    """Begin to close a PDC; False if its state does not allow that.

    The initiator takes no more messages for it, sends what it has and then the Close Command. The target
    asks the initiator to do so, in a Close Request and in every ACK.
    """
    p = pdc_at(e, pdc)
    if p["role"] == INITIATOR:
        if not hide(e, pdc, now):
            return False
        progress_close(e, pdc, now)
        return True
    if transition(e, pdc, ASK_CLOSE, now) == REFUSED:
        return False
    p["closing"] = 1
    post_command(e, pdc, CTL_CLOSE_REQUEST, now)
    activate(e, pdc)
    ensure_timer(e, pdc, STATE, now + settings_at(e, 0)["close_request_ps"])
    return True


@kernel
def progress_close(e: Any, pdc: int, now: int) -> None:
    """Go on with the close of an initiator's PDC as far as it has got."""
    p = pdc_at(e, pdc)
    if p["tx_next"] == p["tx_end"]:
        transition(e, pdc, SENT, now)
    if p["message"] >= 0 or p["awaiting"] >= 0 or p["patient"] >= 0:
        return
    if p["mode"] > ROD or p["tx_next"] == 0:  # the peer knows nothing of it
        transition(e, pdc, DRAINED, now)
        end_initiator(e, pdc, now)
    elif transition(e, pdc, DRAINED, now) == SEND_CLOSE:
        post_command(e, pdc, CTL_CLOSE, now)
        activate(e, pdc)
    elif p["state"] == CLOSE_WAIT:
        end_initiator(e, pdc, now)


@kernel
def end_initiator(e: Any, pdc: int, now: int) -> bool:
    """End a PDC whose Close Command was acknowledged, or that its target no longer knows; False if it is not due."""
    if transition(e, pdc, CLOSE_DONE, now) != RELEASE:
        return False
    p = pdc_at(e, pdc)
    fail_messages(e, pdc, now)
    drop_inboxes(e, pdc, now)
    complete(e, PDC_CLOSED, now, pdc, 0, np.int64(p["endpoint"]), np.int64(p["peer"]), -1)
    release(e, pdc)
    return True


@kernel
def end_target(e: Any, pdc: int, now: int) -> None:
    """End a PDC whose initiator sent the Close Command; everything it kept counts as cleared."""
    if transition(e, pdc, CLOSE_COMMAND, now) == RELEASE:
        fail_messages(e, pdc, now)
        drop_inboxes(e, pdc, now)
        release(e, pdc)


@kernel
def fail_pdc(e: Any, pdc: int, reason: int, psn: int, now: int) -> None:
    """Give up a PDC: its messages fail, and its row is used again after a while."""
    p = pdc_at(e, pdc)
    if transition(e, pdc, FATAL, now) == REFUSED:
        return
    note(e, reason, now, np.int64(p["endpoint"]), pdc, psn)
    bury(e, pdc, now)


@kernel
def bury(e: Any, pdc: int, now: int) -> None:
    """Do what entering ERROR asks for: report the messages, let go of everything but the row."""
    p = pdc_at(e, pdc)
    p["blocked"] |= BLOCKED_CLOSED
    if p["role"] == INITIATOR:
        forget_own(e, pdc)
    fail_messages(e, pdc, now)
    drop_inboxes(e, pdc, now)
    free_ring(e, pdc)
    free_bitmap(e, pdc)
    free_saved(e, pdc, ALL)
    ensure_timer(e, pdc, STATE, now + settings_at(e, 0)["quiet_ps"])
