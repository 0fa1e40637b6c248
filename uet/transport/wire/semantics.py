"""The SES part of the jitted codec: SES records to header bytes and back.

By next_hdr these SES fields travel:

| next_hdr | SES fields |
|---|---|
| REQUEST_STD | opcode, message_id, ri_generation, job_id, pid_on_fep, resource_index, buffer_offset, initiator, match_bits, request_length; header_data if SOM is set |
| REQUEST_MEDIUM | opcode, request_length (14 bits), the address, initiator, match_bits, and header_data or else buffer_offset |
| REQUEST_SMALL | opcode, request_length (14 bits), the address, buffer_offset |
| RESPONSE | list, opcode, return_code, message_id, ri_generation, job_id, modified_length |
| RESPONSE_DATA | list, opcode, return_code, message_id, job_id, request_id, modified_length |
| RESPONSE_DATA_SMALL | list, opcode, return_code, job_id |

The restart tokens of deferrable sends are `buffer_offset` (or `match_bits`) as one 64-bit number.
"""  # noqa: E501

from __future__ import annotations

from typing import Any

import numpy as np

from uet.base.jit import kernel
from uet.transport.record import NextHeader, SesFlag
from uet.transport.wire.memory import load8, load16, load32, load64, store8, store16, store32, store64
from uet.transport.wire.refusal import Refusal
from uet.transport.wire.ses import SES

_STD, _MEDIUM, _SMALL = (SES[n] for n in (NextHeader.REQUEST_STD, NextHeader.REQUEST_MEDIUM, NextHeader.REQUEST_SMALL))
_RESPONSE, _DATA, _DATA_SMALL = (
    SES[n] for n in (NextHeader.RESPONSE, NextHeader.RESPONSE_DATA, NextHeader.RESPONSE_DATA_SMALL)
)
_IS_STD, _IS_MEDIUM = int(NextHeader.REQUEST_STD), int(NextHeader.REQUEST_MEDIUM)
_IS_RESPONSE, _IS_DATA = int(NextHeader.RESPONSE), int(NextHeader.RESPONSE_DATA)
_SOM, _HEADER_DATA = int(SesFlag.SOM), int(SesFlag.HEADER_DATA)
_SINGLE = int(SesFlag.SOM | SesFlag.EOM)

_VERSION_AT = _STD.byte_offset("version")
_ID = _STD.byte_offset("message_id")  # request_length of small and medium requests
_JOB = _STD.byte_offset("ri_generation")  # with the job behind it
_PID = _STD.byte_offset("pid_on_fep")
_RESOURCE = _STD.byte_offset("resource_index")
_BUFFER = _STD.byte_offset("buffer_offset")
_STD_INITIATOR, _STD_KEY = _STD.byte_offset("initiator"), _STD.byte_offset("memory_key")
_STD_HEADER_DATA = _STD.byte_offset("header_data", som=1)
_STD_PAYLOAD, _STD_OFFSET = _STD_HEADER_DATA, _STD.byte_offset("message_offset")
_STD_LENGTH = _STD.byte_offset("request_length")
_MEDIUM_INITIATOR, _MEDIUM_KEY = _MEDIUM.byte_offset("initiator"), _MEDIUM.byte_offset("memory_key")
_MODIFIED = _RESPONSE.byte_offset("modified_length")
_REQUEST_ID = _DATA.byte_offset("read_request_message_id")
_DATA_PAYLOAD = _REQUEST_ID + 2
_DATA_MODIFIED, _DATA_OFFSET = _DATA.byte_offset("modified_length"), _DATA.byte_offset("message_offset")
_SMALL_PAYLOAD = _ID
_ORIGINAL_PSN = _DATA_SMALL.byte_offset("original_request_psn")

_BITS_14 = (1 << 14) - 1
_BITS_24 = (1 << 24) - 1
_TOO_WIDE, _VERSION = int(Refusal.TOO_WIDE), int(Refusal.VERSION)
_PAYLOAD_LENGTH, _NOT_SINGLE = int(Refusal.PAYLOAD_LENGTH), int(Refusal.NOT_SINGLE)


@kernel
def encode_ses(packet: Any, ses: Any, next_hdr: int, out: int) -> int:
    """Write the SES header that `next_hdr` announces to `out`, which has room. Returns 0 or a `Refusal`."""
    opcode, job = np.int64(ses["opcode"]), np.int64(ses["job_id"])
    if job >> 24 or opcode >> 6:
        return _TOO_WIDE
    if next_hdr >= _IS_RESPONSE:
        return _encode_response(packet, ses, next_hdr, out)
    flags, pid, resource = np.int64(packet["detail"]), np.int64(ses["pid_on_fep"]), np.int64(ses["resource_index"])
    if flags >> 6 or pid >> 12 or resource >> 12:
        return _TOO_WIDE
    store8(out, opcode)
    store8(out + _VERSION_AT, flags)
    store32(out + _JOB, np.int64(ses["ri_generation"]) << 24 | job)
    store16(out + _PID, pid)
    store16(out + _RESOURCE, resource)
    if next_hdr == _IS_STD:
        return _encode_standard(packet, ses, flags & _SOM, out)
    if flags & _SINGLE != _SINGLE:
        return _NOT_SINGLE
    length = np.int64(ses["request_length"])
    if length >> 14:
        return _TOO_WIDE
    store16(out + _ID, length)
    if next_hdr == _IS_MEDIUM:
        store64(out + _BUFFER, ses["header_data"] if flags & _HEADER_DATA else ses["buffer_offset"])
        store32(out + _MEDIUM_INITIATOR, np.int64(ses["initiator"]))
        store64(out + _MEDIUM_KEY, ses["match_bits"])
    else:
        store64(out + _BUFFER, ses["buffer_offset"])
    return 0


@kernel
def _encode_standard(packet: Any, ses: Any, som: int, out: int) -> int:
    store16(out + _ID, np.int64(ses["message_id"]))
    store64(out + _BUFFER, ses["buffer_offset"])
    store32(out + _STD_INITIATOR, np.int64(ses["initiator"]))
    store64(out + _STD_KEY, ses["match_bits"])
    if som:
        store64(out + _STD_HEADER_DATA, ses["header_data"])
    else:
        payload = np.int64(packet["payload_bytes"])
        if payload >> 14:
            return _TOO_WIDE
        store32(out + _STD_PAYLOAD, payload)
        store32(out + _STD_OFFSET, np.int64(packet["argument"]))
    store32(out + _STD_LENGTH, np.int64(ses["request_length"]))
    return 0


@kernel
def _encode_response(packet: Any, ses: Any, next_hdr: int, out: int) -> int:
    where, result = np.int64(ses["list"]), np.int64(ses["return_code"])
    payload, job = np.int64(packet["payload_bytes"]), np.int64(ses["job_id"])
    if where >> 2 or result >> 6 or (next_hdr != _IS_RESPONSE and payload >> 14):
        return _TOO_WIDE
    store8(out, where << 6 | np.int64(ses["opcode"]))
    store8(out + _VERSION_AT, result)
    if next_hdr == _IS_RESPONSE:
        store16(out + _ID, np.int64(ses["message_id"]))
        store32(out + _JOB, np.int64(ses["ri_generation"]) << 24 | job)
        store32(out + _MODIFIED, np.int64(ses["modified_length"]))
        return 0
    store32(out + _JOB, job)
    if next_hdr == _IS_DATA:
        store16(out + _ID, np.int64(ses["message_id"]))
        store16(out + _REQUEST_ID, np.int64(ses["request_id"]))
        store16(out + _DATA_PAYLOAD, payload)
        store32(out + _DATA_MODIFIED, np.int64(ses["modified_length"]))
        store32(out + _DATA_OFFSET, np.int64(packet["argument"]))
    else:
        store16(out + _SMALL_PAYLOAD, payload)
        store32(out + _ORIGINAL_PSN, np.int64(packet["argument"]))
    return 0


@kernel
def decode_ses(packet: Any, ses: Any, next_hdr: int, data: int) -> int:
    """Fill `ses`, and the fields of `packet` that SES carries, from a whole header at `data`.

    `packet.payload_bytes` must be set. Fields that do not travel become 0. Returns 0 or a `Refusal`.
    """
    _clear(ses)
    flags = load8(data + _VERSION_AT)
    if next_hdr >= _IS_RESPONSE:
        return _decode_response(packet, ses, next_hdr, data)
    if flags >> 6:
        return _VERSION
    job = load32(data + _JOB)
    packet["detail"] = flags
    ses["opcode"] = load8(data) & 63
    ses["ri_generation"], ses["job_id"] = job >> 24, job & _BITS_24
    ses["pid_on_fep"] = load16(data + _PID) & 0xFFF
    ses["resource_index"] = load16(data + _RESOURCE) & 0xFFF
    if next_hdr == _IS_STD:
        return _decode_standard(packet, ses, flags & _SOM, data)
    if flags & _SINGLE != _SINGLE:
        return _NOT_SINGLE
    ses["request_length"] = load16(data + _ID) & _BITS_14
    first = load64(data + _BUFFER)
    if next_hdr == _IS_MEDIUM:
        ses["initiator"] = load32(data + _MEDIUM_INITIATOR)
        ses["match_bits"] = load64(data + _MEDIUM_KEY)
        if flags & _HEADER_DATA:
            ses["header_data"] = first
            return 0
    ses["buffer_offset"] = first
    return 0


@kernel
def _clear(ses: Any) -> None:
    zero = np.uint64(0)
    ses["buffer_offset"], ses["match_bits"], ses["header_data"] = zero, zero, zero
    ses["initiator"], ses["job_id"], ses["request_length"], ses["modified_length"] = 0, 0, 0, 0
    ses["message_id"], ses["request_id"], ses["pid_on_fep"], ses["resource_index"] = 0, 0, 0, 0
    ses["opcode"], ses["ri_generation"], ses["return_code"], ses["list"] = 0, 0, 0, 0


@kernel
def _decode_standard(packet: Any, ses: Any, som: int, data: int) -> int:
    ses["message_id"] = load16(data + _ID)
    ses["buffer_offset"] = load64(data + _BUFFER)
    ses["initiator"] = load32(data + _STD_INITIATOR)
    ses["match_bits"] = load64(data + _STD_KEY)
    ses["request_length"] = load32(data + _STD_LENGTH)
    if som:
        ses["header_data"] = load64(data + _STD_HEADER_DATA)
        return 0
    packet["argument"] = load32(data + _STD_OFFSET)
    announced = load32(data + _STD_PAYLOAD) & _BITS_14
    return 0 if announced == np.int64(packet["payload_bytes"]) else _PAYLOAD_LENGTH


@kernel
def _decode_response(packet: Any, ses: Any, next_hdr: int, data: int) -> int:
    first, second, job = load8(data), load8(data + _VERSION_AT), load32(data + _JOB)
    if second >> 6:
        return _VERSION
    ses["list"], ses["opcode"], ses["return_code"] = first >> 6, first & 63, second
    ses["job_id"] = job & _BITS_24
    payload = np.int64(packet["payload_bytes"])
    if next_hdr == _IS_RESPONSE:
        ses["message_id"] = load16(data + _ID)
        ses["ri_generation"] = job >> 24
        ses["modified_length"] = load32(data + _MODIFIED)
        return 0
    if next_hdr == _IS_DATA:
        ses["message_id"] = load16(data + _ID)
        ses["request_id"] = load16(data + _REQUEST_ID)
        ses["modified_length"] = load32(data + _DATA_MODIFIED)
        packet["argument"] = load32(data + _DATA_OFFSET)
        announced = load16(data + _DATA_PAYLOAD) & _BITS_14
    else:
        packet["argument"] = load32(data + _ORIGINAL_PSN)
        announced = load16(data + _SMALL_PAYLOAD) & _BITS_14
    return 0 if announced == payload else _PAYLOAD_LENGTH


@kernel
def same_ses(a: Any, b: Any, next_hdr: int, flags: int) -> bool:
    """Tell whether two SES records agree in all fields that travel under `next_hdr` and SES `flags`."""
    if a["opcode"] != b["opcode"] or a["job_id"] != b["job_id"]:
        return False
    if next_hdr >= _IS_RESPONSE:
        return _same_response(a, b, next_hdr)
    if (
        a["ri_generation"] != b["ri_generation"]
        or a["pid_on_fep"] != b["pid_on_fep"]
        or a["resource_index"] != b["resource_index"]
        or a["request_length"] != b["request_length"]
    ):
        return False
    standard, medium = next_hdr == _IS_STD, next_hdr == _IS_MEDIUM
    data_in_medium = medium and flags & _HEADER_DATA
    if not data_in_medium and a["buffer_offset"] != b["buffer_offset"]:
        return False
    if (data_in_medium or (standard and flags & _SOM)) and a["header_data"] != b["header_data"]:
        return False
    if (standard or medium) and (a["initiator"] != b["initiator"] or a["match_bits"] != b["match_bits"]):
        return False
    return not standard or a["message_id"] == b["message_id"]


@kernel
def _same_response(a: Any, b: Any, next_hdr: int) -> bool:
    if a["list"] != b["list"] or a["return_code"] != b["return_code"]:
        return False
    if next_hdr == _IS_RESPONSE and a["ri_generation"] != b["ri_generation"]:
        return False
    if next_hdr == _IS_DATA and a["request_id"] != b["request_id"]:
        return False
    whole = next_hdr in (_IS_RESPONSE, _IS_DATA)
    return not whole or (a["message_id"] == b["message_id"] and a["modified_length"] == b["modified_length"])
