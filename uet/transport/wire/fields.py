"""Declarative header tables: every field of every header is written once, in the order of the wire.

A header is a block of text, one field per line:

    name bits when source meaning...

* `bits` is a width, then optionally `s` (signed), `v` (a view: another name for the bits that
  follow, which it does not consume), `=N` (the value when none is given) and `:Enum` (the names of
  its values, an enumeration of `codes`). A field called `rsvd` is sent as 0.
* `when` is `-` (always) or conditions on earlier fields, joined by `&`: `syn=1`, `opcode!=8|11`;
  `@name` compares a setting (see `Settings`).
* `source` is a confidence mark and the public code the field was taken from: A three or more
  independent code bases agree or a standard says so, B two agree or one with an exact citation, C one or
  secondary, D uncertain.

All fields are big-endian, most significant bit first. The plain codec (`plain`), the jitted codec
(`codec`), the scapy layers, the Wireshark dissector and the documentation are all made from these
tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from uet.base.errors import BadInput, nearest
from uet.transport.wire import codes

SOURCES = {
    "RP": "ultraethernet/uet-ref-prov (uet_pkt_hdr.h, uet_pds.c, uet_sec.c), the reference provider",
    "WS": "wireshark epan/dissectors/packet-uet.c",
    "X2": "xdp2-dev/xdp2 src/include/uet",
    "N3": "HanGuTalker/uet-simulator (ns-3, cites UE 1.0.3)",
    "IX": "ixnetwork_restpy field lists",
    "SU": "miharulidze/suet-fork, software UET provider",
    "SF": "lipu0324/Soft-UE",
    "HT": "ultraethernet/uet-htsim",
    "IEEE802.3": "IEEE 802.3 clause 3",
    "IEEE802.1Q": "IEEE 802.1Q clause 9",
    "RFC791": "RFC 791, RFC 2474 and RFC 3168",
    "RFC8200": "RFC 8200, RFC 2474 and RFC 3168",
    "RFC768": "RFC 768",
}


def _setting(default: Any, meaning: str) -> Any:
    return field(default=default, metadata={"meaning": meaning})


@dataclass(frozen=True)
class Settings:
    """Choices where public sources disagree; the defaults are the better supported readings."""

    ack_ccx_bytes: int = _setting(40, "ACK_CCX header: 40 (RP, WS) or 32 (X2)")
    nack_ccx_bytes: int = _setting(32, "NACK_CCX header: 32 (RP, WS) or 24 (X2)")
    response_bytes: int = _setting(12, "SES response: 12 (RP, WS, X2, IX) or 16 with four zero bytes (N3)")
    native_protocols: tuple[int, ...] = _setting((253, 254), "IP protocol numbers that mean UET over native IP")
    tss_clear_bytes: int = _setting(0, "bytes after a TSS header that its secure domain leaves in clear text")

    def conditions(self) -> dict[str, int]:
        """Return the settings that field conditions may name, each with `@` in front."""
        names = ("ack_ccx_bytes", "nack_ccx_bytes", "response_bytes")
        return {f"@{name}": getattr(self, name) for name in names}


DEFAULT_SETTINGS = Settings()


@dataclass(frozen=True)
class Condition:
    """`field` must (or, negated, must not) have one of `values`."""

    field: str
    values: tuple[int, ...]
    negated: bool

    def holds(self, values: Mapping[str, int]) -> bool:
        """Tell whether the condition holds for the fields read so far."""
        return (values.get(self.field, 0) in self.values) != self.negated


@dataclass(frozen=True)
class WireField:
    """One field: name, width [bits], when it is present, where it was found and what it means."""

    name: str
    bits: int
    signed: bool
    view: bool
    default: int
    enum: type[IntEnum] | None
    when: tuple[Condition, ...]
    source: str
    meaning: str

    @property
    def reserved(self) -> bool:
        """Whether the field is sent as 0 and means nothing."""
        return self.name.startswith("rsvd")

    @property
    def condition(self) -> str:
        """The conditions as they were written, '' when the field is always present."""
        parts = (f"{c.field}{'!=' if c.negated else '='}{'|'.join(map(str, c.values))}" for c in self.when)
        return "&".join(parts)

    def present(self, values: Mapping[str, int]) -> bool:
        """Tell whether the field is there, given the fields before it."""
        return all(condition.holds(values) for condition in self.when)


@dataclass(frozen=True)
class Header:
    """One header: its name in documents, a title, and its fields in the order of the wire."""

    name: str
    title: str
    fields: tuple[WireField, ...]

    @property
    def kind(self) -> str:
        """The part of the name after the layer, e.g. 'rud_req' of 'pds.rud_req'."""
        return self.name.split(".")[-1]

    def bit_offset(self, name: str, **values: int) -> int:
        """Return the first bit of field `name`, given the `values` its place depends on.

        Raises KeyError when the field is not there under these values.
        """
        at = 0
        seen = DEFAULT_SETTINGS.conditions() | values
        for f in self.fields:
            if not f.present(seen):
                continue
            if f.name == name:
                return at
            at += 0 if f.view else f.bits
        raise KeyError(f"{self.name} has no field {name} under {values}")

    def byte_offset(self, name: str, **values: int) -> int:
        """Return the byte that holds the first bit of field `name`; see `bit_offset`."""
        return self.bit_offset(name, **values) // 8

    def size(self, settings: Settings = DEFAULT_SETTINGS, **values: int) -> int:
        """Return the header's bytes, given the `values` its length depends on."""
        seen = settings.conditions() | values
        return sum(f.bits for f in self.fields if not f.view and f.present(seen)) // 8


def header(name: str, title: str, layout: str) -> Header:
    """Build a Header from a table as described at the top of this file. Raises ValueError on a bad line."""
    fields: list[WireField] = []
    for line in layout.strip().splitlines():
        label, bits, when, source, meaning = line.split(maxsplit=4)
        if label == "rsvd":
            label = f"rsvd{sum(f.reserved for f in fields)}"
        fields.append(_field(label, bits, when, source, meaning))
    return Header(name, title, tuple(fields))


def _field(name: str, bits: str, when: str, source: str, meaning: str) -> WireField:
    bits, _, enum_name = bits.partition(":")
    bits, _, default = bits.partition("=")
    conditions = () if when == "-" else tuple(map(_condition, when.split("&")))
    return WireField(
        name=name,
        bits=int(bits.rstrip("sv")),
        signed=bits.endswith("s"),
        view=bits.endswith("v"),
        default=int(default or 0),
        enum=getattr(codes, enum_name) if enum_name else None,
        when=conditions,
        source=source,
        meaning=meaning,
    )


def _condition(text: str) -> Condition:
    name, _, values = text.partition("=")
    return Condition(name.rstrip("!"), tuple(int(v) for v in values.split("|")), name.endswith("!"))


def find_header(kind: str, headers: Mapping[str, Header]) -> Header:
    """Return the header called `kind`, with or without its layer. Raises BadInput for an unknown one."""
    if kind in headers:
        return headers[kind]
    matches = [h for h in headers.values() if h.kind == kind.lower()]
    if not matches:
        raise BadInput(f"no header is called '{kind}'; {nearest(kind, headers)}")
    return matches[0]
