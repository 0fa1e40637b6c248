"""Priority flow control: switches that never drop data because they pause whoever sends to them.

A switch counts the bytes it holds per link they came in by. Above the XOFF threshold it pauses the port at
the other end of that link, below XON it lets it go on; either takes effect after the link's latency. Only
data is paused, control packets go on. Queues have no limit then, as XOFF bounds what a link can add.
Source: IEEE 802.1Qbb as RoCEv2 networks use it; thresholds in bandwidth-delay products are our choice.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from emulation.events import schedule
from emulation.operations import KIND_BITS
from emulation.packet.state import events_of, hop_at, network_at, pause_at, port_at
from uet.base.jit import kernel

PAUSE = 3 << KIND_BITS
"""Kind of event: pause a port that sends, let one go on that is paused."""


@kernel
def hold(s: Any, slot: int, now: int) -> None:
    """Count a data packet that begins to wait in a switch, and pause the port it came from if it is too much."""
    hop = hop_at(s, slot)
    via = np.int64(hop["before"])
    if via < 0:
        return
    row = pause_at(s, via)
    row["held_bytes"] += hop["bytes"]
    if row["off"] == 0 and row["held_bytes"] > network_at(s, 0)["xoff_bytes"]:
        row["off"] = 1
        _tell(s, via, now)


@kernel
def let_go(s: Any, slot: int, now: int) -> None:
    """Count a data packet that ends to wait in a switch, and let the port it came from go on if it was paused."""
    hop = hop_at(s, slot)
    via = np.int64(hop["before"])
    if via < 0:
        return
    row = pause_at(s, via)
    row["held_bytes"] -= hop["bytes"]
    if row["off"] != 0 and row["held_bytes"] <= network_at(s, 0)["xon_bytes"]:
        row["off"] = 0
        _tell(s, via, now)


@kernel
def _tell(s: Any, port: int, now: int) -> None:
    """Send what was decided about a port on its way; one message at a time, a change of mind follows it."""
    row = pause_at(s, port)
    if row["told"] == 0:
        row["told"], row["message"] = 1, row["off"]
        schedule(events_of(s, 0), now + port_at(s, port)["latency_ps"], PAUSE | port)


@kernel
def on_message(s: Any, port: int, now: int) -> None:
    """Pause a port or end its pause, as the message says that has reached it."""
    p, row, network = port_at(s, port), pause_at(s, port), network_at(s, 0)
    if row["message"] != 0 and p["paused"] == 0:
        row["since_ps"] = now
        network["pauses"] += 1
    elif row["message"] == 0 and p["paused"] != 0:
        network["paused_ps"] += now - row["since_ps"]
    p["paused"], row["told"] = row["message"], 0
    if row["off"] != p["paused"]:
        _tell(s, port, now)
