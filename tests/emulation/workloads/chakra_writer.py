"""Chakra files for tests: protocol buffer messages written by hand."""

from __future__ import annotations

import struct
from typing import Any

NUMBERS = {
    "double": 3, "float": 5, "int32": 7, "int64": 9, "uint32": 11, "uint64": 13, "sint32": 15, "sint64": 17,
    "fixed32": 19, "fixed64": 21, "sfixed32": 23, "sfixed64": 25, "bool": 27, "string": 29, "bytes": 31,
}  # fmt: skip
_PACKED = {"double": "<d", "float": "<f", "fixed32": "<I", "fixed64": "<Q", "sfixed32": "<i", "sfixed64": "<q"}


def varint(number: int) -> bytes:
    number &= 2**64 - 1
    out = b""
    while number >= 0x80:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def field(number: int, content: bytes | int) -> bytes:
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    return varint(number << 3 | 2) + varint(len(content)) + content


def scalar(number: int, kind: str, value: Any) -> bytes:
    if kind in _PACKED:
        raw = struct.pack(_PACKED[kind], value)
        return varint(number << 3 | (5 if len(raw) == 4 else 1)) + raw
    if kind == "string":
        return field(number, value.encode())
    if kind == "bytes":
        return field(number, value)
    return field(number, value << 1 ^ value >> 63 if kind.startswith("sint") else int(value))


def attribute(name: str, value: Any, kind: str = "int64", many: bool = False) -> bytes:
    body = field(1, name.encode())
    if many:
        packed = kind not in ("string", "bytes")
        items = [scalar(1, kind, v) for v in value]
        content = field(1, b"".join(i[1:] for i in items)) if packed else b"".join(items)
        return body + field(NUMBERS[kind] + 1, content)
    return body + scalar(NUMBERS[kind], kind, value)


def node(
    number: int, name: str, kind: int, attributes: list[bytes] | None = None, control: tuple[int, ...] = (),
    data: tuple[int, ...] = (), duration_us: int = 0, tensors: str = "",
) -> bytes:  # fmt: skip
    body = field(1, number) if number else b""
    body += field(2, name.encode()) + field(3, kind)
    body += b"".join(field(4, c) for c in control)
    body += field(5, b"".join(varint(d) for d in data)) if data else b""
    body += field(7, duration_us)
    body += field(8, field(1, tensors.encode())) if tensors else b""
    return body + b"".join(field(10, a) for a in attributes or [])


def file(*nodes: bytes, version: str = "0.0.4") -> bytes:
    about = field(1, version.encode())
    return b"".join(varint(len(m)) + m for m in (about, *nodes))
