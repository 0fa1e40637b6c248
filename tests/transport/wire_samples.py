"""Random packet and SES records in which only fields that travel are set, and buffers with a guard page."""

import ctypes
import mmap

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


def sample(rng: np.random.Generator, kind: PdsType, next_hdr: NextHeader, payload: int) -> tuple[Records, Records]:
    """Return one packet row and one SES row with random values in every field that travels, 0 elsewhere."""
    packet, ses = PACKET.zeros(1), SES.zeros(1)
    if kind == PdsType.CP:
        next_hdr = NextHeader(rng.integers(0, 7))  # a control type; nothing is announced
    packet["pds_type"], packet["next_hdr"], packet["payload_bytes"] = kind, next_hdr, payload
    packet["pds_flags"] = rng.integers(0, 128)
    for name in _FIELDS.get(kind, _IDS):
        _randomize(rng, packet, name)
    if kind in (PdsType.RUD_CC_REQ, PdsType.ROD_CC_REQ):
        packet["cc_state"] = rng.integers(0, 1 << 32)
    if kind in (PdsType.ACK_CC, PdsType.NACK):
        packet["detail"] = rng.integers(0, 256)
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
    flags = int(rng.integers(0, 64))
    if next_hdr != NextHeader.REQUEST_STD:
        flags |= 3
        ses["request_length"] = rng.integers(0, 1 << 14)
    packet["detail"] = flags
    if next_hdr == NextHeader.REQUEST_STD and flags & 1:
        _randomize(rng, ses, "header_data")
    elif next_hdr == NextHeader.REQUEST_STD:
        _randomize(rng, packet, "argument")
    elif next_hdr == NextHeader.REQUEST_MEDIUM:
        _randomize(rng, ses, "header_data" if flags & 4 else "buffer_offset")


def _randomize(rng: np.random.Generator, row: Records, name: str) -> None:
    raw = rng.bytes(8)
    row[name] = np.frombuffer(raw, row.dtype[name], 1)[0]
    if name in _BITS:
        row[name] &= (1 << _BITS[name]) - 1


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
