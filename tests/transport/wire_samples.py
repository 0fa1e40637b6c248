"""Random packet and SES records in which only fields that travel are set, and buffers with a guard page."""

import ctypes
import mmap
from typing import Any

import numpy as np

from uet.base.tables import Records
from uet.transport.record import PACKET, SES, NextHeader, PdsType

TYPES = (
    PdsType.RUD_REQ, PdsType.ROD_REQ, PdsType.RUD_CC_REQ, PdsType.ROD_CC_REQ, PdsType.RUDI_REQ, PdsType.RUDI_RESP,
    PdsType.UUD_REQ, PdsType.ACK, PdsType.ACK_CC, PdsType.NACK, PdsType.CP,
)  # fmt: skip
REQUESTS = (NextHeader.REQUEST_SMALL, NextHeader.REQUEST_MEDIUM, NextHeader.REQUEST_STD)
HEADERS = (
    NextHeader.NONE, *REQUESTS, NextHeader.RESPONSE, NextHeader.RESPONSE_DATA, NextHeader.RESPONSE_DATA_SMALL,
)  # fmt: skip
_IDS = ("psn", "psn_offset", "spdcid", "dpdcid")
_FIELDS = {
    PdsType.RUDI_REQ: ("psn",),
    PdsType.RUDI_RESP: ("psn",),
    PdsType.UUD_REQ: (),
    PdsType.ACK_CC: (*_IDS, "code", "sack_offset", "sack_bitmap", "cc_state"),
    PdsType.NACK: ("psn", "code", "argument", "spdcid", "dpdcid"),
    PdsType.CP: (*_IDS, "argument"),
}
_ADDRESS = ("opcode", "ri_generation", "job_id", "pid_on_fep", "resource_index", "request_length")
_SES_FIELDS = {
    NextHeader.NONE: (),
    NextHeader.REQUEST_SMALL: (*_ADDRESS, "buffer_offset"),
    NextHeader.REQUEST_MEDIUM: (*_ADDRESS, "initiator", "match_bits"),
    NextHeader.REQUEST_STD: (*_ADDRESS, "message_id", "buffer_offset", "initiator", "match_bits"),
    NextHeader.RESPONSE: (
        "list", "opcode", "return_code", "message_id", "ri_generation", "job_id", "modified_length",
    ),
    NextHeader.RESPONSE_DATA: (
        "list", "opcode", "return_code", "message_id", "job_id", "request_id", "modified_length",
    ),
    NextHeader.RESPONSE_DATA_SMALL: ("list", "opcode", "return_code", "job_id"),
}  # fmt: skip
_BITS = {"opcode": 6, "job_id": 24, "pid_on_fep": 12, "resource_index": 12, "list": 2, "return_code": 6}
_PDS = {
    "type": "pds_type", "next_hdr": "next_hdr", "ctl_type": "next_hdr", "flags": "pds_flags", "psn": "psn",
    "cack_psn": "psn", "nack_psn": "psn", "nack_pkt_id": "psn", "pkt_id": "psn", "clear_psn_offset": "psn_offset",
    "ack_psn_offset": "psn_offset", "spdcid": "spdcid", "dpdcid": "dpdcid", "sack_psn_offset": "sack_offset",
    "sack_bitmap": "sack_bitmap", "ack_cc_state": "cc_state", "mpr": "detail",
    "nack_code": "code", "vendor_code": "detail", "payload": "argument",
}  # fmt: skip
_SES = (
    "opcode", "ri_generation", "job_id", "pid_on_fep", "resource_index", "request_length", "buffer_offset",
    "initiator", "match_bits", "header_data", "message_id", "list", "return_code", "modified_length",
)  # fmt: skip
FIELDS = {
    "pds": {wire: ("packet", field) for wire, field in _PDS.items()},
    "ses": {name: ("ses", name) for name in _SES}
    | {"memory_key": ("ses", "match_bits"), "read_request_message_id": ("ses", "request_id")}
    | {"flags": ("packet", "detail"), "message_offset": ("packet", "argument")}
    | {"original_request_psn": ("packet", "argument"), "payload_length": ("packet", "payload_bytes")},
}
"""Where each field of a document stands in the records, by layer."""


def sample(
    rng: np.random.Generator, kind: PdsType, next_hdr: NextHeader, payload: int, n: int = 1
) -> tuple[Records, Records]:
    """Return n packet rows and n SES rows with random values in every field that travels, 0 elsewhere."""
    packet, ses = PACKET.zeros(n), SES.zeros(n)
    if kind == PdsType.CP:
        next_hdr = NextHeader(rng.integers(0, 7))  # a control type; nothing is announced
    packet["pds_type"], packet["next_hdr"], packet["payload_bytes"] = kind, next_hdr, payload
    packet["pds_flags"] = rng.integers(0, 128, n)
    for name in _FIELDS.get(kind, _IDS):
        _randomize(rng, packet, name)
    if kind in (PdsType.RUD_CC_REQ, PdsType.ROD_CC_REQ):
        packet["cc_state"] = rng.integers(0, 1 << 32, n)
    if kind in (PdsType.ACK_CC, PdsType.NACK):
        packet["detail"] = rng.integers(0, 256, n)
    if kind == PdsType.CP:
        return packet, ses
    for name in _SES_FIELDS[next_hdr]:
        _randomize(rng, ses, name)
    if next_hdr in REQUESTS:
        _flags(rng, packet, ses, next_hdr)
    elif next_hdr in (NextHeader.RESPONSE_DATA, NextHeader.RESPONSE_DATA_SMALL):
        _randomize(rng, packet, "argument")
    return packet, ses


def _flags(rng: np.random.Generator, packet: Records, ses: Records, next_hdr: NextHeader) -> None:
    packet["detail"] = rng.integers(0, 64, len(packet))
    if next_hdr != NextHeader.REQUEST_STD:
        packet["detail"] |= 3
        ses["request_length"] = rng.integers(0, 1 << 14, len(packet))
    first, header_data = packet["detail"] & 1 == 1, packet["detail"] & 4 == 4
    if next_hdr == NextHeader.REQUEST_STD:
        _randomize(rng, ses, "header_data", first)
        _randomize(rng, packet, "argument", ~first)
    elif next_hdr == NextHeader.REQUEST_MEDIUM:
        _randomize(rng, ses, "header_data", header_data)
        _randomize(rng, ses, "buffer_offset", ~header_data)


def _randomize(rng: np.random.Generator, rows: Records, name: str, where: Any = slice(None)) -> None:
    size = rows.dtype[name].itemsize
    numbers = np.frombuffer(rng.bytes(size * len(rows)), rows.dtype[name])
    if name in _BITS:
        numbers = numbers & ((1 << _BITS[name]) - 1)
    rows[name][where] = numbers[where]


class GuardedBuffer:
    """A buffer whose last byte is followed by a page that must not be touched: reading on ends the process."""

    def __init__(self, n: int = 1 << 14) -> None:
        page = mmap.PAGESIZE
        self.room = (n + page - 1) // page * page
        self._map = mmap.mmap(-1, self.room + page)
        self.start = ctypes.addressof(ctypes.c_char.from_buffer(self._map))
        if ctypes.CDLL(None).mprotect(ctypes.c_void_p(self.start + self.room), page, 0):
            raise OSError("mprotect refused")

    def put(self, data: bytes) -> int:
        """Place `data` so that it ends at the guard; return its address."""
        address = int(self.start + self.room - len(data))
        ctypes.memmove(address, data, len(data))
        return address


def read(address: int, n: int) -> bytes:
    """Return the `n` bytes at `address`."""
    return ctypes.string_at(int(address), int(n))
