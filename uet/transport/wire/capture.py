"""Capture files: pcap and pcapng read packet by packet, pcapng written.

Formats: the pcap file header and records (libpcap), and the Section Header, Interface Description,
Simple, Enhanced and obsolete Packet blocks of pcapng (IETF draft-ietf-opsawg-pcapng). Other blocks
are skipped. The whole file is never in memory.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from uet.base.errors import BadInput

LINK_ETHERNET, LINK_RAW, LINK_IPV4, LINK_IPV6 = 1, 101, 228, 229
_LINKS = {LINK_ETHERNET: "ethernet", LINK_RAW: "ip", LINK_IPV4: "ip", LINK_IPV6: "ip", 12: "ip", 14: "ip"}
_PS = 10**12
_PCAP_TICKS = {0xA1B2C3D4: 10**6, 0xA1B23C4D: 10**9}
_SECTION, _INTERFACE, _OLD_PACKET, _SIMPLE, _ENHANCED = 0x0A0D0D0A, 1, 2, 3, 6
_BYTE_ORDER, _NAME, _RESOLUTION, _OFFSET = 0x1A2B3C4D, 2, 9, 14
_MAX_BLOCK_BYTES = 1 << 26


@dataclass(frozen=True)
class CapturedPacket:
    """One packet of a capture: its time, the layer of its first byte, its bytes as captured."""

    time_ps: int
    link: str
    data: bytes
    original_bytes: int


@dataclass(frozen=True)
class _Interface:
    link: str
    ticks_per_s: int
    offset_s: int
    snap_bytes: int


def read_capture(path: Path) -> Iterator[CapturedPacket]:
    """Yield the packets of a pcap or pcapng file.

    Raises BadInput naming the file and the place for a file that is none of both, is cut off, or
    was captured on a link layer other than Ethernet or IP.
    """
    try:
        with path.open("rb") as file:
            magic = file.read(4)
            file.seek(0)
            if magic == _SECTION.to_bytes(4, "big"):
                yield from _read_pcapng(file, path)
            else:
                yield from _read_pcap(file, path)
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror})") from None


def _exactly(file: BinaryIO, n: int, path: Path) -> bytes:
    data = file.read(n)
    if len(data) < n:
        raise BadInput(f"{path}: the file ends in the middle of a packet, at byte {file.tell()}")
    return data


def _link(number: int, path: Path) -> str:
    if number not in _LINKS:
        raise BadInput(f"{path}: link layer {number} is not supported; capture on Ethernet (1) or raw IP (101)")
    return _LINKS[number]


def _read_pcap(file: BinaryIO, path: Path) -> Iterator[CapturedPacket]:
    head = file.read(24)
    order = next((o for o in "<>" if len(head) == 24 and struct.unpack(f"{o}I", head[:4])[0] in _PCAP_TICKS), "")
    if not order:
        raise BadInput(f"{path}: not a capture file; give a .pcap or .pcapng file")
    ticks = _PCAP_TICKS[struct.unpack(f"{order}I", head[:4])[0]]
    link = _link(struct.unpack(f"{order}I", head[20:])[0] & 0xFFFF, path)
    while True:
        record = file.read(16)
        if not record:
            return
        if len(record) < 16:
            raise BadInput(f"{path}: the file ends in the middle of a packet, at byte {file.tell()}")
        seconds, fraction, captured, original = struct.unpack(f"{order}4I", record)
        _check_size(captured, file, path)
        data = _exactly(file, captured, path)
        yield CapturedPacket(seconds * _PS + fraction * (_PS // ticks), link, data, original)


def _check_size(n: int, file: BinaryIO, path: Path) -> None:
    if n > _MAX_BLOCK_BYTES:
        raise BadInput(f"{path}: {n} bytes at byte {file.tell()} cannot be one packet; the file is damaged")


def _read_pcapng(file: BinaryIO, path: Path) -> Iterator[CapturedPacket]:
    order = "<"
    interfaces: list[_Interface] = []
    while True:
        head = file.read(8)
        if not head:
            return
        if len(head) < 8:
            raise BadInput(f"{path}: the file ends in the middle of a block, at byte {file.tell()}")
        if head[:4] == _SECTION.to_bytes(4, "big"):
            magic = _exactly(file, 4, path)
            order = "<" if struct.unpack("<I", magic)[0] == _BYTE_ORDER else ">"
            file.seek(-4, 1)
            interfaces = []
        kind, total = struct.unpack(f"{order}2I", head)
        _check_size(total, file, path)
        if total < 12 or total % 4:
            raise BadInput(f"{path}: block length {total} at byte {file.tell() - 4} is impossible; the file is damaged")
        body = _exactly(file, total - 8, path)[:-4]
        try:
            if kind == _INTERFACE:
                interfaces.append(_interface(body, order, path))
            elif kind in (_ENHANCED, _SIMPLE, _OLD_PACKET):
                yield _packet(kind, body, order, interfaces)
        except (struct.error, IndexError):
            raise BadInput(f"{path}: a block before byte {file.tell()} is damaged") from None


def _interface(body: bytes, order: str, path: Path) -> _Interface:
    number, snap = struct.unpack(f"{order}H2xI", body[:8])
    options = dict(_options(body[8:], order))
    resolution = options.get(_RESOLUTION, b"\6")[0]
    ticks = 1 << (resolution & 127) if resolution & 128 else 10**resolution
    offset = struct.unpack(f"{order}q", options[_OFFSET])[0] if _OFFSET in options else 0
    return _Interface(_link(number, path), ticks, offset, snap or _MAX_BLOCK_BYTES)


def _options(data: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 4 <= len(data):
        code, length = struct.unpack(f"{order}2H", data[at : at + 4])
        if code == 0:
            return
        yield code, data[at + 4 : at + 4 + length]
        at += 4 + (length + 3) // 4 * 4


def _packet(kind: int, body: bytes, order: str, interfaces: list[_Interface]) -> CapturedPacket:
    if kind == _SIMPLE:
        interface = interfaces[0]
        original = struct.unpack(f"{order}I", body[:4])[0]
        captured = min(original, interface.snap_bytes)
        time_ps, start = 0, 4
    else:
        layout = f"{order}5I" if kind == _ENHANCED else f"{order}H2x4I"
        number, high, low, captured, original = struct.unpack(layout, body[:20])
        interface = interfaces[number]
        time_ps = interface.offset_s * _PS + (high << 32 | low) * _PS // interface.ticks_per_s
        start = 20
    if start + captured > len(body):
        raise IndexError
    return CapturedPacket(time_ps, interface.link, body[start : start + captured], original)


def write_capture(path: Path, packets: Iterable[tuple[int, bytes]], link: int = LINK_ETHERNET) -> None:
    """Write (time [ps], bytes) packets as pcapng with nanosecond times."""
    with path.open("wb") as file:
        writer = CaptureWriter(file, ["any"], link)
        for time_ps, data in packets:
            writer.write(0, time_ps, data)


class CaptureWriter:
    """Writes packets of several interfaces to an open pcapng file, with nanosecond times."""

    def __init__(self, file: BinaryIO, interfaces: Iterable[str], link: int = LINK_ETHERNET) -> None:
        """Write the section and the interfaces, known by name."""
        self._file = file
        file.write(_block(_SECTION, struct.pack("<IHHq", _BYTE_ORDER, 1, 0, -1)))
        for name in interfaces:
            text = name.encode()
            options = struct.pack("<HH", _NAME, len(text)) + text + bytes(-len(text) % 4)
            options += struct.pack("<HHB3xHH", _RESOLUTION, 1, 9, 0, 0)
            file.write(_block(_INTERFACE, struct.pack("<HHI", link, 0, 0) + options))

    def write(self, interface: int, time_ps: int, data: bytes) -> None:
        """Append a packet of one of the interfaces."""
        ns = time_ps // 1000
        head = struct.pack("<5I", interface, ns >> 32, ns & 0xFFFFFFFF, len(data), len(data))
        self._file.write(_block(_ENHANCED, head + data + bytes(-len(data) % 4)))


def _block(kind: int, body: bytes) -> bytes:
    total = len(body) + 12
    return struct.pack("<2I", kind, total) + body + struct.pack("<I", total)
