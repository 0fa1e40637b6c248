"""Packets as bytes: decode (one, or those of a capture file), encode, describe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from uet.base.errors import BadInput
from uet.base.spec import read_mapping


def decode(packet: str | bytes, link: str = "ethernet", crc: str = "auto") -> dict[str, Any]:
    """Return the headers of one packet, given as bytes or as hexadecimal text (spaces and 0x are ignored).

    The document has `headers` (each with name, offset, length, fields, text, derived), `warnings` and
    `errors` (reasons to drop the packet). `link` names the first layer: ethernet, ip, udp or uet;
    `crc` what trails the packet: none, refprov, payload-be or auto. Raises BadInput for text that is
    not hexadecimal and for unknown choices; wrong bytes never raise.
    """
    from uet.transport.wire.dissect import decode_packet

    return decode_packet(_bytes(packet) if isinstance(packet, str) else packet, link, crc)


def decode_capture(file: str | Path, crc: str = "auto") -> Iterator[dict[str, Any]]:
    """Yield the document of every packet of a pcap or pcapng file, with its number (from 1) and time_ps.

    Raises BadInput for a file that is not readable or none of both.
    """
    from uet.transport.wire.capture import read_capture
    from uet.transport.wire.dissect import decode_packet

    for number, packet in enumerate(read_capture(Path(file)), 1):
        yield {"number": number, "time_ps": packet.time_ps, **decode_packet(packet.data, packet.link, crc)}


def encode(document: Mapping[str, Any] | str | Path) -> bytes:
    """Return the bytes of the packet that a document like that of `decode` describes, or a JSON file of it.

    Lengths, checksums and types that follow from the rest are filled in where absent. Raises BadInput
    naming header and field for what cannot be encoded.
    """
    from uet.transport.wire.assemble import encode_packet

    return encode_packet(document if isinstance(document, Mapping) else read_mapping(document))


def describe(header: str) -> list[dict[str, Any]]:
    """Return the fields of a header type such as 'pds.ack_cc': bit, bits, name, values, source, meaning.

    Raises BadInput naming the nearest types for an unknown one.
    """
    from uet.transport.wire.headers import describe as describe_header

    return describe_header(header)


def _bytes(text: str) -> bytes:
    digits = "".join(text.split()).removeprefix("0x")
    try:
        return bytes.fromhex(digits)
    except ValueError:
        shown = digits if len(digits) <= 24 else f"{digits[:24]}..."
        raise BadInput(f"'{shown}' is not hexadecimal; give an even number of digits 0-9 and a-f") from None
