"""`uet wire decode|encode|describe`."""

from __future__ import annotations

import sys
from typing import Any

import click

from uet.base.errors import BadInput
from uet.cli.options import shared
from uet.cli.output import finish, print_table


@click.group()
def wire() -> None:
    """Packets as bytes: decode, encode, describe."""


@wire.command()
@click.argument("packet", metavar="HEX|FILE.pcap|FILE.pcapng")
@click.option(
    "--link", type=click.Choice(["ethernet", "ip", "udp", "uet"]), default="ethernet", show_default=True,
    help="Layer of the first byte.",
)  # fmt: skip
@click.option(
    "--crc", type=click.Choice(["none", "refprov", "payload-be", "auto"]), default="auto", show_default=True,
    help="What trails the packet.",
)  # fmt: skip
@shared("json", "verbose")
def decode(packet: str, link: str, crc: str, as_json: bool, verbose: bool) -> None:
    """Decode a packet given as HEX digits ('-': from standard input), or every packet of a capture file.

    Exit code 0 if at least one header could be read, else 2. --link is for HEX; files name their own.
    """
    import uet

    if packet.lower().endswith((".pcap", ".pcapng")):
        _decode_file(packet, crc, as_json)
        return
    text = sys.stdin.read() if packet == "-" else packet
    found = uet.decode(text, link, crc)
    problem = None if found["headers"] else BadInput(*found["errors"])
    finish("wire.decode", found, as_json, problem=problem)
    if not as_json:
        _print(found)


def _decode_file(file: str, crc: str, as_json: bool) -> None:
    import uet

    packets = list(uet.decode_capture(file, crc))
    readable = any(p["headers"] for p in packets)
    problem = None if readable else BadInput(f"{file}: no packet of {len(packets)} has a header that could be read")
    finish("wire.decode", {"packets": packets}, as_json, problem=problem)
    if not as_json:
        for found in packets:
            click.echo(f"packet {found['number']} at {found['time_ps'] / 1e6:,.3f} us")
            _print(found)


def _print(found: dict[str, Any]) -> None:
    rows = []
    for header in found["headers"]:
        place = f"{header['name']} @{header['offset']}+{header['length']}"
        for name, value in header["fields"].items():
            meaning = (header.get("text") or {}).get(name, "")
            rows.append((place, name, str(value), meaning))
            place = ""
    print_table("", ("header @offset+length", "field", "value", "meaning"), rows)
    for kind in ("warnings", "errors"):
        for message in found[kind]:
            click.echo(f"{kind[:-1]}: {message}")


@wire.command()
@click.argument("file", metavar="FILE.json")
@shared("json", "verbose")
def encode(file: str, as_json: bool, verbose: bool) -> None:
    """Print as hexadecimal digits the packet that FILE.json describes, a document of 'uet wire decode --json'."""
    import uet

    packet = uet.encode(file)
    finish("wire.encode", {"hex": packet.hex(), "length": len(packet)}, as_json)
    if not as_json:
        click.echo(packet.hex())


@wire.command()
@click.argument("header", metavar="TYPE")
@shared("json", "verbose")
def describe(header: str, as_json: bool, verbose: bool) -> None:
    """List the fields of a header TYPE such as pds.ack_cc or ses.request_std."""
    import uet

    fields = uet.describe(header)
    finish("wire.describe", {"type": header, "fields": fields}, as_json)
    if not as_json:
        rows = [(f["bit"], f["bits"], f["name"], f.get("when") or "", f["meaning"]) for f in fields]
        print_table(header, ("bit", "bits", "field", "present when", "meaning"), rows)
