"""Pass every packet of a simulation through a secured frame: built, sealed, opened and read back before it leaves."""

from __future__ import annotations

from typing import Any

import numpy as np

from emulation.packet.edge import DEPART, EDGE, Edge, call_guard
from emulation.packet.guard import Guard
from emulation.packet.state import SIM, engine_of
from emulation.packet.wire import ROOM_BYTES, has_ses
from uet.base.jit import World, WorldLayout
from uet.base.tables import table
from uet.transport.slots import slot_ses
from uet.transport.state import packet_at, ses_at
from uet.transport.wire.build import build_frame
from uet.transport.wire.parse import parse_frame
from uet.transport.wire.path import PATH, make_path

GUARDED = table(
    "guarded",
    """
    seal i8 - address of what seals a frame
    open i8 - address of what opens one
    """,
)
FRAME = table("frame", "byte u1 bytes one frame; its payload has a length but no content, and is read behind it")
SECURED = WorldLayout("secured", GUARDED, FRAME, PATH)
guarded_at, path_at = SECURED.rows("guarded"), SECURED.rows("path")
NET_10 = 10 << 24


def through_secured_frames(s: Any, t: Any, event: int, slot: int, other: int, now: int) -> int:
    """Pass packets that leave a host through a sealed frame; one that does not come out again is lost, and a bug."""
    if event != DEPART:
        return 0
    e, path, guarded, frame = engine_of(s, 0), path_at(t, 0), guarded_at(t, 0), t["frame"]
    packet, row = packet_at(e, slot), slot_ses(e, slot)
    source, target, net = np.int64(packet["src"]), np.int64(packet["dst"]), packet["net"]
    path["src_low"], path["dst_low"] = np.uint64(NET_10 + source), np.uint64(NET_10 + target)
    wire_bytes = packet["wire_bytes"]
    length = build_frame(path, packet, ses_at(e, max(packet["ses"], 0)), frame + ROOM_BYTES, frame, ROOM_BYTES)
    if length > 0:
        length = call_guard(guarded["seal"], source, frame, length, ROOM_BYTES)
    if length > 0:
        length = call_guard(guarded["open"], target, frame, length, ROOM_BYTES)
    if length <= 0 or parse_frame(path, frame, length, packet, ses_at(e, row), path_at(t, 1)) < 0:
        return 1
    packet["ses"] = row if has_ses(packet) else -1
    packet["net"], packet["wire_bytes"] = net, wire_bytes
    return 0


def secured_edge(n_endpoints: int, seed: int) -> Edge:
    """Compile `through_secured_frames` (once) and return the edge it makes."""
    guard = Guard(n_endpoints, seed)
    guarded, path = GUARDED.zeros(1), PATH.zeros(2)
    guarded["seal"], guarded["open"] = guard.seal_address, guard.open_address
    path[:1] = make_path("10.0.0.0", "10.0.0.0", crc="none")
    tables = {"guarded": guarded, "frame": FRAME.zeros(2 * ROOM_BYTES), "path": path}
    return Edge(EDGE.address(through_secured_frames, SIM.dtype, SECURED.dtype), World(SECURED, tables), guard=guard)
