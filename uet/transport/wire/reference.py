"""The header reference docs/wire.md, written from the field tables: python -m uet.transport.wire.reference."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterable

from uet.transport.wire.fields import DEFAULT_SETTINGS, SOURCES, Header, Settings, WireField
from uet.transport.wire.headers import HEADERS
from uet.transport.wire.plain import describe_header
from uet.transport.wire.refusal import Refusal

_INTRODUCTION = """# Byte formats

Written by `make docs` from the field tables in `uet/transport/wire/`; a test keeps it true. The plain codec
behind `uet wire`, the jitted codec of simulator and testbed, the scapy layers and the Wireshark dissector
(`uet wire lua`) are made from the same tables.

Order on the wire: Ethernet, VLAN tags, IPv4 or IPv6, UDP or the entropy header, TSS header if any, PDS, SES,
extension, payload, and 4 bytes of CRC-32C or the 16 bytes of TSS's integrity check value.

- Over UDP (port 4793) the source port is the entropy value (EV). Over native IP, whose protocol number is
  not assigned yet (253 and 254 are taken), an entropy header stands in its place.
- A trimmed packet is cut after 16 bytes of UET or more; its DSCP tells so, its UDP length still gives the
  original size, and its CRC is not checked.
- CRC-32C, by choice: `refprov` covers from the IP source address to the end of the payload and is stored
  little-endian, as uet-ref-prov does on x86; `payload-be` covers the UET bytes and is stored big-endian, as
  uet-simulator does; `auto` takes whichever matches.
- All fields are big-endian. *view* is a second name for the bits that follow. *when* says under which earlier
  fields a field is there; `@name` is a setting (below). Reserved fields are sent as 0.

The letter in front of a source is how sure it is: A three or more independent code bases agree, or a standard
says so, B two agree or one with an exact citation, C one or secondary, D uncertain.
"""


def reference() -> str:
    """Return the Markdown text of docs/wire.md."""
    parts = [_INTRODUCTION, "| source | what |", "|---|---|"]
    parts += [f"| {tag} | {what} |" for tag, what in SOURCES.items()]
    parts += [
        "",
        "## Settings",
        "",
        "Where public sources disagree:",
        "",
        "| setting | default | meaning |",
        "|---|---|---|",
    ]
    parts += [f"| `{f.name}` | {f.default} | {f.metadata['meaning']} |" for f in dataclasses.fields(Settings)]
    for header in HEADERS.values():
        parts += ["", *_section(header)]
    parts += ["", *_values({f.enum.__name__: f for h in HEADERS.values() for f in h.fields if f.enum}.values())]
    parts += ["", "## Refusals", "", "What the jitted codec returns for bytes it refuses.", "", "| number | name |"]
    parts += ["|---|---|", *(f"| {reason.value} | {reason.name} |" for reason in Refusal), ""]
    return "\n".join(parts)


def _section(header: Header) -> list[str]:
    rows = [
        f"## `{header.name}`: {header.title}, {_sizes(header)} bytes",
        "",
        "| byte.bit | bits | field | when | meaning | source |",
        "|---|---|---|---|---|---|",
    ]
    for row, f in zip(describe_header(header), header.fields, strict=True):
        at, bits = int(str(row["bit"])), f"{f.bits}{' signed' if f.signed else ''}{' view' if f.view else ''}"
        meaning = f.meaning + (f" (`{f.enum.__name__}`)" if f.enum else "")
        when = f"`{f.condition}`".replace("|", "\\|") if f.when else ""
        rows.append(f"| {at // 8}.{at % 8} | {bits} | `{f.name}` | {when} | {meaning} | {f.source} |")
    return rows


def _sizes(header: Header) -> str:
    """Return the header's size, or the range of its sizes over its conditions."""
    sizes = {header.size()}
    for f in header.fields:
        values = {c.field: c.values[0] for c in f.when if not c.negated and not c.field.startswith("@")}
        sizes.add(header.size(DEFAULT_SETTINGS, **values))
    return str(min(sizes)) if len(sizes) == 1 else f"{min(sizes)} to {max(sizes)}"


def _values(fields: Iterable[WireField]) -> list[str]:
    lines = ["## Values"]
    for f in fields:
        if f.enum is not None:
            named = ", ".join(f"{member.value:#x} {member.name}" for member in f.enum)
            lines += ["", f"**{f.enum.__name__}**: {named}"]
    return lines


if __name__ == "__main__":
    sys.stdout.write(reference())
