"""A constant window: no reaction to anything. The baseline that isolates load balancing."""

from __future__ import annotations

from typing import Any

import numpy as np

STATE = np.dtype([("unused", "i8")])


def control(state: Any, event: Any, settings: Any) -> int:
    """Return the configured window."""
    return int(settings["window_bytes"])
