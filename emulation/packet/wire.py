"""Pass every packet of a simulation through the byte codec: what a receiver sees was once bytes."""

from __future__ import annotations

from typing import Any

from emulation.packet.edge import DEPART, EDGE, Edge
from emulation.packet.state import SIM, engine_of
from uet.base.jit import World, WorldLayout, kernel
from uet.base.tables import table
from uet.transport.record import NextHeader, PdsType
from uet.transport.slots import slot_ses
from uet.transport.state import packet_at, ses_at
from uet.transport.wire.extensions import decode_whole, encode_whole

ROOM = table("room", "byte u1 bytes headers and any payload, which has a length but no content")
CODEC = WorldLayout("codec", ROOM)
ROOM_BYTES = 16_384

NO_SES, CP = int(NextHeader.NONE), int(PdsType.CP)  # a control packet keeps its type where others announce SES


@kernel
def codec_round_trip(e: Any, slot: int, room: int) -> int:
    """Encode the packet in `slot` to the bytes at `room` and decode them into the same slot.

    The SES fields come back in the row that belongs to the slot. Returns 0, or the codec's refusal.
    """
    packet = packet_at(e, slot)
    sender_row = max(packet["ses"], 0)
    n = encode_whole(packet, ses_at(e, sender_row), room, ROOM_BYTES)
    if n < 0:
        return n
    row = slot_ses(e, slot)
    length = n + packet["payload_bytes"]
    start = decode_whole(room, length, length, packet, ses_at(e, row))
    packet["ses"] = row if has_ses(packet) else -1
    return start if start < 0 else 0


@kernel
def has_ses(packet: Any) -> bool:
    """Tell whether a packet has SES fields."""
    return packet["next_hdr"] != NO_SES and packet["pds_type"] != CP


def through_codec(s: Any, codec: Any, event: int, slot: int, other: int, now: int) -> int:
    """Pass packets that leave a host through their bytes; one the codec refuses is lost, and a bug."""
    return codec_round_trip(engine_of(s, 0), slot, codec["room"]) if event == DEPART else 0


def codec_edge() -> Edge:
    """Compile `through_codec` (once) and return the edge it makes."""
    world = World(CODEC, {"room": ROOM.zeros(ROOM_BYTES)})
    return Edge(EDGE.address(through_codec, SIM.dtype, CODEC.dtype), world)
