"""Reading protocol buffer messages by a table of their fields, without a schema compiler.

Wire format (public): a message is a row of keys and values; key = field number * 8 + wire type. Wire type 0 is
a varint, 1 eight bytes, 2 a varint length and so many bytes, 5 four bytes. Fields that the table does not
name are passed over.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

from uet.base.errors import BadInput

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

_SCALARS: dict[str, tuple[int, str]] = {
    "double": (FIXED64, "<d"), "fixed64": (FIXED64, "<Q"), "sfixed64": (FIXED64, "<q"),
    "float": (FIXED32, "<f"), "fixed32": (FIXED32, "<I"), "sfixed32": (FIXED32, "<i"),
    "int32": (VARINT, "signed"), "int64": (VARINT, "signed"), "uint32": (VARINT, ""), "uint64": (VARINT, ""),
    "sint32": (VARINT, "zigzag"), "sint64": (VARINT, "zigzag"), "bool": (VARINT, "bool"),
    "string": (BYTES, "text"), "bytes": (BYTES, ""),
}  # fmt: skip

Fields = dict[int, tuple[str, Any]]
"""Field number -> (name, kind): a scalar's name, ('repeated', scalar), or the Fields of a message within."""


class Bytes:
    """A stretch of a file that is read from front to back; errors name the file and the byte."""

    def __init__(self, data: bytes, source: str, at: int = 0, end: int | None = None) -> None:
        """Start at byte `at` of `data`, up to `end`."""
        self.data, self.source, self.at = data, source, at
        self.end = len(data) if end is None else end

    def bad(self, what: str) -> BadInput:
        """Return the error that says what is wrong here."""
        return BadInput(f"{self.source}: byte {self.at}: {what}; the file is cut short, damaged, or no such file")

    def varint(self) -> int:
        """Read a number of up to 64 bits."""
        number = 0
        for shift in range(0, 70, 7):
            if self.at >= self.end:
                raise self.bad("ends within a number")
            byte = self.data[self.at]
            self.at += 1
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                return number & (2**64 - 1)
        raise self.bad("a number of more than 64 bits")

    def piece(self, n_bytes: int) -> Bytes:
        """Read so many bytes."""
        if n_bytes > self.end - self.at:
            raise self.bad(f"{n_bytes} bytes are announced but {self.end - self.at} are left")
        piece = Bytes(self.data, self.source, self.at, self.at + n_bytes)
        self.at += n_bytes
        return piece

    def messages(self) -> Iterator[Bytes]:
        """Yield messages that each stand behind their length."""
        while self.at < self.end:
            yield self.piece(self.varint())


def decode(piece: Bytes, fields: Fields) -> dict[str, Any]:
    """Return the fields of one message by name; repeated ones are lists, absent ones absent.

    Raises BadInput at the byte where it is no such message.
    """
    found: dict[str, Any] = {}
    while piece.at < piece.end:
        key = piece.varint()
        number, wire = key >> 3, key & 7
        value = _value(piece, wire)
        if number == 0:
            raise piece.bad("field number 0")
        if number not in fields:
            continue
        name, kind = fields[number]
        if isinstance(kind, tuple):
            found.setdefault(name, []).extend(_repeated(piece, wire, value, kind[1]))
        elif isinstance(kind, dict):
            found[name] = decode(_expect(piece, wire, value, BYTES), kind)
        else:
            found[name] = _scalar(piece, wire, value, kind)
    return found


def _value(piece: Bytes, wire: int) -> int | Bytes:
    if wire == VARINT:
        return piece.varint()
    if wire == BYTES:
        return piece.piece(piece.varint())
    if wire in (FIXED32, FIXED64):
        return piece.piece(4 if wire == FIXED32 else 8)
    raise piece.bad(f"wire type {wire}")


def _expect(piece: Bytes, wire: int, value: Any, wanted: int) -> Any:
    if wire != wanted:
        raise piece.bad(f"a field of wire type {wire} where {wanted} belongs")
    return value


def _scalar(piece: Bytes, wire: int, value: int | Bytes, kind: str) -> Any:
    wanted, how = _SCALARS[kind]
    value = _expect(piece, wire, value, wanted)
    if isinstance(value, int):
        if how == "signed":
            return value - 2**64 if value >= 2**63 else value
        if how == "zigzag":
            return value >> 1 ^ -(value & 1)
        return bool(value) if how == "bool" else value
    raw = value.data[value.at : value.end]
    if how == "text":
        return raw.decode("utf-8", "replace")
    return struct.unpack(how, raw)[0] if how else raw


def _repeated(piece: Bytes, wire: int, value: int | Bytes, kind: Any) -> list[Any]:
    """Return the elements of one occurrence of a repeated field: one element, or many numbers packed together."""
    if isinstance(kind, dict):
        return [decode(_expect(piece, wire, value, BYTES), kind)]
    wanted = _SCALARS[kind][0]
    if wire != BYTES or wanted == BYTES or not isinstance(value, Bytes):
        return [_scalar(piece, wire, value, kind)]
    packed = []
    while value.at < value.end:
        packed.append(_scalar(value, wanted, _value(value, wanted), kind))
    return packed
