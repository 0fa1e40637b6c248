"""Scapy layers made from the tables agree with the jitted and the plain codec, both ways."""

import warnings

import numpy as np
import pytest
from wire_samples import HEADERS as NEXT
from wire_samples import TYPES, GuardedBuffer, read, sample
from wire_vectors import WRITTEN

from uet.transport.wire.build import build_frame
from uet.transport.wire.codec import encode
from uet.transport.wire.dissect import decode_packet
from uet.transport.wire.headers import HEADERS
from uet.transport.wire.path import make_path
from uet.transport.wire.plain import decode_header
from uet.transport.wire.sizes import header_bytes

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from scapy.layers.inet import IP, UDP
    from scapy.layers.l2 import Ether

    from uet.transport.wire.scapy_layers import LAYERS, UET, scapy_name

BUFFER = GuardedBuffer()
ROUNDS = 2000


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
