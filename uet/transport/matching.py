"""Matching: receives that were posted, in order, and messages that came before their receive, in order.

A tagged message fits a receive if all bits of the tag that the receive does not ignore agree; the first that
fits is taken, on both sides. What an unexpected message holds is kept by the carrier, one buffer per inbox row.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from uet.base.jit import kernel
from uet.transport.features import WILDCARDS
from uet.transport.fetching import fetch_rest, send_restart
from uet.transport.inbox import NO_RECEIVE, OK, TOO_LONG, end_box
from uet.transport.state import (
    BOX_DEFERRED,
    BOX_WHOLE,
    RECEIVED_DONE,
    core_at,
    endpoint_at,
    inbox_at,
    move_at,
    receive_at,
    settings_at,
)

POSTED, NO_ROW, NO_WILDCARDS = -1, -2, -3
"""What `post_receive` returns when no unexpected message fits: posted; no row left; the profile has no wildcards."""


@kernel
def _fits(want: np.uint64, ignore: np.uint64, have: np.uint64) -> bool:
    return (want ^ have) & ~ignore == np.uint64(0)


@kernel
def take_receive(e: Any, box: int) -> bool:
    """Give a message the first receive posted that fits it; False if none does."""
    b, core = inbox_at(e, box), core_at(e, 0)
    ep = endpoint_at(e, b["endpoint"])
    before, at = np.int64(-1), np.int64(ep["receives"])
    while at >= 0:
        r = receive_at(e, at)
        fits = r["tagged"] == b["tagged"] and _fits(r["match_bits"], r["ignore"], b["match_bits"])
        if fits and (r["peer"] < 0 or r["peer"] == b["peer"]):
            break
        before, at = at, np.int64(r["next"])
    if at < 0:
        b["room"] = NO_RECEIVE
        return False
    r = receive_at(e, at)
    if before < 0:
        ep["receives"] = r["next"]
    else:
        receive_at(e, before)["next"] = r["next"]
    b["handle"], b["room"] = r["handle"], r["bytes"]
    r["next"] = core["free_receive"]
    core["free_receive"] = at
    return True


@kernel
def push_unexpected(e: Any, box: int) -> None:
    """Append a message without a receive to its endpoint's list."""
    b = inbox_at(e, box)
    ep = endpoint_at(e, b["endpoint"])
    b["next"] = -1
    last = np.int64(ep["unexpected"])
    if last < 0:
        ep["unexpected"] = box
        return
    while inbox_at(e, last)["next"] >= 0:
        last = np.int64(inbox_at(e, last)["next"])
    inbox_at(e, last)["next"] = box


@kernel
def post_receive(
    e: Any,
    endpoint: int,
    match_bits: np.uint64,
    ignore: np.uint64,
    tagged: int,
    peer: int,
    n_bytes: int,
    handle: int,
    now: int,
) -> int:
    """Post a receive; messages to this endpoint are matched from now on.

    Returns the inbox row of the unexpected message that it takes, whose `move.bytes` bytes the carrier then
    copies from its buffer to that of `handle`; else POSTED, NO_ROW or NO_WILDCARDS.
    """
    core, move = core_at(e, 0), move_at(e, 0)
    move["bytes"] = 0
    if ignore != np.uint64(0) and not WILDCARDS[settings_at(e, 0)["ses_profile"]]:
        return NO_WILDCARDS
    listen(e, endpoint)
    box = _take_unexpected(e, endpoint, match_bits, ignore, tagged, peer)
    if box >= 0:
        _serve_unexpected(e, box, n_bytes, handle, now)
        return box
    row = core["free_receive"]
    if row >= 0:
        core["free_receive"] = receive_at(e, row)["next"]
    elif core["used_receives"] < e["n_receive"]:
        row = core["used_receives"]
        core["used_receives"] += 1
    else:
        return NO_ROW
    r = receive_at(e, row)
    r["match_bits"], r["ignore"], r["tagged"], r["peer"] = match_bits, ignore, tagged, peer
    r["bytes"], r["handle"], r["next"] = n_bytes, handle, -1
    _append_receive(e, endpoint, row)
    return POSTED


@kernel
def listen(e: Any, endpoint: int) -> None:
    """Have messages to an endpoint matched with receives."""
    ep = endpoint_at(e, endpoint)
    if ep["matching"] == 0:
        ep["matching"] = 1
        core_at(e, 0)["matchers"] += 1


@kernel
def _append_receive(e: Any, endpoint: int, row: int) -> None:
    ep = endpoint_at(e, endpoint)
    last = np.int64(ep["receives"])
    if last < 0:
        ep["receives"] = row
        return
    while receive_at(e, last)["next"] >= 0:
        last = np.int64(receive_at(e, last)["next"])
    receive_at(e, last)["next"] = row


@kernel
def _take_unexpected(e: Any, endpoint: int, bits: np.uint64, ignore: np.uint64, tagged: int, peer: int) -> int:
    """Take the first unexpected message that fits off the endpoint's list; -1 if none does."""
    ep = endpoint_at(e, endpoint)
    before, at = np.int64(-1), np.int64(ep["unexpected"])
    while at >= 0:
        b = inbox_at(e, at)
        if b["tagged"] == tagged and _fits(bits, ignore, b["match_bits"]) and (peer < 0 or peer == b["peer"]):
            break
        before, at = at, np.int64(b["next"])
    if at < 0:
        return -1
    if before < 0:
        ep["unexpected"] = inbox_at(e, at)["next"]
    else:
        inbox_at(e, before)["next"] = inbox_at(e, at)["next"]
    return at


@kernel
def _serve_unexpected(e: Any, box: int, n_bytes: int, handle: int, now: int) -> None:
    """Give an unexpected message its receive: copy what is here, and ask for it again if it was deferred."""
    b, move = inbox_at(e, box), move_at(e, 0)
    b["handle"], b["room"] = handle, n_bytes
    if b["state"] == BOX_DEFERRED:
        send_restart(e, box, now)
        return
    move["handle"], move["offset"], move["row"] = handle, 0, box
    move["bytes"] = min(b["length"], n_bytes)
    if b["state"] == BOX_WHOLE:
        finish_box(e, box, now)


@kernel
def finish_box(e: Any, box: int, now: int) -> None:
    """A message is here and has its receive: report it, or fetch the rest of a rendezvous."""
    b = inbox_at(e, box)
    if b["total"] > b["length"] and b["room"] > b["length"]:
        fetch_rest(e, box, now)
    else:
        end_box(e, box, RECEIVED_DONE, TOO_LONG if b["total"] > b["room"] else OK, now)
