"""Human forms of header fields: names of numbers, addresses, and numbers that offsets lead to."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from uet.base.errors import BadInput
from uet.transport.wire.fields import Header

_PSN = (1 << 32) - 1


def text_of(header: Header, fields: Mapping[str, int]) -> dict[str, str]:
    """Return the fields that read better as text: named numbers and addresses."""
    text = {}
    for f in header.fields:
        value = fields.get(f.name)
        if value is None:
            continue
        if f.enum is not None and value in f.enum._value2member_map_:
            text[f.name] = f.enum(value).name
        elif f.name in ("src", "dst"):
            text[f.name] = address_text(value, f.bits)
    return text


def address_text(value: int, bits: int) -> str:
    """Return a MAC (48 bits), IPv4 (32) or IPv6 (128) address as usually written."""
    if bits == 48:
        return value.to_bytes(6, "big").hex(":")
    return str(IPv4Address(value) if bits == 32 else IPv6Address(value))


def address_number(text: str, bits: int) -> int:
    """Return the number of a written address; see `address_text`. Raises BadInput for no such address."""
    try:
        if bits == 48:
            octets = bytes.fromhex(text.replace(":", " ").replace("-", " "))
            if len(octets) != 6:
                raise ValueError
            return int.from_bytes(octets, "big")
        return int(IPv4Address(text) if bits == 32 else IPv6Address(text))
    except (AddressValueError, ValueError):
        kind = {48: "a MAC address such as 02:00:00:00:00:01", 32: "an IPv4 address", 128: "an IPv6 address"}[bits]
        raise BadInput(f"'{text}' is not {kind}") from None


def derived(header: Header, fields: Mapping[str, int]) -> dict[str, int]:
    """Return the packet numbers that the header gives as differences to another."""
    pairs = {
        "clear_psn": ("psn", "clear_psn_offset", 1),
        "start_psn": ("psn", "psn_offset", -1),
        "ack_psn": ("cack_psn", "ack_psn_offset", 1),
        "sack_base_psn": ("cack_psn", "sack_psn_offset", 1),
    }
    if not header.name.startswith("pds."):
        return {}
    return {
        name: (fields[base] + sign * fields[offset]) & _PSN
        for name, (base, offset, sign) in pairs.items()
        if base in fields and offset in fields and name not in fields
    }
