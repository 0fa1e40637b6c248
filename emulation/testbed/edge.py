"""The edge of the testbed: packets become frames at hosts, cross a wire, and are read back from their bytes.

A packet that leaves its host is built as a frame, sent into the host's wire and received at the fabric's
end; the switches see its addresses, entropy and class alone. At the last hop the same bytes, marked or
trimmed as the switches decided, cross the destination's wire, and the host reads what it gets: nothing
that is not in the frame reaches its engine. Payload is copied out of and into the ranks' buffers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from emulation.data import carry_out, place, store
from emulation.operations import step_at
from emulation.packet.edge import ARRIVE, CLOCK, DEPART, PLACE, TWIN, call_guard
from emulation.packet.state import engine_of, operations_of
from emulation.testbed.addresses import HOST_BASE
from emulation.testbed.clock import await_time
from emulation.testbed.state import (
    FOUND,
    READING,
    SENDING,
    SWITCHING,
    bed_at,
    captured_at,
    data_of,
    frame_bytes_at,
    path_at,
    wire_end_at,
)
from emulation.testbed.syscalls import receive_frame, send_frame, sleep_us
from uet.base.jit import copy_bytes, kernel
from uet.base.rng import below, draw, strikes
from uet.transport.record import Net, NextHeader, PdsType
from uet.transport.slots import slot_ses
from uet.transport.state import message_at, packet_at, ses_at
from uet.transport.wire.build import build_frame
from uet.transport.wire.memory import load8, load32, store8
from uet.transport.wire.parse import locate_uet, parse_frame
from uet.transport.wire.rewrite import mark_congestion, trim_frame

CE, TRIMMED, LAST_HOP = int(Net.ECN_CE), int(Net.TRIMMED), int(Net.LAST_HOP)
SMALL, STD, CP = int(NextHeader.REQUEST_SMALL), int(NextHeader.REQUEST_STD), int(PdsType.CP)
STREAM_CORRUPT, STREAM_BIT = 20 << 40, 21 << 40
LOST = 1
SPINS, NAPS, NAP_US = 200, 2000, 100
"""How often an end of a wire is asked for a frame that was just sent: at once, then for 0.2 s in naps."""


def edge(s: Any, t: Any, event: int, slot: int, other: int, now: int) -> int:
    """Serve an event of the simulator at the edge; see emulation.packet.edge."""
    if event == DEPART:
        return _depart(s, t, slot, now)
    if event == ARRIVE:
        return _arrive(s, t, slot, now)
    if event == CLOCK:
        return await_time(t, now)
    if event == PLACE:
        _place(s, t)
    elif event == TWIN:
        frame_bytes_at(t, slot)["length"] = frame_bytes_at(t, other)["length"]
        copy_bytes(frame_of(t, slot), frame_of(t, other), np.int64(frame_bytes_at(t, other)["length"]))
    else:
        carry_out(data_of(t, 0), slot)
    return 0


@kernel
def frame_of(t: Any, slot: int) -> int:
    """Return the address of a slot's frame."""
    return np.int64(t["frame"] + slot * bed_at(t, 0)["frame_room"])


@kernel
def _depart(s: Any, t: Any, slot: int, now: int) -> int:
    """Build the frame of a packet and pass it through its host's wire; LOST if it does not come out."""
    e, d, bed, path = engine_of(s, 0), data_of(t, 0), bed_at(t, 0), path_at(t, SENDING)
    packet = packet_at(e, slot)
    source, target = np.int64(packet["src"]), np.int64(packet["dst"])
    _address(path, source, target)
    payload = 0
    if packet["payload_bytes"] > 0 and packet["ses"] < e["n_message"]:
        payload = place(d, message_at(e, packet["ses"])["handle"]) + packet["argument"]
    frame = frame_of(t, slot)
    row = max(np.int64(packet["ses"]), 0)
    length = build_frame(path, packet, ses_at(e, row), payload, frame, bed["frame_room"])
    if bed["seal"] != 0 and length > 0:
        length = call_guard(bed["seal"], source, frame, length, bed["frame_room"])
    if length < 0:
        bed["refused"] += 1
        return LOST
    _corrupt(bed, frame, length)
    end = wire_end_at(t, source)
    length = _cross(bed, np.int64(end["host"]), np.int64(end["fabric"]), frame, length)
    if length < 0:
        return LOST
    _capture(t, source, frame, length, now)
    frame_bytes_at(t, slot)["length"] = length
    found = path_at(t, FOUND)
    if locate_uet(path_at(t, SWITCHING), frame, length, packet, found) < 0:
        bed["refused"] += 1
        return LOST
    packet["dst"] = _host_of(found["dst_low"])
    if packet["dst"] >= t["n_wire_end"]:
        bed["refused"] += 1
        return LOST
    return 0


@kernel
def _address(path: Any, source: int, target: int) -> None:
    """Write the addresses of a frame from one host to another: host k is number HOST_BASE + k everywhere."""
    path["src_mac"] = (path["src_mac"] & np.uint64(0xFFFFFF000000)) | np.uint64(HOST_BASE + source)
    path["dst_mac"] = (path["dst_mac"] & np.uint64(0xFFFFFF000000)) | np.uint64(HOST_BASE + target)
    path["src_low"] = (path["src_low"] & np.uint64(0xFFFFFFFFFF000000)) | np.uint64(HOST_BASE + source)
    path["dst_low"] = (path["dst_low"] & np.uint64(0xFFFFFFFFFF000000)) | np.uint64(HOST_BASE + target)


@kernel
def _host_of(address: np.uint64) -> int:
    return np.int64(address & np.uint64(0xFFFFFF)) - HOST_BASE


@kernel
def _corrupt(bed: Any, frame: int, length: int) -> None:
    """Flip one random bit behind the Ethernet header, now and then."""
    if bed["corrupt"] == 0:
        return
    number = bed["frames"]
    if not strikes(bed["seed"], STREAM_CORRUPT, number, bed["corrupt"]):
        return
    bit = below(draw(bed["seed"], STREAM_BIT, number), (length - 14) * 8)
    at = frame + 14 + (bit >> 3)
    store8(at, load8(at) ^ (1 << (bit & 7)))
    bed["corrupted"] += 1


@kernel
def _cross(bed: Any, sender: int, receiver: int, frame: int, length: int) -> int:
    """Send a frame into one end of a wire and read it at the other; returns its length, -1 if it was lost."""
    bed["frames"] += 1
    bed["frame_bytes"] += length
    if sender < 0:
        return length
    mac_high, mac_low = load32(frame), load32(frame + 2)
    tries = 0
    while send_frame(sender, frame, length) < 0:
        tries += 1
        if tries > NAPS:
            bed["lost"] += 1
            return -1
        sleep_us(NAP_US)
    tries = 0
    while tries < SPINS + NAPS:
        got = receive_frame(receiver, frame, bed["frame_room"])
        if got >= 14 and load32(frame) == mac_high and load32(frame + 2) == mac_low:
            return got
        if got < 0:
            tries += 1
            if tries > SPINS:
                sleep_us(NAP_US)
    bed["lost"] += 1
    return -1


@kernel
def _capture(t: Any, host: int, frame: int, length: int, now: int) -> None:
    """Keep a copy of a frame at a host's port."""
    bed = bed_at(t, 0)
    if bed["capture_room"] == 0:
        return
    if bed["capture_bytes"] + length > bed["capture_room"] or bed["captured"] >= t["n_captured"]:
        bed["capture_lost"] += 1
        return
    row = captured_at(t, bed["captured"])
    row["time_ps"], row["first"], row["length"], row["host"] = now, bed["capture_bytes"], length, host
    copy_bytes(t["capture"] + bed["capture_bytes"], frame, length)
    bed["capture_bytes"] += length
    bed["captured"] += 1


@kernel
def _arrive(s: Any, t: Any, slot: int, now: int) -> int:
    """Pass a packet's frame through the wire of its destination and read the packet from it."""
    e, bed = engine_of(s, 0), bed_at(t, 0)
    packet = packet_at(e, slot)
    host, net = np.int64(packet["dst"]), np.int64(packet["net"])
    frame, length = frame_of(t, slot), np.int64(frame_bytes_at(t, slot)["length"])
    if net & CE:
        mark_congestion(frame, length)
    if net & TRIMMED:
        path = path_at(t, SENDING)
        dscp = path["dscp_trimmed_lasthop"] if net & LAST_HOP else path["dscp_trimmed"]
        cut = trim_frame(frame, length, bed["trim_uet_bytes"], np.int64(dscp))
        length = cut if cut > 0 else length
    end = wire_end_at(t, host)
    length = _cross(bed, np.int64(end["fabric"]), np.int64(end["host"]), frame, length)
    if length < 0:
        return LOST
    _capture(t, host, frame, length, now)
    if bed["open"] != 0:
        length = call_guard(bed["open"], host, frame, length, bed["frame_room"])
    row, payload = slot_ses(e, slot), -1
    found = path_at(t, FOUND)
    if length > 0:
        payload = parse_frame(path_at(t, READING), frame, length, packet, ses_at(e, row), found)
    if payload < 0 or not _can_be_placed(operations_of(s, 0), packet, ses_at(e, row)):
        bed["refused"] += 1
        return LOST
    packet["src"], packet["dst"], packet["ses"] = _host_of(found["src_low"]), _host_of(found["dst_low"]), row
    bed["arrived_slot"], bed["arrived_step"] = slot, np.int64(ses_at(e, row)["match_bits"])
    bed["arrived_offset"], bed["arrived_bytes"] = packet["argument"], packet["payload_bytes"]
    bed["arrived_payload"] = frame + payload
    return 0


@kernel
def _can_be_placed(o: Any, packet: Any, ses: Any) -> bool:
    """Tell whether a packet is no request, or one for a receive that there is: without a CRC anything may arrive."""
    if not SMALL <= packet["next_hdr"] <= STD or packet["pds_type"] == CP:
        return True
    step, end = np.int64(ses["match_bits"]), np.int64(packet["argument"]) + np.int64(packet["payload_bytes"])
    return 0 <= step < o["n_step"] and end <= step_at(o, step)["bytes"]


@kernel
def _place(s: Any, t: Any) -> None:
    """Put the payload of the packet that arrived last where it belongs: the engine found it new."""
    bed = bed_at(t, 0)
    bed["delivered"] += bed["arrived_bytes"]
    o, d = operations_of(s, 0), data_of(t, 0)
    store(d, o, np.int64(bed["arrived_step"]), bed["arrived_payload"], bed["arrived_offset"], bed["arrived_bytes"])
