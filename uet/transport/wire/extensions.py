"""SES extensions of the records, jitted: rendezvous, and the first four bytes of an atomic operation.

To the codec proper they are the first bytes of the payload; here they are fields of the SES record. The first
packet of a message has them, and atomic operations have no other. The values of a compare-and-swap stay in the
payload.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from uet.base.jit import kernel
from uet.transport.record import NextHeader, PdsType, SesFlag
from uet.transport.wire.codec import decode, encode
from uet.transport.wire.memory import load8, load32, load64, store8, store32, store64
from uet.transport.wire.refusal import Refusal
from uet.transport.wire.ses import ATOMIC, ATOMIC_OPCODES, RENDEZVOUS, RENDEZVOUS_OPCODES

RENDEZVOUS_BYTES, ATOMIC_BYTES = RENDEZVOUS.size(), ATOMIC.size()
_EXTENDS = np.zeros(64, dtype=np.int64)
"""Bytes of the extension by opcode."""
_EXTENDS[[int(o) for o in RENDEZVOUS_OPCODES]] = RENDEZVOUS_BYTES
_EXTENDS[[int(o) for o in ATOMIC_OPCODES]] = ATOMIC_BYTES
_SMALL, _STD = int(NextHeader.REQUEST_SMALL), int(NextHeader.REQUEST_STD)
_CONTROL_TYPE = int(PdsType.CP)
_SOM, _NO_ROOM, _SHORT = int(SesFlag.SOM), int(Refusal.NO_ROOM), int(Refusal.SHORT)
_OP, _TYPE = ATOMIC.byte_offset("opcode"), ATOMIC.byte_offset("datatype")
_SEMANTICS = ATOMIC.byte_offset("semantic_control")
_EAGER, _PLACE = RENDEZVOUS.byte_offset("eager_length"), RENDEZVOUS.byte_offset("read_ri_generation")
_READ_OFFSET, _READ_KEY = RENDEZVOUS.byte_offset("read_offset"), RENDEZVOUS.byte_offset("read_memory_key")


@kernel
def extension_bytes(packet: Any, ses: Any) -> int:
    """Return the bytes of the extension behind a packet's SES header, 0 for none."""
    next_hdr = packet["next_hdr"]
    if packet["pds_type"] == _CONTROL_TYPE or not _SMALL <= next_hdr <= _STD or packet["detail"] & _SOM == 0:
        return 0
    size = _EXTENDS[np.int64(ses["opcode"]) & 63]
    return 0 if size == RENDEZVOUS_BYTES and next_hdr != _STD else size


@kernel
def encode_whole(packet: Any, ses: Any, out: int, room: int) -> int:
    """Write all headers of a packet, the extension included; returns their bytes or a `Refusal`."""
    n = encode(packet, ses, out, room)
    if n < 0:
        return n
    size = extension_bytes(packet, ses)
    if n + size > room:
        return _NO_ROOM
    if size == ATOMIC_BYTES:
        store32(out + n, 0)
        store8(out + n + _OP, np.int64(ses["atomic_op"]))
        store8(out + n + _TYPE, np.int64(ses["atomic_type"]))
        store8(out + n + _SEMANTICS, np.int64(ses["atomic_semantics"]))
    elif size == RENDEZVOUS_BYTES:
        place = np.int64(ses["read_pid"]) << 12 | np.int64(ses["read_resource"])
        store32(out + n + _EAGER, np.int64(ses["eager_length"]))
        store32(out + n + _PLACE, np.int64(ses["read_generation"]) << 24 | place)
        store64(out + n + _READ_OFFSET, ses["read_offset"])
        store64(out + n + _READ_KEY, ses["read_key"])
    return n + size


@kernel
def decode_whole(data: int, length: int, original: int, packet: Any, ses: Any) -> int:
    """Read all headers of a packet as `codec.decode` does, the extension included; returns where the payload begins.

    Of a trimmed packet the extension is read only if it is all there.
    """
    zero = np.uint64(0)
    ses["atomic_op"], ses["atomic_type"], ses["atomic_semantics"] = 0, 0, 0
    ses["eager_length"], ses["read_generation"], ses["read_pid"], ses["read_resource"] = 0, 0, 0, 0
    ses["read_offset"], ses["read_key"] = zero, zero
    n = decode(data, length, original, packet, ses)
    if n < 0:
        return n
    size = extension_bytes(packet, ses)
    if size == 0 or length < n:
        return n
    if length < n + size and length == original:
        return _SHORT
    packet["payload_bytes"] = max(np.int64(packet["payload_bytes"]) - size, 0)
    if length < n + size:
        return n + size
    if size == ATOMIC_BYTES:
        ses["atomic_op"], ses["atomic_type"] = load8(data + n + _OP), load8(data + n + _TYPE)
        ses["atomic_semantics"] = load8(data + n + _SEMANTICS)
    else:
        place = load32(data + n + _PLACE)
        ses["eager_length"], ses["read_generation"] = load32(data + n + _EAGER), place >> 24
        ses["read_pid"], ses["read_resource"] = place >> 12 & 0xFFF, place & 0xFFF
        ses["read_offset"], ses["read_key"] = load64(data + n + _READ_OFFSET), load64(data + n + _READ_KEY)
    return n + size
