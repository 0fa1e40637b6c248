"""Scapy layers made from the tables agree with the jitted and the plain codec, both ways."""

import warnings

import numpy as np
import pytest
from wire_samples import FIELDS, TYPES, GuardedBuffer, read, sample
from wire_samples import HEADERS as NEXT
from wire_vectors import WRITTEN

from uet.base.jit import kernel
from uet.transport.record import NextHeader, PdsType
from uet.transport.wire.build import build_frame
from uet.transport.wire.codec import encode
from uet.transport.wire.dissect import decode_packet
from uet.transport.wire.headers import HEADERS
from uet.transport.wire.path import make_path
from uet.transport.wire.plain import decode_header
from uet.transport.wire.ses import SES as SES_HEADERS
from uet.transport.wire.sizes import header_bytes

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from scapy.layers.inet import IP, UDP
    from scapy.layers.l2 import Ether

    from uet.transport.wire.scapy_layers import LAYERS, UET, scapy_name

BUFFER = GuardedBuffer()
ROUNDS = 500


def _scapy_fields(name: str, fields: dict[str, int]) -> dict[str, int]:
    """Return document fields under the names they have in scapy, without views and reserved zeros."""
    header = HEADERS[name]
    seen: dict[str, int] = {"@ack_ccx_bytes": 40, "@nack_ccx_bytes": 32, "@response_bytes": 12}
    named = {}
    for f in header.fields:
        if f.present(seen) and not f.view:
            seen[f.name] = named[scapy_name(header, f)] = fields.get(f.name, 0)
    return named


def _layers(packet) -> list:
    found = []
    while packet and packet.name != "NoPayload":
        found.append(packet)
        packet = packet.payload
    return found


def assert_agrees(data: bytes) -> None:
    """Scapy sees the same headers and fields as the plain decoder, and builds the same bytes from them."""
    document = decode_packet(data, "uet", "none")
    built = None
    layers = _layers(UET(data))
    headers = [h for h in document["headers"] if h["name"] in LAYERS]
    for layer, header in zip(layers, headers, strict=False):
        fields = _scapy_fields(header["name"], header["fields"])
        assert type(layer) is LAYERS[header["name"]]
        assert {name: layer.getfieldval(name) for name in fields} == fields
        part = LAYERS[header["name"]](**fields)
        built = part if built is None else built / part
    names = [h["name"] for h in document["headers"]]
    payload = bytes.fromhex(document["headers"][-1]["fields"]["data"]) if names[-1] == "payload" else b""
    assert bytes(built / payload if payload else built) == data


def test_jitted_packets_of_every_type_agree_with_scapy() -> None:
    rng = np.random.default_rng(11)
    for k in range(ROUNDS):
        kind, next_hdr = TYPES[k % len(TYPES)], NEXT[k // len(TYPES) % len(NEXT)]
        packet, ses = sample(rng, kind, next_hdr, 0)
        n = int(header_bytes(int(kind), int(packet["next_hdr"][0])))
        assert encode(packet[0], ses[0], BUFFER.start, BUFFER.room) == n
        assert_agrees(read(BUFFER.start, n) + rng.bytes(40))


@kernel
def _encode_all(packets, sess, out, room):
    """Write packet i to the `room` bytes at out + i * room."""
    for i in range(len(packets)):
        encode(packets[i], sess[i], out + i * room, room)


def compare_builders(kind: PdsType, next_hdr: NextHeader, n: int, seed: int) -> None:
    """Build n random headers jitted, read each with scapy, and build it again with scapy from what was read.

    The bytes must be the same, and fields that have one name and one column must have the same values.
    """
    packets, sess = sample(np.random.default_rng(seed), kind, next_hdr, 0, n)
    pds = LAYERS[f"pds.{kind.name.lower()}"]
    announced = NextHeader(int(packets["next_hdr"][0])) if kind != PdsType.CP else NextHeader.NONE
    ses = LAYERS[SES_HEADERS[announced].name] if announced in SES_HEADERS else None
    size = int(header_bytes(int(kind), int(packets["next_hdr"][0])))
    room = np.zeros(n * size, np.uint8)
    _encode_all(packets, sess, room.ctypes.data, size)
    data = room.tobytes()
    read_fields: dict[tuple[str, str], list[int]] = {}
    for start in range(0, n * size, size):
        whole = data[start : start + size]
        rest, built = whole, b""
        for layer, prefix in ((pds, "pds"), (ses, "ses")):
            if layer is None:
                continue
            rest, part = _read_and_build(layer, rest, prefix, read_fields)
            built += part
        assert (built, rest) == (whole, b"")
    rows = {"packet": packets, "ses": sess}
    for (prefix, name), values in read_fields.items():
        record, field = FIELDS[prefix].get(name, (None, ""))
        if record is not None and len(values) == n:
            assert values == rows[record][field].tolist(), (kind, next_hdr, name)


def _read_and_build(layer, data: bytes, prefix: str, seen: dict) -> tuple[bytes, bytes]:
    """Return what scapy leaves of `data` after one layer, and the bytes it builds from the fields it read."""
    packet = layer()
    rest = packet.do_dissect(data)
    for name, value in packet.fields.items():
        seen.setdefault((prefix, name), []).append(value)
    again = layer()
    again.fields = dict(packet.fields)
    return rest, again.self_build()


@pytest.mark.parametrize("kind", TYPES)
def test_both_builders_write_the_same_headers(kind: PdsType) -> None:
    for next_hdr in NEXT:
        compare_builders(kind, next_hdr, 20, int(kind))


@pytest.mark.soak
@pytest.mark.parametrize("kind", TYPES)
def test_both_builders_write_the_same_hundred_thousand_headers_of_each_type(kind: PdsType) -> None:
    for k, next_hdr in enumerate(NEXT):
        compare_builders(kind, next_hdr, -(-100_000 // len(NEXT)), 1000 * int(kind) + k)


@pytest.mark.parametrize("name", sorted(LAYERS))
def test_random_bits_of_every_header_agree_with_scapy(name: str) -> None:
    rng = np.random.default_rng(len(name))
    header = HEADERS[name]
    for _ in range(100):
        data = bytearray(rng.bytes(64))
        if header.fields[0].name == "type":
            data[0] = header.fields[0].default << 3 | data[0] & 7
        found = decode_header(header, bytes(data))
        fields = _scapy_fields(name, found.fields)
        layer = LAYERS[name](bytes(data[: found.length]))
        assert {field: layer.getfieldval(field) for field in fields} == fields
        assert bytes(LAYERS[name](**fields)) == bytes(data[: found.length])


def test_frames_dissect_down_to_the_request() -> None:
    for name in ("frame_udp_no_crc", "frame_ip253_no_crc"):
        frame = bytes.fromhex(WRITTEN[name])
        layers = _layers(Ether(frame))
        assert [type(layer) for layer in layers[-3:-1]] == [LAYERS["pds.rud_req"], LAYERS["ses.request_std"]]
        assert layers[-1].load == bytes(range(8))
        assert bytes(Ether(frame)) == frame


def test_an_entropy_value_that_is_a_known_port_does_not_mislead() -> None:
    packet, ses = sample(np.random.default_rng(1), TYPES[0], NEXT[3], 0)
    for entropy in (53, 67, 123, 4793):
        packet["entropy"] = entropy
        path = make_path("10.0.0.1", "10.0.0.2", crc="none")
        n = build_frame(path[0], packet[0], ses[0], BUFFER.start, BUFFER.start, 200)
        assert LAYERS["pds.rud_req"] in Ether(read(BUFFER.start, n))


def test_stacking_fills_port_type_and_next_header() -> None:
    packet = IP() / UDP(sport=7) / LAYERS["pds.rud_req"](psn=5) / LAYERS["ses.request_small"](opcode=1)
    again = IP(bytes(packet))
    assert again[UDP].dport == 4793
    assert again[LAYERS["pds.rud_req"]].next_hdr == 1
    assert again[LAYERS["ses.request_small"]].opcode == 1
