"""Pacing: a controller that sets a rate (`PACES`) has the packets of a PDC sent that far apart."""

from __future__ import annotations

from typing import Any

import numpy as np

from uet.base.jit import kernel
from uet.transport.congestion.contract import SENT, tell_controller
from uet.transport.pdc import activate
from uet.transport.state import BLOCKED_PACED, pace_at, pdc_at
from uet.transport.timers import PACE, ensure_timer


@kernel
def pace(e: Any, pdc: int, n_bytes: int, now: int) -> None:
    """Tell the controller of a packet that was sent, and hold the PDC back until the next may follow."""
    tell_controller(e, pdc, SENT, now, 0, n_bytes, -1, 0, 0)
    row = pace_at(e, pdc)
    if row["rate_mbps"] <= 0:
        return
    row["next_ps"] = max(row["next_ps"], now) + n_bytes * 8_000_000 // row["rate_mbps"]
    if row["next_ps"] > now:
        pdc_at(e, pdc)["blocked"] |= BLOCKED_PACED
        ensure_timer(e, pdc, PACE, row["next_ps"])


@kernel
def on_pace_timer(e: Any, pdc: int, now: int) -> None:
    """Let a PDC send again whose next packet is due."""
    p, next_ps = pdc_at(e, pdc), pace_at(e, pdc)["next_ps"]
    if next_ps > now:
        ensure_timer(e, pdc, PACE, next_ps)
        return
    p["blocked"] = np.int64(p["blocked"]) & ~BLOCKED_PACED
    activate(e, pdc)
