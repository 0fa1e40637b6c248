"""Whole Ethernet frames around UET, jitted: written from a path and a packet.

A frame is Ethernet, an optional VLAN tag, IPv4 or IPv6, UDP (port 4793, source port = entropy) or
the entropy header, PDS, SES, payload, CRC-32C. The FCS and padding are the network card's. UDP
carries checksum 0, except over IPv6 without a CRC.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from uet.base.jit import kernel
from uet.transport.record import Net
from uet.transport.wire.codes import UDP_PORT, EtherType, IpProtocol
from uet.transport.wire.crc32c import crc32c
from uet.transport.wire.extensions import encode_whole
from uet.transport.wire.internet_checksum import ip_checksum, udp_checksum
from uet.transport.wire.memory import copy_bytes, store8, store16, store32, store64, swap32
from uet.transport.wire.network import ENTROPY, ETHERNET, IPV4, IPV6, UDP, VLAN
from uet.transport.wire.path import CrcMode
from uet.transport.wire.refusal import Refusal
from uet.transport.wire.trailer import CRC_BYTES

_ETH, _TAG, _IP4, _IP6 = ETHERNET.size(), VLAN.size(), IPV4.size(), IPV6.size()
_UDP_BYTES, _ENTROPY_BYTES = UDP.size(), ENTROPY.size()
_TYPE4, _TYPE6, _TYPE_TAG = int(EtherType.IPV4), int(EtherType.IPV6), int(EtherType.VLAN)
_UDP_PROTOCOL = int(IpProtocol.UDP)
_REFPROV, _PAYLOAD_BE = int(CrcMode.REFPROV), int(CrcMode.PAYLOAD_BE)
_CAPABLE, _CE = int(Net.ECN_CAPABLE), int(Net.ECN_CE)
_TRIMMED, _LAST_HOP, _CONTROL = int(Net.TRIMMED), int(Net.LAST_HOP), int(Net.CONTROL)
_NO_ROOM = int(Refusal.NO_ROOM)
_DONT_FRAGMENT = 0x4000


@kernel
def build_frame(path: Any, packet: Any, ses: Any, payload: int, out: int, room: int) -> int:
    """Write the frame of `packet` to the `room` bytes at `out`; its payload bytes are at `payload`.

    Returns the frame's length without FCS, or a `Refusal`. `packet.net` gives ECN and class.
    """
    tag = _TAG if path["vlan"] >= 0 else 0
    ip_bytes = _IP4 if path["ip_version"] == 4 else _IP6
    ip_at = out + _ETH + tag
    below = ip_at + ip_bytes
    uet = below + (_UDP_BYTES if path["udp"] else _ENTROPY_BYTES)
    trailer = CRC_BYTES if path["crc"] == _REFPROV or path["crc"] == _PAYLOAD_BE else 0
    payload_bytes = np.int64(packet["payload_bytes"])
    if uet - out > room:
        return _NO_ROOM
    headers = encode_whole(packet, ses, uet, room - (uet - out) - payload_bytes - trailer)
    if headers < 0:
        return headers
    copy_bytes(uet + headers, payload, payload_bytes)
    body = headers + payload_bytes
    _build_ethernet(path, out)
    ip_payload = uet - below + body + trailer
    if ip_bytes == _IP4:
        _build_ipv4(path, packet, ip_at, ip_payload)
    else:
        _build_ipv6(path, packet, ip_at, ip_payload)
    store16(below, np.int64(packet["entropy"]))
    if path["udp"]:
        store16(below + 2, UDP_PORT)
        store16(below + 4, ip_payload)
        store16(below + 6, 0)
        if ip_bytes == _IP6 and trailer == 0:
            checksum = udp_checksum(ip_at + 8, 32, below, ip_payload)
            store16(below + 6, checksum if checksum else 0xFFFF)
    else:
        store16(below + 2, 0)
    _build_crc(np.int64(path["crc"]), ip_at + ip_bytes - (8 if ip_bytes == _IP4 else 32), uet, uet + body)
    return uet + body + trailer - out


@kernel
def _build_ethernet(path: Any, out: int) -> None:
    store16(out, np.int64(path["dst_mac"]) >> 32)
    store32(out + 2, np.int64(path["dst_mac"]))
    store16(out + 6, np.int64(path["src_mac"]) >> 32)
    store32(out + 8, np.int64(path["src_mac"]))
    ethertype = _TYPE4 if path["ip_version"] == 4 else _TYPE6
    if path["vlan"] >= 0:
        store16(out + 12, _TYPE_TAG)
        store16(out + 14, np.int64(path["vlan"]))
        store16(out + 16, ethertype)
    else:
        store16(out + 12, ethertype)


@kernel
def _traffic_class(path: Any, net: int) -> int:
    """Return DSCP and ECN as the byte of the IP header."""
    if net & _TRIMMED:
        dscp = path["dscp_trimmed_lasthop"] if net & _LAST_HOP else path["dscp_trimmed"]
    elif net & _CONTROL:
        dscp = path["dscp_control"]
    else:
        dscp = path["dscp_data"]
    ecn = 3 if net & _CE else (2 if net & _CAPABLE else 0)
    return int(np.int64(dscp) << 2 | ecn)


@kernel
def _build_ipv4(path: Any, packet: Any, out: int, payload_bytes: int) -> None:
    store8(out, 0x45)
    store8(out + 1, _traffic_class(path, np.int64(packet["net"])))
    store16(out + 2, _IP4 + payload_bytes)
    store16(out + 4, 0)
    store16(out + 6, _DONT_FRAGMENT)
    store8(out + 8, np.int64(path["ttl"]))
    store8(out + 9, _UDP_PROTOCOL if path["udp"] else np.int64(path["protocol"]))
    store16(out + 10, 0)
    store32(out + 12, np.int64(path["src_low"]))
    store32(out + 16, np.int64(path["dst_low"]))
    store16(out + 10, ip_checksum(out, _IP4))


@kernel
def _build_ipv6(path: Any, packet: Any, out: int, payload_bytes: int) -> None:
    traffic = _traffic_class(path, np.int64(packet["net"]))
    store32(out, 6 << 28 | traffic << 20 | (np.int64(path["flow_label"]) & 0xFFFFF))
    store16(out + 4, payload_bytes)
    store8(out + 6, _UDP_PROTOCOL if path["udp"] else np.int64(path["protocol"]))
    store8(out + 7, np.int64(path["ttl"]))
    store64(out + 8, path["src_high"])
    store64(out + 16, path["src_low"])
    store64(out + 24, path["dst_high"])
    store64(out + 32, path["dst_low"])


@kernel
def _build_crc(mode: int, addresses: int, uet: int, end: int) -> None:
    if mode == _REFPROV:
        store32(end, swap32(crc32c(addresses, end - addresses)))
    elif mode == _PAYLOAD_BE:
        store32(end, crc32c(uet, end - uet))
