"""Capture files of every kind are read; damaged ones are refused."""

import struct
import warnings
from pathlib import Path

import pytest
from wire_vectors import WRITTEN

from uet.base.errors import BadInput
from uet.transport.wire.capture import read_capture, write_capture

FRAMES = [bytes.fromhex(WRITTEN[name]) for name in sorted(WRITTEN) if name.startswith("frame")]


def _packets(path: Path) -> list[bytes]:
    return [packet.data for packet in read_capture(path)]


def test_written_pcapng_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "a.pcapng"
    write_capture(path, [(1_500_000_000_000 + i * 1000, frame) for i, frame in enumerate(FRAMES)])
    packets = list(read_capture(path))
    assert [p.data for p in packets] == FRAMES
    assert [p.time_ps for p in packets] == [1_500_000_000_000 + i * 1000 for i in range(len(FRAMES))]
    assert {p.link for p in packets} == {"ethernet"}


def test_agrees_with_scapy(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from scapy.utils import PcapNgWriter, PcapWriter, rdpcap
    for writer, name in ((PcapWriter, "a.pcap"), (PcapNgWriter, "b.pcapng")):
        path = tmp_path / name
        with writer(str(path), linktype=1) if writer is PcapWriter else writer(str(path)) as file:
            if writer is PcapWriter:
                file.write_header(None)
            else:
                file.linktype = 1
            for frame in FRAMES:
                from scapy.layers.l2 import Ether

                file.write(Ether(frame))
        assert _packets(path) == FRAMES
    ours = tmp_path / "c.pcapng"
    write_capture(ours, [(0, frame) for frame in FRAMES])
    assert [bytes(packet) for packet in rdpcap(str(ours))] == FRAMES


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("magic", "tick_ps"), [(0xA1B2C3D4, 10**6), (0xA1B23C4D, 10**3)])
def test_pcap_in_both_byte_orders_and_resolutions(tmp_path: Path, order: str, magic: int, tick_ps: int) -> None:
    path = tmp_path / "a.pcap"
    head = struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, 65535, 101)
    path.write_bytes(head + struct.pack(f"{order}4I", 3, 5, 4, 60) + b"\x45\0\0\1")
    (packet,) = read_capture(path)
    assert (packet.time_ps, packet.link, packet.data, packet.original_bytes) == (
        3 * 10**12 + 5 * tick_ps, "ip", b"\x45\0\0\1", 60,
    )  # fmt: skip


def _block(order: str, kind: int, body: bytes) -> bytes:
    n = len(body) + 12
    return struct.pack(f"{order}2I", kind, n) + body + struct.pack(f"{order}I", n)


@pytest.mark.parametrize("order", ["<", ">"])
def test_pcapng_blocks_options_and_interfaces(tmp_path: Path, order: str) -> None:
    section = _block(order, 0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1))
    plain = _block(order, 1, struct.pack(f"{order}HHI", 1, 0, 0))
    binary = struct.pack(f"{order}HHB3x", 9, 1, 0x80 | 10) + struct.pack(f"{order}HHq", 14, 8, 7) + bytes(4)
    raw = _block(order, 1, struct.pack(f"{order}HHI", 101, 0, 2) + binary)
    enhanced = _block(order, 6, struct.pack(f"{order}5I", 1, 0, 1024, 3, 90) + b"abc\0")
    simple = _block(order, 3, struct.pack(f"{order}I", 3) + b"xyz\0")
    old = _block(order, 2, struct.pack(f"{order}HH4I", 0, 0, 0, 9, 2, 2) + b"pq\0\0")
    unknown = _block(order, 0xBAD, b"1234")
    path = tmp_path / "a.pcapng"
    path.write_bytes(section + plain + raw + enhanced + unknown + simple + old)
    packets = list(read_capture(path))
    assert [(p.data, p.link, p.time_ps) for p in packets] == [
        (b"abc", "ip", 8 * 10**12), (b"xyz", "ethernet", 0), (b"pq", "ethernet", 9 * 10**6),
    ]  # fmt: skip


def test_damaged_files_are_refused_with_their_place(tmp_path: Path) -> None:
    path = tmp_path / "a.pcapng"
    write_capture(path, [(0, frame) for frame in FRAMES])
    whole = path.read_bytes()
    for n in range(4, len(whole) - 1):
        path.write_bytes(whole[:n])
        try:
            packets = _packets(path)
        except BadInput as error:
            assert str(path) in str(error)
        else:
            assert n in _boundaries(whole)
            assert packets == FRAMES[: len(packets)]
    path.write_bytes(b"hello")
    with pytest.raises(BadInput, match="not a capture file"):
        _packets(path)
    path.write_bytes(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 105))
    with pytest.raises(BadInput, match="link layer 105"):
        _packets(path)
    with pytest.raises(BadInput, match="cannot be read"):
        _packets(tmp_path / "none.pcap")


def _boundaries(data: bytes) -> set[int]:
    at, ends = 0, set()
    while at < len(data):
        at += struct.unpack("<I", data[at + 4 : at + 8])[0]
        ends.add(at)
    return ends
