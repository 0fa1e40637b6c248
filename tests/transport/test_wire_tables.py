"""The field tables themselves: sizes, sources, descriptions, and the sizes of packets that follow."""

import re
from pathlib import Path

import pytest

from uet.base.errors import BadInput
from uet.transport.record import HEADER_BYTES, NextHeader, PdsType
from uet.transport.wire.fields import SOURCES, Settings
from uet.transport.wire.headers import HEADERS, describe
from uet.transport.wire.pds import PDS
from uet.transport.wire.plain import Truncated, decode_header, encode_header
from uet.transport.wire.reference import reference
from uet.transport.wire.ses import SES
from uet.transport.wire.sizes import frame_overhead_bytes, header_bytes, transport_bytes, wire_bytes


def test_pds_headers_have_the_sizes_of_the_packet_record() -> None:
    assert {kind: header.size() for kind, header in PDS.items()} == HEADER_BYTES


def test_ses_headers_have_their_known_sizes() -> None:
    assert [SES[n].size() for n in range(1, 7)] == [20, 32, 44, 12, 20, 12]
    assert [HEADERS[f"ext.{n}"].size() for n in ("rendezvous", "atomic", "compare_swap")] == [24, 4, 36]


def test_disputed_sizes_are_settings() -> None:
    other = Settings(ack_ccx_bytes=32, nack_ccx_bytes=24, response_bytes=16)
    assert (PDS[PdsType.ACK_CCX].size(), PDS[PdsType.ACK_CCX].size(other)) == (40, 32)
    assert (PDS[PdsType.NACK_CCX].size(), PDS[PdsType.NACK_CCX].size(other)) == (32, 24)
    assert SES[NextHeader.RESPONSE].size(other) == 16


@pytest.mark.parametrize("name", list(HEADERS))
def test_every_field_has_a_mark_a_known_source_and_a_meaning(name: str) -> None:
    for f in HEADERS[name].fields:
        mark, _, sources = f.source.partition(":")
        assert mark in "ABCD"
        assert sources
        assert set(sources.split("+")) <= set(SOURCES), f.name
        assert f.meaning and not re.search(r"\s$", f.meaning)


@pytest.mark.parametrize("name", list(HEADERS))
def test_headers_of_ones_and_of_zeros_survive(name: str) -> None:
    header = HEADERS[name]
    for filler in (b"\0", b"\xff", b"\x5a"):
        data = bytearray(filler * 64)
        if name.startswith("pds.") or name == "tss":
            data[0] = (data[0] & 7) | header.fields[0].default << 3
        found = decode_header(header, bytes(data))
        assert encode_header(header, found.fields) == bytes(data[: found.length])
        with pytest.raises(Truncated):
            decode_header(header, bytes(data[: found.length - 1]))


@pytest.mark.parametrize("name", list(HEADERS))
def test_description_places_every_field_where_the_decoder_reads_it(name: str) -> None:
    """A field whose bits alone are set, at the described place, decodes to all ones."""
    for row in describe(name):
        f = next(f for f in HEADERS[name].fields if f.name == row["name"] and f.condition == row["when"])
        if any(c.field.startswith("@") for c in f.when):
            continue
        ones = (1 << f.bits) - 1
        values = {
            c.field: (next(v for v in range(64) if v not in c.values) if c.negated else c.values[0]) for c in f.when
        }
        encoded = encode_header(HEADERS[name], values | {f.name: -1 if f.signed else ones} if f.name != "type" else {})
        word = int.from_bytes(encoded, "big")
        shift = 8 * len(encoded) - row["bit"] - f.bits
        assert word >> shift & ones == (ones if f.name != "type" else f.default)


def test_description_is_found_by_short_name_and_refused_by_a_wrong_one() -> None:
    assert describe("ack_cc") == describe("pds.ack_cc")
    assert describe("ack_cc")[0]["values"]["NACK"] == 10
    with pytest.raises(BadInput, match=r"did you mean 'pds\.ack_cc'"):
        describe("pds.ack_c")


def test_link_shares_of_the_uet_profile() -> None:
    # preamble 8 + gap 12 + Ethernet 14 + FCS 4 + IPv4 20 + UDP 8 + CRC 4 = 70 around PDS, SES and payload
    assert wire_bytes(PdsType.RUD_REQ, NextHeader.REQUEST_STD, 4096) == 70 + 12 + 44 + 4096
    assert wire_bytes(PdsType.ACK_CC, NextHeader.NONE, 0) == 70 + 32
    assert wire_bytes(PdsType.NACK, NextHeader.NONE, 0) == 70 + 16
    assert wire_bytes(PdsType.ACK, NextHeader.NONE, 0) == 64 + 20  # Ethernet pads to 64 bytes
    assert wire_bytes(PdsType.CP, 4, 0) == 70 + 16  # the control type announces nothing
    assert frame_overhead_bytes(6, udp=False, crc=False, vlan_tags=1) == 14 + 4 + 4 + 40 + 4


def test_transport_sizes() -> None:
    assert transport_bytes(PdsType.RUD_REQ, NextHeader.REQUEST_STD, 4096) == 8 + 56 + 4096 + 4
    assert transport_bytes(PdsType.RUD_REQ, NextHeader.REQUEST_STD, 4096, False, False) == 4 + 56 + 4096
    assert header_bytes(0, 0) == -1
    assert header_bytes(PdsType.RUD_REQ, 7) == -1


def test_the_written_reference_is_up_to_date() -> None:
    written = Path(__file__).parents[2] / "docs" / "wire.md"
    assert written.read_text(encoding="utf-8") == reference(), "run make docs"


def test_the_reference_has_every_field() -> None:
    text = reference()
    for header in HEADERS.values():
        section = text[text.index(f"## `{header.name}`") :].split("\n## ", 1)[0]
        assert all(f"`{f.name}`" in section for f in header.fields)
    assert "`pds.cp`: control packet, 16 to 20 bytes" in text
