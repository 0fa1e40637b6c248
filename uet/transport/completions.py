"""Completions: what carriers take out after every verb."""

from __future__ import annotations

from typing import Any

import numpy as np

from uet.base.jit import kernel
from uet.transport.reasons import Reason, note
from uet.transport.state import SENT_DONE, SENT_FAILED, completion_at, core_at, message_at, pdc_at

MESSAGE_FAILED = int(Reason.MESSAGE_FAILED)


@kernel
def complete(e: Any, kind: int, time: int, handle: int, n_bytes: int, endpoint: int, peer: int, row: int) -> None:
    """Append a completion; the carrier takes completions out after every verb."""
    core = core_at(e, 0)
    c = completion_at(e, core["completions_in"] & (e["n_completion"] - 1))
    core["completions_in"] += 1
    c["kind"], c["time_ps"], c["handle"], c["bytes"] = kind, time, handle, n_bytes
    c["endpoint"], c["peer"], c["message"] = endpoint, peer, row
    c["return_code"], c["data"] = 0, np.uint64(0)


@kernel
def complete_with(
    e: Any, kind: int, time: int, handle: int, n_bytes: int, endpoint: int, peer: int, row: int, code: int, data: int
) -> None:
    """Append a completion with a return code and header data."""
    c = completion_at(e, core_at(e, 0)["completions_in"] & (e["n_completion"] - 1))
    complete(e, kind, time, handle, n_bytes, endpoint, peer, row)
    c["return_code"], c["data"] = code, np.uint64(data)


@kernel
def next_completion(e: Any) -> int:
    """Take the oldest completion and return its row, -1 if there is none."""
    core = core_at(e, 0)
    if core["completions_out"] == core["completions_in"]:
        return -1
    core["completions_out"] += 1
    return (core["completions_out"] - 1) & (e["n_completion"] - 1)


@kernel
def complete_message(e: Any, row: int, now: int) -> None:
    """Report a message of the application as done or failed, as its row says."""
    m = message_at(e, row)
    p = pdc_at(e, m["pdc"])
    m["done_ps"] = -1 if m["failed"] else now
    kind = SENT_FAILED if m["failed"] else SENT_DONE
    if m["failed"]:
        psn = (p["tx_start"] + m["first"]) & 0xFFFFFFFF
        note(e, MESSAGE_FAILED, now, np.int64(p["endpoint"]), np.int64(m["pdc"]), psn)
    n_bytes, code = max(m["bytes"], m["got"]), np.int64(m["return_code"])
    complete_with(e, kind, now, m["handle"], n_bytes, np.int64(p["endpoint"]), np.int64(p["peer"]), row, code, 0)
