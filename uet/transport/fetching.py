"""What a receiver asks for by itself: the rest of a rendezvous message, and a deferred message again."""

from __future__ import annotations

from typing import Any

import numpy as np

from uet.base.jit import kernel
from uet.transport.inbox import end_box
from uet.transport.orders import submit
from uet.transport.record import SesOpcode
from uet.transport.state import (
    BOX_FETCHING,
    RECEIVED_FAILED,
    RUD,
    inbox_at,
    message_at,
    order_at,
)
from uet.transport.wire.codes import ReturnCode

READ, RTR = int(SesOpcode.READ), int(SesOpcode.DEFERRABLE_RTR)
DROPPED = int(ReturnCode.DROPPED)
TOKEN_BITS = np.uint64(32)


@kernel
def _clear_order(e: Any, box: int, opcode: int) -> None:
    """Begin an order of the engine's own to the sender of a message."""
    order, b = order_at(e, 0), inbox_at(e, box)
    zero = np.uint64(0)
    order["endpoint"], order["peer"], order["mode"], order["opcode"] = b["endpoint"], b["peer"], RUD, opcode
    order["job_id"], order["pid_on_fep"], order["resource_index"] = b["job_id"], b["read_pid"], b["read_resource"]
    order["ri_generation"], order["flags"], order["atomic_op"], order["atomic_type"] = 0, 0, 0, 0
    order["header_data"], order["read_key"], order["read_offset"], order["eager_bytes"] = zero, zero, zero, 0
    order["match_bits"], order["buffer_offset"], order["bytes"], order["handle"] = zero, zero, 0, b["handle"]


@kernel
def fetch_rest(e: Any, box: int, now: int) -> None:
    """Read what of a rendezvous message its sender did not send at once."""
    b = inbox_at(e, box)
    _clear_order(e, box, READ)
    order = order_at(e, 0)
    order["bytes"] = min(b["total"], b["room"]) - b["length"]
    order["match_bits"], order["buffer_offset"] = b["read_key"], b["read_offset"] + np.uint64(b["length"])
    row = submit(e, 1, now)
    if row < 0:
        end_box(e, box, RECEIVED_FAILED, DROPPED, now)
        return
    b["state"] = BOX_FETCHING
    message_at(e, row)["serves"] = box
    message_at(e, row)["source_offset"] = b["length"]


@kernel
def send_restart(e: Any, box: int, now: int) -> None:
    """Ask for a deferred message again, now that its receive is posted."""
    b = inbox_at(e, box)
    _clear_order(e, box, RTR)
    order_at(e, 0)["match_bits"] = (b["read_key"] << TOKEN_BITS) | np.uint64(box + 1)
    if submit(e, 1, now) < 0:
        end_box(e, box, RECEIVED_FAILED, DROPPED, now)
