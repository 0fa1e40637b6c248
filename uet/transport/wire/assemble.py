"""A document to bytes: the inverse of `dissect.decode_packet`.

Fields that are not given get their default; numbers that follow from the rest (types of what
comes next, lengths, IPv4 checksum, CRC) are worked out when absent and kept as they are when given.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from uet.base.errors import BadInput, nearest
from uet.transport.wire.checksum import internet_checksum
from uet.transport.wire.codes import NATIVE_PROTOCOL, EtherType, IpProtocol
from uet.transport.wire.fields import DEFAULT_SETTINGS, Settings
from uet.transport.wire.headers import HEADERS
from uet.transport.wire.network import IPV4, IPV6
from uet.transport.wire.plain import encode_header
from uet.transport.wire.ses import SES
from uet.transport.wire.text import address_number
from uet.transport.wire.trailer import CRC_BYTES, CRC_CHOICES, ICV_BYTES, crc_bytes

_RAW = ("payload", "padding", "options")
_FIXED = {"crc": CRC_BYTES, "icv": ICV_BYTES}
_NEXT = {
    ("ethertype", "ipv4"): EtherType.IPV4,
    ("ethertype", "ipv6"): EtherType.IPV6,
    ("ethertype", "vlan"): EtherType.VLAN,
    ("protocol", "udp"): IpProtocol.UDP,
    ("protocol", "entropy"): NATIVE_PROTOCOL,
    ("next_header", "udp"): IpProtocol.UDP,
    ("next_header", "entropy"): NATIVE_PROTOCOL,
    **{("next_hdr", ses.name): number for number, ses in SES.items()},
}
"""What a header says about the one behind it, by (field, name of the next header)."""


def encode_packet(document: Mapping[str, Any], settings: Settings = DEFAULT_SETTINGS) -> bytes:
    """Return the bytes of the packet that `document` describes; only its `headers` are read.

    Raises BadInput naming the header and field for anything that is not a legal header.
    """
    names, fields = _parts(document)
    for i, name in enumerate(names):
        _announce_next(name, fields[i], names[i + 1] if i + 1 < len(names) else "")
    pieces = [_piece(name, given, settings) for name, given in zip(names, fields, strict=True)]
    _fill_lengths(names, fields, pieces)
    pieces = [_piece(name, given, settings) for name, given in zip(names, fields, strict=True)]
    _fill_checksums(names, fields, pieces, settings)
    return b"".join(pieces)


def _parts(document: Mapping[str, Any]) -> tuple[list[str], list[dict[str, Any]]]:
    headers = document.get("headers") if isinstance(document, Mapping) else None
    if not isinstance(headers, list) or not headers:
        raise BadInput('a packet document is {"headers": [{"name": ..., "fields": {...}}, ...]}')
    names, fields = [], []
    legal = (*HEADERS, *_RAW, *_FIXED)
    for i, entry in enumerate(headers):
        name = entry.get("name") if isinstance(entry, Mapping) else None
        given = entry.get("fields", {}) if isinstance(entry, Mapping) else None
        if not isinstance(name, str) or name not in legal:
            raise BadInput(f"headers[{i}]: no header is called '{name}'; {nearest(str(name), legal)}")
        if not isinstance(given, Mapping):
            raise BadInput(f"headers[{i}] ({name}): fields must be an object of field names and numbers")
        names.append(name)
        fields.append(_numbers(name, given))
    return names, fields


def _numbers(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields with written addresses as numbers."""
    fields = dict(given)
    for f in HEADERS[name].fields if name in HEADERS else ():
        if f.name in ("src", "dst") and isinstance(fields.get(f.name), str):
            fields[f.name] = address_number(fields[f.name], f.bits)
        elif f.name == "type" and fields.get("type", f.default) != f.default:
            raise BadInput(f"{name}: type {fields['type']} is not that of this header; it must be {f.default}")
    return fields


def _announce_next(name: str, fields: dict[str, Any], following: str) -> None:
    for f in HEADERS[name].fields if name in HEADERS else ():
        number = _NEXT.get((f.name, following))
        if number is not None:
            fields.setdefault(f.name, int(number))


def _piece(name: str, fields: Mapping[str, Any], settings: Settings) -> bytes:
    if name in _RAW:
        try:
            return bytes.fromhex(fields["data"])
        except (KeyError, TypeError, ValueError):
            raise BadInput(f"{name}: data must be text of hexadecimal digits") from None
    if name in _FIXED:
        return _number(name, fields.get(name, 0)).to_bytes(_FIXED[name], "big")
    return encode_header(HEADERS[name], fields, settings)


def _number(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << (8 * _FIXED[name]):
        raise BadInput(f"{name}: {name} is {value!r}; write a whole number of at most {_FIXED[name]} bytes")
    return value


def _fill_lengths(names: list[str], fields: list[dict[str, Any]], pieces: list[bytes]) -> None:
    for i, (name, given) in enumerate(zip(names, fields, strict=True)):
        rest = sum(len(piece) for piece, other in zip(pieces[i:], names[i:], strict=True) if other != "padding")
        if name == "ipv4":
            options = pieces[i + 1] if names[i + 1 : i + 2] == ["options"] else b""
            given.setdefault("total_length", rest)
            given.setdefault("ihl", (len(pieces[i]) + len(options)) // 4)
        elif name == "ipv6":
            given.setdefault("payload_length", rest - len(pieces[i]))
        elif name == "udp":
            given.setdefault("length", rest)


def _fill_checksums(names: list[str], fields: list[dict[str, Any]], pieces: list[bytes], settings: Settings) -> None:
    """Put the IPv4 checksum, the UDP checksum (over IPv6 without a CRC) and the CRC into `pieces`."""
    addresses: int | None = None
    uet = 0
    for i, (name, given) in enumerate(zip(names, fields, strict=True)):
        at = sum(map(len, pieces[:i]))
        if name == "ipv4":
            addresses = at + IPV4.byte_offset("src")
            if "header_checksum" not in given:
                header = pieces[i] + (pieces[i + 1] if names[i + 1 : i + 2] == ["options"] else b"")
                pieces[i] = _piece(name, given | {"header_checksum": internet_checksum(header)}, settings)
        elif name == "ipv6":
            addresses = at + IPV6.byte_offset("src")
        elif name == "udp":
            uet = at + len(pieces[i])
            if names[:i][-1:] == ["ipv6"] and "checksum" not in given and "crc" not in names:
                pieces[i] = _piece(name, given | {"checksum": _udp6_checksum(names, pieces, i)}, settings)
        elif name == "entropy":
            uet = at + len(pieces[i])
        elif name == "crc":
            pieces[i] = _crc(b"".join(pieces[:i]), given, addresses, uet)


def _udp6_checksum(names: list[str], pieces: list[bytes], i: int) -> int:
    body = b"".join(piece for piece, name in zip(pieces[i:], names[i:], strict=True) if name != "padding")
    addresses = pieces[i - 1][IPV6.byte_offset("src") :]
    return internet_checksum(addresses + len(body).to_bytes(4, "big") + b"\0\0\0\x11" + body) or 0xFFFF


def _crc(packet: bytes, fields: Mapping[str, Any], addresses: int | None, uet: int) -> bytes:
    variant = fields.get("variant", "payload-be" if addresses is None else "refprov")
    if variant not in CRC_CHOICES[1:3]:
        raise BadInput(f"crc: no variant is called '{variant}'; {nearest(str(variant), CRC_CHOICES[1:3])}")
    if "crc" in fields:
        return _number("crc", fields["crc"]).to_bytes(CRC_BYTES, "little" if variant == "refprov" else "big")
    if variant == "refprov" and addresses is None:
        raise BadInput("crc: variant refprov covers the IP addresses; put an ipv4 or ipv6 header in front")
    return crc_bytes(packet, uet, addresses, variant)
