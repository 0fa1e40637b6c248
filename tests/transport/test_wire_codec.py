"""The jitted codec: records survive the wire, agree with the plain codec, and wrong bytes are refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wire_samples import FIELDS, HEADERS, TYPES, GuardedBuffer, read, sample

from uet.transport.record import PACKET, SES, NextHeader, PdsType
from uet.transport.wire.assemble import encode_packet
from uet.transport.wire.codec import decode, encode, same_packet
from uet.transport.wire.dissect import decode_packet
from uet.transport.wire.refusal import Refusal
from uet.transport.wire.semantics import same_ses
from uet.transport.wire.sizes import header_bytes

BUFFER = GuardedBuffer()
samples = st.builds(
    lambda seed, kind, header, payload: sample(np.random.default_rng(seed), kind, header, payload),
    st.integers(0, 1 << 32), st.sampled_from(TYPES), st.sampled_from(HEADERS), st.integers(0, 8192),
)  # fmt: skip


def to_bytes(packet, ses) -> bytes:
    n = header_bytes(int(packet["pds_type"][0]), int(packet["next_hdr"][0]))
    address = BUFFER.start + BUFFER.room - n
    assert encode(packet[0], ses[0], address, n) == n
    return read(address, n)


@settings(max_examples=300, deadline=None)
@given(samples)
def test_records_survive_the_wire(pair) -> None:
    packet, ses = pair
    payload = int(packet["payload_bytes"][0])
    data = to_bytes(packet, ses) + bytes(payload)
    got, got_ses = PACKET.zeros(1), SES.zeros(1)
    got_ses["modified_length"] = 99
    assert decode(BUFFER.put(data), len(data), len(data), got[0], got_ses[0]) == len(data) - payload
    assert got.tobytes() == packet.tobytes()
    assert same_packet(packet[0], got[0])
    if packet["pds_type"][0] != PdsType.CP and packet["next_hdr"][0]:
        assert got_ses.tobytes() == ses.tobytes()
        assert same_ses(ses[0], got_ses[0], int(packet["next_hdr"][0]), int(packet["detail"][0]))


@settings(max_examples=300, deadline=None)
@given(samples)
def test_plain_and_jitted_codec_agree(pair) -> None:
    packet, ses = pair
    data = to_bytes(packet, ses)
    document = decode_packet(data + bytes(int(packet["payload_bytes"][0])), "uet", "none")
    assert document["errors"] == []
    headers = [h for h in document["headers"] if h["name"].startswith(("pds", "ses"))]
    for header in headers:
        layer = header["name"].split(".")[0]
        for name, value in header["fields"].items():
            record, field = FIELDS[layer].get(name, (None, ""))
            if record is not None:
                assert int({"packet": packet, "ses": ses}[record][field][0]) == value, (header["name"], name)
    assert encode_packet({"headers": headers}) == data


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("next_hdr", HEADERS)
def test_every_truncation_is_refused_without_reading_on(kind: PdsType, next_hdr: NextHeader) -> None:
    packet, ses = sample(np.random.default_rng(kind * 16 + next_hdr), kind, next_hdr, 0)
    data = to_bytes(packet, ses)
    got, got_ses = PACKET.zeros(1), SES.zeros(1)
    for n in range(len(data)):
        assert decode(BUFFER.put(data[:n]), n, n, got[0], got_ses[0]) == Refusal.SHORT
        document = decode_packet(data[:n], "uet", "none")
        assert document["errors"] or document["warnings"]
        assert encode(packet[0], ses[0], BUFFER.start + BUFFER.room - n, n) == Refusal.NO_ROOM


def test_trimmed_packets_keep_what_is_left() -> None:
    packet, ses = sample(np.random.default_rng(1), PdsType.RUD_REQ, NextHeader.REQUEST_STD, 4096)
    packet["detail"], packet["argument"], ses["header_data"] = 0, 8192, 0
    data = to_bytes(packet, ses)
    original = len(data) + 4096
    for n in range(12, len(data) + 10):
        got, got_ses = PACKET.zeros(1), SES.zeros(1)
        left = (data + bytes(10))[:n]
        assert decode(BUFFER.put(left), n, original, got[0], got_ses[0]) == len(data)
        assert (got["psn"], got["spdcid"], got["payload_bytes"]) == (packet["psn"], packet["spdcid"], 4096)
        assert got_ses["job_id"][0] == (ses["job_id"][0] if n >= len(data) else 0)
    assert decode(BUFFER.put(data[:11]), 11, original, got[0], got_ses[0]) == Refusal.SHORT


def _refusal(hexadecimal: str) -> int:
    data = bytes.fromhex(hexadecimal)
    return decode(BUFFER.put(data), len(data), len(data), PACKET.zeros(1)[0], SES.zeros(1)[0])


@pytest.mark.parametrize(
    ("hexadecimal", "reason"),
    [
        ("", Refusal.SHORT),
        ("0000" + "00" * 14, Refusal.RESERVED_TYPE),
        ("f800" + "00" * 38, Refusal.RESERVED_TYPE),
        ("0800" + "00" * 14, Refusal.SECURED),
        ("4800" + "00" * 38, Refusal.UNCODED_TYPE),
        ("6000" + "00" * 38, Refusal.UNCODED_TYPE),
        ("1380" + "00" * 60, Refusal.RESERVED_NEXT),
        ("1180" + "00" * 10 + "0043" + "00" * 42, Refusal.VERSION),
        ("1200" + "00" * 10 + "0141" + "00" * 10, Refusal.VERSION),
        ("1180" + "00" * 10 + "0102" + "00" * 43, Refusal.PAYLOAD_LENGTH),
        ("1080" + "00" * 10 + "0101" + "00" * 18, Refusal.NOT_SINGLE),
        ("1100" + "00" * 10 + "0102" + "00" * 30, Refusal.NOT_SINGLE),
    ],
)
def test_wrong_bytes_are_refused_with_their_reason(hexadecimal: str, reason: Refusal) -> None:
    assert _refusal(hexadecimal) == reason


@pytest.mark.parametrize(
    ("table", "field", "value"),
    [
        ("ses", "job_id", 1 << 24), ("ses", "pid_on_fep", 1 << 12), ("ses", "resource_index", 1 << 12),
        ("ses", "opcode", 64), ("packet", "detail", 64), ("packet", "pds_flags", 128), ("packet", "next_hdr", 16),
        ("packet", "payload_bytes", 1 << 14),
    ],
)  # fmt: skip
def test_numbers_too_wide_for_their_field_are_refused(table: str, field: str, value: int) -> None:
    packet, ses = sample(np.random.default_rng(5), PdsType.RUD_REQ, NextHeader.REQUEST_STD, 0)
    packet["detail"] = 0
    {"packet": packet, "ses": ses}[table][field] = value
    assert encode(packet[0], ses[0], BUFFER.start, BUFFER.room) == Refusal.TOO_WIDE


def test_sameness_sees_every_field_that_travels() -> None:
    rng = np.random.default_rng(7)
    for kind in TYPES:
        packet, _ = sample(rng, kind, NextHeader.NONE, 100)
        for field in ("pds_flags", "psn", "psn_offset", "spdcid", "argument", "code", "sack_bitmap", "payload_bytes"):
            other = packet.copy()
            other[field] ^= 1
            assert not same_packet(packet[0], other[0])
    for next_hdr in HEADERS[1:]:
        packet, ses = sample(rng, PdsType.RUD_REQ, next_hdr, 0)
        for field in SES.dtype.names:
            other = ses.copy()
            other[field] ^= 1
            travels = to_bytes(packet, ses) != to_bytes(packet, other)
            assert same_ses(ses[0], other[0], int(next_hdr), int(packet["detail"][0])) != travels, (next_hdr, field)
