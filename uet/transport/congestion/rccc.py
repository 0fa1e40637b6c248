"""RCCC alone: no window at all, only what the receiver grants holds a sender back (uet.transport.credit).

Beside a window, as `nscc+rccc`, the other controller's file is used and both must permit a packet.
"""

from __future__ import annotations

from typing import Any

import numpy as np

STATE = np.dtype([("unused", "i8")])

UNLIMITED_BYTES = 1 << 40


def control(state: Any, event: Any, settings: Any) -> int:
    """Return a window that is never full."""
    return UNLIMITED_BYTES
