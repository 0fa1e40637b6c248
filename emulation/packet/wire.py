"""Pass every packet of a simulation through the byte codec: what a receiver sees was once bytes."""

from __future__ import annotations

from typing import Any

from emulation.packet.nic import WIRE
from uet.transport.record import NextHeader, PdsType
from uet.transport.state import ENGINE, packet_at, ses_at
from uet.transport.wire.codec import decode, encode

ROOM_BYTES = 16_384
"""Room for the headers and any payload; the simulator's payloads have a length but no content."""

NO_SES, CP = int(NextHeader.NONE), int(PdsType.CP)  # a control packet keeps its type where others announce SES


def through_wire(e: Any, slot: int, room: int) -> int:
    """Encode the packet in `slot` to the bytes at `room` and decode them into the same slot.

    The SES fields come back in the row reserved for the slot behind the messages' rows. Returns 0, or
    the codec's refusal.
    """
    packet = packet_at(e, slot)
    sender_row = max(packet["ses"], 0)
    n = encode(packet, ses_at(e, sender_row), room, ROOM_BYTES)
    if n < 0:
        return n
    row = e["n_message"] + slot
    length = n + packet["payload_bytes"]
    start = decode(room, length, length, packet, ses_at(e, row))
    packet["ses"] = -1 if packet["next_hdr"] == NO_SES or packet["pds_type"] == CP else row
    return start if start < 0 else 0


def wire_address() -> int:
    """Compile `through_wire` (once) and return its address for the network row."""
    return WIRE.address(through_wire, ENGINE.dtype)
