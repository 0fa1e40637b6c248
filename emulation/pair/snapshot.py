"""Put the state of a pair aside and bring it back, as plain copies of its tables."""

from __future__ import annotations

from typing import Any

from uet.base.jit import World, WorldLayout, kernel
from uet.base.tables import Records, table
from uet.transport.wire.memory import copy_bytes

SEGMENT = table(
    "segment",
    """
    address i8 - of a table
    bytes i8 bytes its size
    offset i8 bytes where it stands in a snapshot
    """,
)
STORE = table("store", "byte u1 bytes room for snapshots, one after the other")
_ANY = WorldLayout("any", SEGMENT, STORE)
segment_at = _ANY.rows("segment")

_OUTSIDE = {"settings", "completion", "cc_event", "reason_count", "trace"}
"""Engine tables without memory: never written, or read only right after they were written."""


def segments(pair: World) -> Records:
    """Return the segments that make up the state of a pair without frames under way."""
    engine = pair.tables["engine"]
    tables = [pair.tables[name] for name in ("pair", "flight", "goods")]
    tables += [rows for name, rows in engine.tables.items() if name not in _OUTSIDE]
    found = SEGMENT.zeros(len(tables))
    found["address"] = [t.ctypes.data for t in tables]
    found["bytes"] = [t.nbytes for t in tables]
    found["offset"] = found["bytes"].cumsum() - found["bytes"]
    return found


@kernel
def snapshot_bytes(w: Any) -> int:
    """Return the size of one snapshot."""
    last = segment_at(w, w["n_segment"] - 1)
    return last["offset"] + last["bytes"]


@kernel
def save(w: Any, k: int) -> None:
    """Write the state to snapshot `k`."""
    start = w["store"] + k * snapshot_bytes(w)
    for i in range(w["n_segment"]):
        s = segment_at(w, i)
        copy_bytes(start + s["offset"], s["address"], s["bytes"])


@kernel
def restore(w: Any, k: int) -> None:
    """Bring the state back from snapshot `k`."""
    start = w["store"] + k * snapshot_bytes(w)
    for i in range(w["n_segment"]):
        s = segment_at(w, i)
        copy_bytes(s["address"], start + s["offset"], s["bytes"])
