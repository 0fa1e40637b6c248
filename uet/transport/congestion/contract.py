"""What a congestion controller is: one function with one fixed signature.

    control(state, event, settings) -> new window [bytes]

A controller whose file sets `PACES = True` also sets a rate: it writes event["rate_mbps"] at every event.

`state` is 256 bytes of the PDC that belong to the controller alone, zero before START, seen as the
record type `STATE` that the controller's file declares. `event` says what happened (CC_EVENT in
uet.transport.state), `settings` are the engine's. The function is compiled alone and called through
its address, so a new controller recompiles nothing else.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from uet.base.jit import Hook, kernel
from uet.transport.reasons import Reason, note
from uet.transport.state import cc_event_at, cc_state_at, pace_at, pdc_at, settings_at

CONTROLLER = Hook("controller", 3, 0)
_call = CONTROLLER.call

CUT_ACK, CUT_INFERRED = int(Reason.CUT_ACK), int(Reason.CUT_INFERRED)
START, ACK, NACK, TIMEOUT, INFERRED, SENT = range(6)
"""Kinds of event: first use of the PDC; an ACK; a trim NACK or, on an ordered PDC, a gap; a packet given up by the
timer; one inferred lost from those that passed it; one sent (told only to controllers that pace)."""


@kernel
def tell_controller(
    e: Any, pdc: int, kind: int, now: int, acked: int, packet_bytes: int, rtt: int, ecn: int, last_hop: int
) -> None:
    """Report an event to the PDC's controller and take over the window it returns."""
    state, settings, p = cc_event_at(e, 0), settings_at(e, 0), pdc_at(e, pdc)
    state["kind"], state["now_ps"] = kind, now
    state["cwnd_bytes"], state["in_flight_bytes"] = p["cwnd"], p["in_flight"]
    state["acked_bytes"], state["packet_bytes"] = acked, packet_bytes
    state["rtt_ps"], state["ecn"], state["last_hop"] = rtt, ecn, last_hop
    before = p["cwnd"]
    p["cwnd"] = _call(settings["controller"], cc_state_at(e, pdc), state, settings)
    state["pressure"], state["restore"] = 0, 0
    if settings["paces"] != 0:
        pace_at(e, pdc)["rate_mbps"] = state["rate_mbps"]
    if p["cwnd"] < before and kind != START:
        note(e, CUT_INFERRED if kind == INFERRED else CUT_ACK + kind - ACK, now, np.int64(p["endpoint"]), pdc, -1)
