"""Packet slots: one pool of packet records, shared by the engine and its carrier.

A packet stays in its slot from `next_packet` to `receive` and may come back as its own answer.
"""

from __future__ import annotations

from typing import Any

from uet.base.jit import copy_bytes, kernel
from uet.transport.record import PACKET, SES
from uet.transport.state import core_at, endpoint_at, packet_at, slot_at

PACKET_BYTES, SES_BYTES = PACKET.dtype.itemsize, SES.dtype.itemsize


@kernel
def take_slot(e: Any) -> int:
    """Return a free packet slot, -1 if all are in use."""
    core = core_at(e, 0)
    slot = core["free_packet"]
    if slot >= 0:
        core["free_packet"] = slot_at(e, slot)["next"]
        return slot
    if core["used_packets"] >= e["n_packet"]:
        return -1
    core["used_packets"] += 1
    return core["used_packets"] - 1


@kernel
def free_slot(e: Any, slot: int) -> None:
    """Give a packet slot back."""
    core = core_at(e, 0)
    slot_at(e, slot)["next"] = core["free_packet"]
    core["free_packet"] = slot


@kernel
def slot_ses(e: Any, slot: int) -> int:
    """Return the SES row that belongs to a packet slot, for packets whose SES fields are in no message's row."""
    return e["n_message"] + e["n_saved"] + slot


@kernel
def copy_slot(e: Any, slot: int) -> int:
    """Return the slot of a copy of a packet, with SES fields of its own if the packet has; -1 if all are in use."""
    twin = take_slot(e)
    if twin < 0:
        return -1
    copy_bytes(e["packet"] + twin * PACKET_BYTES, e["packet"] + slot * PACKET_BYTES, PACKET_BYTES)
    packet = packet_at(e, twin)
    if packet["ses"] == slot_ses(e, slot):
        packet["ses"] = slot_ses(e, twin)
        copy_bytes(e["ses"] + slot_ses(e, twin) * SES_BYTES, e["ses"] + slot_ses(e, slot) * SES_BYTES, SES_BYTES)
    return twin


@kernel
def push_control(e: Any, endpoint: int, slot: int) -> None:
    """Append a control packet to an endpoint's queue."""
    ep = endpoint_at(e, endpoint)
    slot_at(e, slot)["next"] = -1
    if ep["control_head"] < 0:
        ep["control_head"] = slot
    else:
        slot_at(e, ep["control_tail"])["next"] = slot
    ep["control_tail"] = slot


@kernel
def pop_control(e: Any, endpoint: int) -> int:
    """Remove and return the first control packet of an endpoint's queue, which is not empty."""
    ep = endpoint_at(e, endpoint)
    slot = ep["control_head"]
    ep["control_head"] = slot_at(e, slot)["next"]
    return slot
