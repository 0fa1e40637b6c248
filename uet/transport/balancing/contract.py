"""What a load balancer is: one function with one fixed signature.

    balance(state, settings, event, value, now) -> entropy value

`state` is 256 bytes of the PDC that belong to the balancer alone, zero before START, seen as the
record type `STATE` that the balancer's file declares. SELECT asks for the entropy of the next
packet; the other events report what became of an earlier one, with its entropy as `value`.
"""

from __future__ import annotations

from typing import Any

from uet.base.jit import Hook, kernel
from uet.transport.state import lb_state_at, settings_at

BALANCER = Hook("balancer", 2, 3)
_call = BALANCER.call

START, SELECT, GOOD, ECN, NACK, TIMEOUT = range(6)
"""Events: first use (value: the PDC's random stream), next packet, and four kinds of feedback."""


@kernel
def tell_balancer(e: Any, pdc: int, event: int, value: int, now: int) -> int:
    """Call the PDC's balancer and return its answer."""
    settings = settings_at(e, 0)
    return _call(settings["balancer"], lb_state_at(e, pdc), settings, event, value, now)
