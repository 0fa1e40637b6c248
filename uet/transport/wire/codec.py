"""Packet and SES records to UET bytes and back, jitted; offsets come from the field tables.

What travels, by packet type (record fields of `uet.transport.record`):

| type | PACKET fields beside pds_type, pds_flags, next_hdr |
|---|---|
| RUD_REQ, ROD_REQ | psn, psn_offset, spdcid, dpdcid |
| RUD_CC_REQ, ROD_CC_REQ | the same and cc_state (low 32 bits: ccc_id 8, credit_target 24) |
| RUDI_REQ, RUDI_RESP | psn (pkt_id) |
| ACK | psn (CACK_PSN), psn_offset, spdcid, dpdcid |
| ACK_CC | the same and code, detail (mpr), sack_offset, sack_bitmap, cc_state |
| NACK | psn, code, detail (vendor_code), argument, spdcid, dpdcid |
| CP | psn, psn_offset (probe_opaque), argument, spdcid, dpdcid |

next_hdr adds: requests `detail` (SES flags), standard ones with SOM clear and responses with data
`argument` (message offset), the small response with data `argument` (original request PSN).
`payload_bytes` travels as what is left of the packet. The time, the endpoints, `net`, `entropy`,
`wire_bytes` and the row number `ses` are the carrier's; `decode` leaves them alone and zeroes every
other field that does not travel. SES extensions are the first bytes of the payload here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from uet.base.jit import kernel
from uet.transport.record import NextHeader, PdsType
from uet.transport.wire.memory import load8, load16, load32, load64, store8, store16, store32, store64
from uet.transport.wire.pds import PDS
from uet.transport.wire.refusal import Refusal
from uet.transport.wire.semantics import decode_ses, encode_ses
from uet.transport.wire.sizes import PDS_BYTES, SES_BYTES

_REQUEST, _CC_REQUEST, _ACK, _NACK, _CP = (
    PDS[t] for t in (PdsType.RUD_REQ, PdsType.RUD_CC_REQ, PdsType.ACK_CC, PdsType.NACK, PdsType.CP)
)
_OFFSET = _REQUEST.byte_offset("clear_psn_offset")  # the same place in an ACK and in a CP
_PSN = _REQUEST.byte_offset("psn")
_SPDCID = _REQUEST.byte_offset("spdcid")
_DPDCID = _REQUEST.byte_offset("dpdcid")
_PKT_ID = PDS[PdsType.RUDI_REQ].byte_offset("pkt_id")
_CREDIT_TARGET = _CC_REQUEST.byte_offset("ccc_id")
_CC_TYPE = _ACK.byte_offset("cc_type")
_MPR = _ACK.byte_offset("mpr")
_SACK_OFFSET = _ACK.byte_offset("sack_psn_offset")
_SACK_BITMAP = _ACK.byte_offset("sack_bitmap")
_CC_STATE = _ACK.byte_offset("ack_cc_state")
_NACK_CODE = _NACK.byte_offset("nack_code")
_VENDOR_CODE = _NACK.byte_offset("vendor_code")
_NACK_PAYLOAD = _NACK.byte_offset("payload")
_CP_PAYLOAD = _CP.byte_offset("payload")

_SHAPE_NONE, _SHAPE_REQUEST, _SHAPE_RUDI, _SHAPE_UUD, _SHAPE_ACK, _SHAPE_NACK, _SHAPE_CP = range(7)
_SHAPE = np.zeros(32, dtype=np.int64)
_SHAPE[[PdsType.RUD_REQ, PdsType.ROD_REQ, PdsType.RUD_CC_REQ, PdsType.ROD_CC_REQ]] = _SHAPE_REQUEST
_SHAPE[[PdsType.RUDI_REQ, PdsType.RUDI_RESP]] = _SHAPE_RUDI
_SHAPE[[PdsType.UUD_REQ]] = _SHAPE_UUD
_SHAPE[[PdsType.ACK, PdsType.ACK_CC]] = _SHAPE_ACK
_SHAPE[[PdsType.NACK]] = _SHAPE_NACK
_SHAPE[[PdsType.CP]] = _SHAPE_CP
_CC_REQUEST_BYTES = _CC_REQUEST.size()
_ACK_CC = int(PdsType.ACK_CC)
_TSS = int(PdsType.TSS)
_SMALLEST = 2
UNKNOWN_LENGTH = -1
"""The original length of a trimmed packet that does not tell it; its payload length reads as 0."""
_FLAG_BITS, _NEXT_BITS = 7, 4

_NO_ROOM, _TOO_WIDE, _SHORT = int(Refusal.NO_ROOM), int(Refusal.TOO_WIDE), int(Refusal.SHORT)
_RESERVED_TYPE, _UNCODED_TYPE = int(Refusal.RESERVED_TYPE), int(Refusal.UNCODED_TYPE)
_SECURED, _RESERVED_NEXT = int(Refusal.SECURED), int(Refusal.RESERVED_NEXT)
_NONE = int(NextHeader.NONE)


@kernel
def _refuse_type(kind: int) -> int:
    """Return why `kind` cannot be coded."""
    if kind == _TSS:
        return _SECURED
    return _RESERVED_TYPE if PDS_BYTES[kind & 31] < 0 else _UNCODED_TYPE


@kernel
def encode(packet: Any, ses: Any, out: int, room: int) -> int:
    """Write the PDS and SES headers of a packet to the `room` bytes at `out`; the payload comes behind.

    Returns their length, or a `Refusal`. `ses` is not read when next_hdr announces nothing.
    """
    kind, next_hdr = np.int64(packet["pds_type"]), np.int64(packet["next_hdr"])
    flags = np.int64(packet["pds_flags"])
    if kind > 31 or _SHAPE[kind] == _SHAPE_NONE:
        return _refuse_type(kind) if kind < 32 else _RESERVED_TYPE
    if flags >> _FLAG_BITS or next_hdr >> _NEXT_BITS:
        return _TOO_WIDE
    shape = _SHAPE[kind]
    announced = _NONE if shape == _SHAPE_CP else next_hdr
    pds_bytes, ses_bytes = PDS_BYTES[kind], SES_BYTES[announced]
    if ses_bytes < 0:
        return _RESERVED_NEXT
    if pds_bytes + ses_bytes > room:
        return _NO_ROOM
    store16(out, kind << (_NEXT_BITS + _FLAG_BITS) | next_hdr << _FLAG_BITS | flags)
    _encode_pds(packet, shape, kind, out)
    if ses_bytes > 0:
        refusal = encode_ses(packet, ses, announced, out + pds_bytes)
        if refusal < 0:
            return refusal
    return pds_bytes + ses_bytes


@kernel
def _encode_pds(packet: Any, shape: int, kind: int, out: int) -> None:
    if shape == _SHAPE_UUD:
        store16(out + _OFFSET, 0)
        return
    if shape == _SHAPE_RUDI:
        store16(out + _OFFSET, 0)
        store32(out + _PKT_ID, np.int64(packet["psn"]))
        return
    store32(out + _PSN, np.int64(packet["psn"]))
    store16(out + _SPDCID, np.int64(packet["spdcid"]))
    store16(out + _DPDCID, np.int64(packet["dpdcid"]))
    if shape == _SHAPE_NACK:
        store8(out + _NACK_CODE, np.int64(packet["code"]))
        store8(out + _VENDOR_CODE, np.int64(packet["detail"]))
        store32(out + _NACK_PAYLOAD, np.int64(packet["argument"]))
        return
    store16(out + _OFFSET, np.int64(packet["psn_offset"]))
    if shape == _SHAPE_CP:
        store32(out + _CP_PAYLOAD, np.int64(packet["argument"]))
    elif kind == _ACK_CC:
        store8(out + _CC_TYPE, np.int64(packet["code"]))
        store8(out + _MPR, np.int64(packet["detail"]))
        store16(out + _SACK_OFFSET, np.int64(packet["sack_offset"]))
        store64(out + _SACK_BITMAP, packet["sack_bitmap"])
        store64(out + _CC_STATE, packet["cc_state"])
    elif PDS_BYTES[kind] == _CC_REQUEST_BYTES:
        store32(out + _CREDIT_TARGET, np.int64(packet["cc_state"]))


@kernel
def decode(data: int, length: int, original: int, packet: Any, ses: Any) -> int:
    """Fill `packet` and `ses` from the `length` UET bytes at `data`; return where the payload begins.

    `original` is the length before trimming: equal to `length` for a whole packet, UNKNOWN_LENGTH if
    a trimmed one does not tell. Of a trimmed packet the SES fields are filled only if all their bytes
    are left, and the returned offset may lie beyond `length`. Nothing beyond `length` is read. Returns
    a `Refusal` for bytes that are no such packet; the records are then undefined. `ses` is written
    only when next_hdr announces something.
    """
    if length < _SMALLEST:
        return _SHORT
    prologue = load16(data)
    kind = prologue >> (_NEXT_BITS + _FLAG_BITS)
    shape = _SHAPE[kind]
    if shape == _SHAPE_NONE:
        return _refuse_type(kind)
    next_hdr = (prologue >> _FLAG_BITS) & 15
    announced = _NONE if shape == _SHAPE_CP else next_hdr
    pds_bytes, ses_bytes = PDS_BYTES[kind], SES_BYTES[announced]
    if ses_bytes < 0:
        return _RESERVED_NEXT
    offset = pds_bytes + ses_bytes
    whole = offset if original == UNKNOWN_LENGTH else original
    if length < pds_bytes or whole < offset:
        return _SHORT
    packet["pds_type"], packet["next_hdr"], packet["pds_flags"] = kind, next_hdr, prologue & 127
    packet["payload_bytes"] = whole - offset
    _clear(packet)
    _decode_pds(packet, shape, kind, data)
    if ses_bytes > 0:
        if length >= offset:
            refusal = decode_ses(packet, ses, announced, data + pds_bytes)
            if refusal < 0:
                return refusal
        elif length == original:
            return _SHORT
    return offset


@kernel
def _clear(packet: Any) -> None:
    packet["sack_bitmap"], packet["cc_state"] = np.uint64(0), np.uint64(0)
    packet["psn"], packet["argument"], packet["spdcid"], packet["dpdcid"] = 0, 0, 0, 0
    packet["psn_offset"], packet["sack_offset"], packet["code"], packet["detail"] = 0, 0, 0, 0


@kernel
def _decode_pds(packet: Any, shape: int, kind: int, data: int) -> None:
    if shape == _SHAPE_UUD:
        return
    if shape == _SHAPE_RUDI:
        packet["psn"] = load32(data + _PKT_ID)
        return
    packet["psn"] = load32(data + _PSN)
    packet["spdcid"] = load16(data + _SPDCID)
    packet["dpdcid"] = load16(data + _DPDCID)
    if shape == _SHAPE_NACK:
        packet["code"] = load8(data + _NACK_CODE)
        packet["detail"] = load8(data + _VENDOR_CODE)
        packet["argument"] = load32(data + _NACK_PAYLOAD)
        return
    packet["psn_offset"] = signed16(load16(data + _OFFSET))
    if shape == _SHAPE_CP:
        packet["argument"] = load32(data + _CP_PAYLOAD)
    elif kind == _ACK_CC:
        packet["code"] = load8(data + _CC_TYPE)
        packet["detail"] = load8(data + _MPR)
        packet["sack_offset"] = signed16(load16(data + _SACK_OFFSET))
        packet["sack_bitmap"] = load64(data + _SACK_BITMAP)
        packet["cc_state"] = load64(data + _CC_STATE)
    elif PDS_BYTES[kind] == _CC_REQUEST_BYTES:
        packet["cc_state"] = np.uint64(load32(data + _CREDIT_TARGET))


@kernel
def signed16(number: int) -> int:
    """Return the 16-bit two's complement value of `number` (0..65535)."""
    return number - ((number & 0x8000) << 1)


@kernel
def same_packet(a: Any, b: Any) -> bool:
    """Tell whether two packet records agree in all fields that can travel in UET bytes."""
    return (
        a["pds_type"] == b["pds_type"]
        and a["pds_flags"] == b["pds_flags"]
        and a["next_hdr"] == b["next_hdr"]
        and a["psn"] == b["psn"]
        and a["psn_offset"] == b["psn_offset"]
        and a["spdcid"] == b["spdcid"]
        and a["dpdcid"] == b["dpdcid"]
        and a["argument"] == b["argument"]
        and a["code"] == b["code"]
        and a["detail"] == b["detail"]
        and a["sack_offset"] == b["sack_offset"]
        and a["sack_bitmap"] == b["sack_bitmap"]
        and a["cc_state"] == b["cc_state"]
        and a["payload_bytes"] == b["payload_bytes"]
    )
