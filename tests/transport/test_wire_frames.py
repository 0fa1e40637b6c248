"""Whole frames: built, read back, trimmed, marked, damaged."""

import ctypes

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wire_samples import HEADERS, TYPES, GuardedBuffer, read, sample
from wire_vectors import WRITTEN

from uet.base.errors import BadInput
from uet.base.jit import JIT, kernel
from uet.base.rng import below, draw
from uet.transport.record import PACKET, SES, Net, NextHeader, PdsType
from uet.transport.wire.build import build_frame
from uet.transport.wire.checksum import internet_checksum
from uet.transport.wire.codec import same_packet
from uet.transport.wire.codes import AtomicOp
from uet.transport.wire.dissect import decode_packet
from uet.transport.wire.extensions import extension_bytes
from uet.transport.wire.memory import load8, store8
from uet.transport.wire.parse import locate_uet, parse_frame
from uet.transport.wire.path import PATH, make_path
from uet.transport.wire.refusal import Refusal
from uet.transport.wire.rewrite import mark_congestion, trim_frame
from uet.transport.wire.sizes import frame_overhead_bytes, wire_bytes

BUFFER = GuardedBuffer()
PAYLOAD = GuardedBuffer()
MACS = ("02:00:00:00:00:01", "02:00:00:00:00:02")
ADDRESSES = {4: ("10.0.0.1", "10.0.0.2"), 6: ("2001:db8::1", "2001:db8::ffff:2")}


def path_of(version: int = 4, **options):
    return make_path(*ADDRESSES[version], *MACS, **options)


def build(path, packet, ses, payload: bytes = b"") -> bytes:
    room = 9400
    address = BUFFER.start + BUFFER.room - room
    n = build_frame(path[0], packet[0], ses[0], PAYLOAD.put(payload), address, room)
    assert n > 0, Refusal(n)
    return read(address, n)


def parse(path, frame: bytes):
    packet, ses, found = PACKET.zeros(1), SES.zeros(1), PATH.zeros(1)
    return parse_frame(path[0], BUFFER.put(frame), len(frame), packet[0], ses[0], found[0]), packet, ses, found


def extend(packet, ses, seed: int) -> int:
    """Fill the fields of the extension that a packet has and return its bytes."""
    size = int(extension_bytes(packet[0], ses[0]))
    rng = np.random.default_rng(seed)
    if size == 4:
        ses["atomic_op"], ses["atomic_type"], ses["atomic_semantics"] = AtomicOp.SUM, rng.integers(0, 18), 1
    elif size == 24:
        ses["eager_length"], ses["read_generation"] = rng.integers(0, 1 << 32), rng.integers(0, 256)
        ses["read_pid"], ses["read_resource"] = rng.integers(0, 1 << 12, 2)
        ses["read_offset"], ses["read_key"] = rng.integers(0, 1 << 63, 2, np.uint64)
    return size


def write_request(payload: int = 8, seed: int = 3):
    packet, ses = sample(np.random.default_rng(seed), PdsType.RUD_REQ, NextHeader.REQUEST_STD, payload)
    packet["net"], packet["entropy"] = Net.ECN_CAPABLE, 0xC0DE
    return packet, ses


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("frame_udp_no_crc", {"crc": "none"}),
        ("frame_ip253_no_crc", {"crc": "none", "udp": False}),
        ("frame_udp_crc_refprov_le", {"crc": "refprov"}),
        ("frame_udp_crc_payload_be", {"crc": "payload-be"}),
    ],
)
def test_known_frames_are_parsed_and_built_byte_for_byte(name: str, options: dict) -> None:
    frame = bytes.fromhex(WRITTEN[name])
    path = path_of(**options)
    for choice in (options["crc"], "auto"):
        offset, packet, ses, found = parse(path_of(**(options | {"crc": choice})), frame)
        assert frame[offset : offset + 8] == bytes(range(8))
        assert (packet["psn"], packet["entropy"], packet["net"]) == (0x10000, 0xC0DE, Net.ECN_CAPABLE)
        assert packet["wire_bytes"] == len(frame) + 4 + 20
    for field in ("src_low", "dst_low", "src_mac", "dst_mac", "ip_version", "udp", "protocol", "ttl", "vlan"):
        expected = 17 if field == "protocol" and path["udp"] else path[field][0]
        assert found[field][0] == expected, field
    assert build(path, packet, ses, bytes(range(8))) == frame


frames = st.tuples(
    st.integers(0, 1 << 32), st.sampled_from(TYPES), st.sampled_from(HEADERS), st.integers(0, 8192),
    st.sampled_from([4, 6]), st.booleans(), st.sampled_from(["none", "refprov", "payload-be"]),
    st.sampled_from([-1, 0, 0x6FFF]), st.sampled_from([0, Net.ECN_CAPABLE, Net.CONTROL | Net.ECN_CAPABLE | Net.ECN_CE]),
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(frames)
def test_any_packet_survives_any_encapsulation(choice) -> None:
    seed, kind, header, payload, version, udp, crc, vlan, net = choice
    packet, ses = sample(np.random.default_rng(seed), kind, header, payload)
    packet["net"], packet["entropy"] = net, seed & 0xFFFF
    extended = extend(packet, ses, seed)
    path = path_of(version, udp=udp, crc=crc, vlan=vlan)
    data = np.random.default_rng(seed).bytes(payload)
    frame = build(path, packet, ses, data)
    offset, got, got_ses, found = parse(path, frame)
    assert frame[offset : offset + payload] == data
    overhead = extended + frame_overhead_bytes(version, udp, crc != "none", 1 if vlan >= 0 else 0)
    assert got["wire_bytes"] == wire_bytes(int(kind), int(packet["next_hdr"][0]), payload, overhead)
    assert (
        len(frame) + 4 + 20 == wire_bytes(int(kind), int(packet["next_hdr"][0]), payload, overhead) or len(frame) < 60
    )
    packet["wire_bytes"] = got["wire_bytes"]
    assert got.tobytes() == packet.tobytes()
    if kind != PdsType.CP and header:
        assert got_ses.tobytes() == ses.tobytes()
    assert found["vlan"][0] == vlan
    assert found["src_high"][0] == path["src_high"][0]
    document = decode_packet(frame, crc=crc)
    assert document["errors"] == []
    assert {h["name"]: h for h in document["headers"]}["ipv4" if version == 4 else "ipv6"]["text"]["src"] == (
        ADDRESSES[version][0]
    )


def test_ipv6_without_crc_carries_a_udp_checksum_that_is_verified() -> None:
    path = path_of(6, crc="none")
    frame = build(path, *write_request(9), bytes(9))
    pseudo = frame[22:54] + (len(frame) - 54).to_bytes(4, "big") + b"\0\0\0\x11"
    assert internet_checksum(pseudo + frame[54:]) == 0
    assert parse(path, frame[:-1] + b"\1")[0] == Refusal.UDP_CHECKSUM
    assert decode_packet(frame[:-1] + b"\1")["errors"] == ["udp: checksum is wrong"]


@pytest.mark.parametrize("crc", ["refprov", "payload-be"])
def test_crc_catches_every_flipped_bit_it_covers(crc: str) -> None:
    path = path_of(crc=crc)
    frame = build(path, *write_request(40), bytes(40))
    first = 26 if crc == "refprov" else 42
    for at in range(first, len(frame)):
        damaged = bytearray(frame)
        damaged[at] ^= 0x10
        if 26 <= at < 34:  # keep the IPv4 checksum right, as a router that rewrites addresses would
            damaged[24:26] = bytes(2)
            damaged[24:26] = internet_checksum(bytes(damaged[14:34])).to_bytes(2, "big")
        elif 36 <= at < 42:
            continue  # port, length and a checksum that is not 0 are judged before the CRC
        assert parse(path, bytes(damaged))[0] == Refusal.CRC, at
        errors = decode_packet(bytes(damaged), crc=crc)["errors"]
        assert errors[0] == f"crc: the packet does not match its CRC-32C ({crc})"


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("udp", [True, False])
def test_trimmed_frames_tell_psn_and_original_size(version: int, udp: bool) -> None:
    path = path_of(version, udp=udp, crc="refprov")
    packet, ses = write_request(4096)
    frame = build(path, packet, ses, bytes(4096))
    address = BUFFER.put(frame)
    n = trim_frame(address, len(frame), 0, int(path["dscp_trimmed"][0]))
    assert n == 14 + (20 if version == 4 else 40) + (24 if udp else 20)
    cut = read(address, n)
    _, got, _, _ = parse(path, cut)
    assert got["net"][0] == Net.ECN_CAPABLE | Net.TRIMMED | Net.CONTROL
    assert (got["psn"], got["entropy"], got["pds_flags"]) == (packet["psn"], packet["entropy"], packet["pds_flags"])
    if udp:
        assert got["payload_bytes"][0] == 4096
        document = decode_packet(cut)
        assert not document["errors"]
        assert document["warnings"][0].startswith("udp: trimmed, 24 of ")
    assert trim_frame(BUFFER.put(cut), n, 0, 1) == 0
    lasthop = read(address, 0) + frame
    address = BUFFER.put(lasthop)
    n = trim_frame(address, len(frame), 56, int(path["dscp_trimmed_lasthop"][0]))
    _, got, got_ses, _ = parse(path, read(address, n))
    assert got["net"][0] & (Net.TRIMMED | Net.LAST_HOP) == Net.TRIMMED | Net.LAST_HOP
    if udp:
        assert got_ses.tobytes() == ses.tobytes()


def test_congestion_mark_changes_ecn_and_checksum_only() -> None:
    for version in (4, 6):
        path = path_of(version)
        packet, ses = write_request()
        frame = build(path, packet, ses, bytes(8))
        address = BUFFER.put(frame)
        assert mark_congestion(address, len(frame)) == 1
        offset, got, _, _ = parse(path, read(address, len(frame)))
        assert offset > 0
        assert got["net"][0] == Net.ECN_CAPABLE | Net.ECN_CE
        assert same_packet(packet[0], got[0])
        packet["net"] = 0
        frame = build(path, packet, ses, bytes(8))
        assert mark_congestion(BUFFER.put(frame), len(frame)) == 0


def _changed(frame: bytes, at: int, new: bytes) -> bytes:
    return frame[:at] + new + frame[at + len(new) :]


def _with_checksum(frame: bytes) -> bytes:
    frame = _changed(frame, 24, bytes(2))
    return _changed(frame, 24, internet_checksum(frame[14:34]).to_bytes(2, "big"))


@pytest.mark.parametrize(
    ("at", "new", "reason", "words"),
    [
        (12, b"\x08\x06", Refusal.NOT_IP, "ethertype"),
        (12, b"\x81\x00\0\1" * 2 + b"\x81\x00", Refusal.NOT_IP, "more than 2 tags"),
        (14, b"\x65", Refusal.IP_HEADER, "version 6 is not 4"),
        (14, b"\x44", Refusal.IP_HEADER, "ihl 4"),
        (16, b"\x00\x10", Refusal.IP_HEADER, "total_length 16"),
        (16, b"\x40\x00", Refusal.IP_LENGTH, "before its length field says"),
        (20, b"\x20\x00", Refusal.FRAGMENT, "fragment"),
        (23, b"\x06", Refusal.NOT_UET, "protocol 6"),
        (36, b"\x00\x35", Refusal.NOT_UET, "dst_port 53"),
        (38, b"\x00\x07", Refusal.UDP_LENGTH, "less than its own header"),
        (42, b"\x00\x00", Refusal.RESERVED_TYPE, "type 0 is reserved"),
    ],
)
def test_wrong_frames_are_refused_with_their_reason(at: int, new: bytes, reason: Refusal, words: str) -> None:
    path = path_of(crc="none")
    frame = _with_checksum(_changed(build(path, *write_request(), bytes(8)), at, new))
    assert parse(path, frame)[0] == reason
    assert words in decode_packet(frame, crc="none")["errors"][0]


def test_a_secured_packet_is_located_but_not_decoded() -> None:
    path = path_of(crc="refprov")
    plain = build(path_of(crc="none"), *write_request(), bytes(8))
    frame = _changed(plain, 42, bytes.fromhex(WRITTEN["tss_hdr_no_ssi"]))
    assert parse(path, frame)[0] == Refusal.SECURED
    packet, found = PACKET.zeros(1), PATH.zeros(1)
    assert locate_uet(path[0], BUFFER.put(frame), len(frame), packet[0], found[0]) == 42
    assert (found["uet_bytes"][0], found["original_bytes"][0]) == (64, 64)
    assert (packet["entropy"][0], packet["net"][0]) == (0xC0DE, Net.ECN_CAPABLE)


def test_wrong_ipv4_checksum_is_refused() -> None:
    path = path_of()
    frame = _changed(build(path, *write_request(), bytes(8)), 22, b"\x01")
    assert parse(path, frame)[0] == Refusal.IP_HEADER
    assert decode_packet(frame)["errors"] == ["ipv4: header_checksum is wrong"]


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("udp", [True, False])
def test_every_truncated_frame_is_refused(version: int, udp: bool) -> None:
    path = path_of(version, udp=udp, vlan=5)
    frame = build(path, *write_request(), bytes(8))
    for n in range(len(frame)):
        assert parse(path, frame[:n])[0] < 0
        assert decode_packet(frame[:n])["errors"]


def test_ethernet_padding_is_ignored() -> None:
    path = path_of(crc="none")
    packet, ses = sample(np.random.default_rng(1), PdsType.ACK, NextHeader.NONE, 0)
    frame = build(path, packet, ses) + bytes(6)
    offset, got, _, _ = parse(path, frame)
    assert (offset, got["payload_bytes"][0]) == (54, 0)
    document = decode_packet(frame)
    assert (document["warnings"], document["headers"][-1]["name"]) == ([], "padding")


def test_a_frame_too_long_for_its_room_is_refused() -> None:
    packet, ses = write_request(100)
    for room in range(200):
        n = build_frame(
            path_of()[0], packet[0], ses[0], PAYLOAD.put(bytes(100)), BUFFER.start + BUFFER.room - room, room
        )
        assert n == Refusal.NO_ROOM


def test_paths_are_checked() -> None:
    with pytest.raises(BadInput, match="different IP versions"):
        make_path("10.0.0.1", "::1")
    with pytest.raises(BadInput, match="not an IP address"):
        make_path("10.0.0", "10.0.0.1")
    with pytest.raises(BadInput, match="not a MAC address"):
        make_path("10.0.0.1", "10.0.0.2", "02:00")
    with pytest.raises(BadInput, match="did you mean 'payload-be'"):
        make_path("10.0.0.1", "10.0.0.2", crc="payload")


@kernel
def fuzz(path, packet, ses, found, frame, length, original, first, last):
    """Parse frames with random bytes changed and ends cut off; return (accepted, refused)."""
    accepted, refused = 0, 0
    for k in range(first, last):
        changes = below(draw(7, 0, k), 4)
        cut = below(draw(7, 1, k), 3 * length)
        for c in range(changes):
            at = below(draw(7, 2 + 2 * c, k), length)
            store8(frame + at, below(draw(7, 3 + 2 * c, k), 256))
        kept = cut if cut < length else length
        # a shorter frame begins later, so that its end still meets the guard
        start = frame + length - kept
        for i in range(kept):
            store8(start + i, load8(frame + i))
        if parse_frame(path, start, kept, packet, ses, found) < 0:
            refused += 1
        else:
            accepted += 1
        for i in range(length):
            store8(frame + i, load8(original + i))
    return accepted, refused


def test_mutated_frames_never_make_the_parser_read_beyond_them() -> None:
    rounds = 100_000 if JIT else 300
    options = [(4, True, "none"), (6, True, "none"), (4, False, "auto"), (6, False, "refprov"), (4, True, "payload-be")]
    total = [0, 0]
    for i, (version, udp, crc) in enumerate(options):
        path = path_of(version, udp=udp, crc=crc)
        packet, ses = sample(np.random.default_rng(i), TYPES[i], HEADERS[i + 1], 24)
        frame = build(path, packet, ses, bytes(24))
        keep = ctypes.create_string_buffer(frame, len(frame))
        got, got_ses, found = PACKET.zeros(1), SES.zeros(1), PATH.zeros(1)
        share = rounds // len(options)
        counts = fuzz(
            path[0], got[0], got_ses[0], found[0], BUFFER.put(frame), len(frame), ctypes.addressof(keep),
            i * share, (i + 1) * share,
        )  # fmt: skip
        total = [a + b for a, b in zip(total, counts, strict=True)]
        if crc in ("refprov", "payload-be"):  # only the fields in front of what the CRC covers can change unseen
            assert counts[0] < 0.5 * share
    assert sum(total) == rounds
    assert min(total) > rounds // 100


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(["ethernet", "ip", "udp", "uet"]))
def test_plain_decoder_takes_any_bytes(data: bytes, link: str) -> None:
    document = decode_packet(data, link)
    assert document["headers"] or document["errors"]
    assert all(h["offset"] + h["length"] <= len(data) for h in document["headers"])
