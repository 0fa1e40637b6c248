"""Timers that fire: lost packets, the end of a pause, missing answers, states that last too long."""

from __future__ import annotations

from typing import Any

import numpy as np

from uet.base.jit import kernel
from uet.transport.balancing.contract import TIMEOUT as LB_TIMEOUT
from uet.transport.balancing.contract import tell_balancer
from uet.transport.bits import next_member
from uet.transport.clearing import ask_for_clear
from uet.transport.closing import bury, fail_pdc, progress_close
from uet.transport.congestion.contract import TIMEOUT as CC_TIMEOUT
from uet.transport.congestion.contract import tell_controller
from uet.transport.control import request_ack
from uet.transport.credit import ask_if_starving, on_credit_tick
from uet.transport.inbox import drop_inboxes
from uet.transport.inference import on_probe_timer
from uet.transport.lifecycle import Action, Input, State
from uet.transport.losses import go_back, in_flight, is_lost, mark_lost
from uet.transport.pacing import on_pace_timer
from uet.transport.pdc import activate, release, transition
from uet.transport.reasons import Reason, note
from uet.transport.state import (
    BLOCKED_HELD,
    INITIATOR,
    ROD,
    core_at,
    message_at,
    pdc_at,
    sent_at,
    settings_at,
)
from uet.transport.timers import (
    ANSWER,
    CREDIT,
    HOLD,
    PACE,
    PROBE,
    RTO,
    STATE,
    VOID,
    ensure_rto,
    ensure_timer,
    kind_of,
    pop_timer,
    row_of,
)

EXPIRED, FAIL, RELEASE = int(Input.EXPIRED), int(Action.FAIL), int(Action.RELEASE)
PENDING, CLOSING = int(State.TARGET_PENDING), int(State.TARGET_CLOSING)
RETX_TIMEOUT, PDC_TIMEOUT = int(Reason.RETX_TIMEOUT), int(Reason.PDC_TIMEOUT)
PDC_UNANSWERED, PDC_CLOSE_TIMEOUT = int(Reason.PDC_UNANSWERED), int(Reason.PDC_CLOSE_TIMEOUT)
MAX_DOUBLINGS = 20


@kernel
def on_timer(e: Any, now: int) -> int:
    """Serve the earliest timer, which is due, and return the endpoint that may now have more to send."""
    item = pop_timer(e)
    kind, row = kind_of(item), row_of(item)
    if kind == CREDIT:
        on_credit_tick(e, row, now)
        return row
    if kind == RTO:
        _on_rto(e, row, now)
        if settings_at(e, 0)["credit"] != 0:
            ask_if_starving(e, row, now)
    elif kind == PACE:
        on_pace_timer(e, row, now)
    elif kind == PROBE:
        on_probe_timer(e, row, now)
    elif kind != VOID:
        _on_other(e, row, kind, now)
    return np.int64(pdc_at(e, row)["endpoint"])


@kernel
def _deadline(e: Any, row: int) -> int:
    """Return when the packet in a send ring row counts as lost [ps]."""
    sent, settings = sent_at(e, row), settings_at(e, 0)
    doublings = min(np.int64(sent["timeouts"]), MAX_DOUBLINGS) if settings["rto_backoff"] else 0
    return sent["time_ps"] + min(settings["rto_ps"] << doublings, settings["max_rto_ps"])


@kernel
def _earliest(e: Any, pdc: int) -> int:
    """Return the packet in flight whose deadline comes first, -1 if none is in flight."""
    p, window = pdc_at(e, pdc), settings_at(e, 0)["window_packets"]
    words, ring = np.int64(p["tx_words"]), np.int64(p["ring"])
    best = -1
    if ring < 0:
        return best
    n = next_member(e, words, window, p["tx_cack"], p["tx_next"])
    while n < p["tx_next"]:
        row = ring + (n & (window - 1))
        if best < 0 or _deadline(e, row) < _deadline(e, ring + (best & (window - 1))):
            best = n
        n = next_member(e, words, window, n + 1, p["tx_next"])
    return best


@kernel
def _on_rto(e: Any, pdc: int, now: int) -> None:
    """Give up the packet whose answer is overdue, or look again later."""
    p, settings = pdc_at(e, pdc), settings_at(e, 0)
    number = _earliest(e, pdc)
    if number < 0:
        return
    row = p["ring"] + (number & (settings["window_packets"] - 1))
    if _deadline(e, row) > now:
        ensure_rto(e, pdc, _deadline(e, row))
        return
    sent = sent_at(e, row)
    core_at(e, 0)["timeouts"] += 1
    sent["timeouts"] = min(sent["timeouts"] + 1, 255)
    if settings["max_retries"] >= 0 and sent["timeouts"] > settings["max_retries"]:
        fail_pdc(e, pdc, PDC_TIMEOUT, (p["tx_start"] + number) & 0xFFFFFFFF, now)
        return
    size = mark_lost(e, pdc, number, RETX_TIMEOUT, now)
    if p["mode"] == ROD:
        size += go_back(e, pdc, number, RETX_TIMEOUT, now)
    else:
        tell_balancer(e, pdc, LB_TIMEOUT, np.int64(sent["entropy"]), now)
    if p["mode"] <= ROD:
        tell_controller(e, pdc, CC_TIMEOUT, now, 0, size, -1, 0, 0)
    following = _earliest(e, pdc)
    if following >= 0:
        ring_row = p["ring"] + (following & (settings["window_packets"] - 1))
        ensure_rto(e, pdc, max(now, _deadline(e, ring_row)))
    activate(e, pdc)


@kernel
def _on_other(e: Any, pdc: int, kind: int, now: int) -> None:
    """Serve a timer of a seldom kind."""
    p = pdc_at(e, pdc)
    if kind == HOLD and p["blocked"] & BLOCKED_HELD:
        if p["hold_ps"] > now:
            ensure_timer(e, pdc, HOLD, p["hold_ps"])
            return
        p["blocked"] = np.int64(p["blocked"]) & ~BLOCKED_HELD
        activate(e, pdc)
    elif kind == ANSWER:
        _on_missing_answer(e, pdc, now)
    elif kind == STATE:
        _on_old_state(e, pdc, now)


@kernel
def _unanswered(e: Any, pdc: int) -> int:
    """Return the first packet that was received but not answered, -1 if there is none."""
    p = pdc_at(e, pdc)
    if p["ring"] < 0:
        return -1
    number = p["tx_cack"]
    if p["awaiting"] >= 0:
        m = message_at(e, p["awaiting"])
        number = max(number, m["first"] + m["packets"] - 1)
    elif number >= p["tx_next"]:
        return -1
    if number >= p["tx_next"] or in_flight(e, pdc, number) or is_lost(e, pdc, number):
        return -1
    return number


@kernel
def _on_missing_answer(e: Any, pdc: int, now: int) -> None:
    """Ask for an answer that did not come, at the target for the clear of the responses kept; give up in the end."""
    p, settings = pdc_at(e, pdc), settings_at(e, 0)
    initiator = p["role"] == INITIATOR
    number = _unanswered(e, pdc)
    if number < 0 and p["awaiting"] < 0 and (initiator or p["saved"] < 0):
        return
    if number >= 0 or p["saved"] >= 0:
        p["answer_tries"] = min(p["answer_tries"] + 1, 255)
        exhausted = settings["max_retries"] >= 0 and p["answer_tries"] > settings["max_retries"]
        if exhausted and number >= 0:
            fail_pdc(e, pdc, PDC_UNANSWERED, (p["tx_start"] + number) & 0xFFFFFFFF, now)
        if exhausted:
            return
        if number >= 0:
            request_ack(e, pdc, number, now)
        else:
            ask_for_clear(e, pdc, now)
    ensure_timer(e, pdc, ANSWER, now + (settings["rto_ps"] << min(np.int64(p["answer_tries"]), MAX_DOUBLINGS)))


@kernel
def _on_old_state(e: Any, pdc: int, now: int) -> None:
    """End a state that may last only so long: pending, asking for the close, error."""
    p, settings = pdc_at(e, pdc), settings_at(e, 0)
    limit = settings["quiet_ps"]
    if p["closing"] != 0 and p["role"] == INITIATOR:
        progress_close(e, pdc, now)
        return
    if p["state"] == PENDING:
        limit = settings["new_pdc_ps"]
    elif p["state"] == CLOSING:
        limit = settings["close_request_ps"]
    if p["since_ps"] + limit > now:
        ensure_timer(e, pdc, STATE, p["since_ps"] + limit)
        return
    action = transition(e, pdc, EXPIRED, now)
    if action == FAIL:
        note(e, PDC_CLOSE_TIMEOUT, now, np.int64(p["endpoint"]), pdc, -1)
        bury(e, pdc, now)
    elif action == RELEASE:
        drop_inboxes(e, pdc, now)
        release(e, pdc)
