"""Forgetting responses that were kept for guaranteed delivery: the clear, from either side.

Every request says up to which PSN the initiator has all it needs (CLEAR_PSN). An initiator with nothing
to send says so in a Clear Command; a target that waits for long asks with a Clear Request.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from uet.base.jit import kernel
from uet.transport.pools import free_saved
from uet.transport.reply import control_packet
from uet.transport.state import pdc_at
from uet.transport.wire.codes import ControlType

CLEAR_COMMAND, CLEAR_REQUEST = int(ControlType.CLEAR_COMMAND), int(ControlType.CLEAR_REQUEST)


@kernel
def clear_up_to(e: Any, pdc: int, number: int) -> bool:
    """Forget the responses to packets up to `number`; True if the cumulative ACK may move on now."""
    p = pdc_at(e, pdc)
    number = min(number, p["rx_expected"] - 1)
    first = np.int64(p["saved"])
    if number > p["rx_clear"]:
        p["rx_clear"] = number
        free_saved(e, pdc, number)
    return first != p["saved"]


@kernel
def send_clear(e: Any, pdc: int, now: int) -> None:
    """Tell the target up to where its responses were received."""
    p = pdc_at(e, pdc)
    clear = p["tx_start"] + p["tx_cack"] - 1
    control_packet(e, pdc, CLEAR_COMMAND, 0, 0, clear, now)


@kernel
def ask_for_clear(e: Any, pdc: int, now: int) -> None:
    """Ask the initiator to say up to where it received the responses kept here."""
    p = pdc_at(e, pdc)
    control_packet(e, pdc, CLEAR_REQUEST, 0, 0, p["rx_start"] + p["rx_expected"] - 1, now)
