"""Ethernet frames around UET, jitted: read back into records, or refused with a reason.

A trimmed frame is known by its DSCP. Its UDP length still tells the original size; over native IP
that size is lost. Its CRC is gone, so it is not checked.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from uet.base.jit import kernel
from uet.transport.record import Net, PdsType
from uet.transport.wire.codec import UNKNOWN_LENGTH
from uet.transport.wire.codes import UDP_PORT, EtherType, IpProtocol
from uet.transport.wire.crc32c import crc32c
from uet.transport.wire.extensions import decode_whole
from uet.transport.wire.internet_checksum import ip_checksum, udp_checksum
from uet.transport.wire.memory import load8, load16, load32, load64, swap32
from uet.transport.wire.network import ENTROPY, ETHERNET, IPV4, IPV6, UDP, VLAN
from uet.transport.wire.path import CrcMode
from uet.transport.wire.refusal import Refusal
from uet.transport.wire.sizes import FCS_BYTES, link_share_bytes
from uet.transport.wire.trailer import CRC_BYTES

_ETH, _TAG, _IP4, _IP6 = ETHERNET.size(), VLAN.size(), IPV4.size(), IPV6.size()
_UDP_BYTES, _ENTROPY_BYTES = UDP.size(), ENTROPY.size()
_TYPE4, _TYPE6 = int(EtherType.IPV4), int(EtherType.IPV6)
_TYPE_TAG, _TYPE_SERVICE_TAG = int(EtherType.VLAN), int(EtherType.SERVICE_VLAN)
_SRC4, _SRC6 = IPV4.byte_offset("src"), IPV6.byte_offset("src")
_UDP_PROTOCOL = int(IpProtocol.UDP)
_NONE, _REFPROV, _PAYLOAD_BE, _AUTO = (int(mode) for mode in CrcMode)
_CAPABLE, _CE = int(Net.ECN_CAPABLE), int(Net.ECN_CE)
_TRIMMED, _LAST_HOP, _CONTROL = int(Net.TRIMMED), int(Net.LAST_HOP), int(Net.CONTROL)
_SHORT, _NOT_IP, _IP_HEADER = (int(Refusal[n]) for n in ("SHORT", "NOT_IP", "IP_HEADER"))
_IP_LENGTH, _FRAGMENT, _NOT_UET = (int(Refusal[n]) for n in ("IP_LENGTH", "FRAGMENT", "NOT_UET"))
_UDP_LENGTH, _UDP_CHECKSUM, _CRC = (int(Refusal[n]) for n in ("UDP_LENGTH", "UDP_CHECKSUM", "CRC"))
_FRAGMENT_BITS = 0x3FFF
_TSS = int(PdsType.TSS)


@kernel
def parse_frame(path: Any, frame: int, length: int, packet: Any, ses: Any, found: Any) -> int:
    """Fill `packet` and `ses` from a frame, and `found`, a path, with what stood around it.

    `path` says how to read: its CRC mode, protocol number and DSCPs. Besides what `decode_whole` fills,
    `packet` gets entropy, net marks and link share. Returns the payload's offset in the frame (of a
    trimmed frame it may lie beyond the end), or a `Refusal`. Nothing beyond `length` is read.
    """
    uet = locate_uet(path, frame, length, packet, found)
    if uet < 0:
        return uet
    offset = decode_whole(frame + uet, np.int64(found["uet_bytes"]), np.int64(found["original_bytes"]), packet, ses)
    return offset if offset < 0 else uet + offset


@kernel
def locate_uet(path: Any, frame: int, length: int, packet: Any, found: Any) -> int:
    """Do what `parse_frame` does below UET: fill `found`, and entropy, net marks and link share.

    Returns where UET begins, or a `Refusal`; `found` says how many bytes it has without the CRC, and
    had before trimming. The CRC is checked, but not that of a TSS packet, which has none: whoever
    opens the TSS packet then calls `decode_whole`.
    """
    ip_at = ip_offset(frame, length)
    if ip_at < 0:
        return ip_at
    _note_ethernet(frame, ip_at, found)
    below = _parse_ip(path, frame, ip_at, length, packet, found)
    if below < 0:
        return below
    end = ip_at + _ip_bytes(frame + ip_at)
    uet = below + (_UDP_BYTES if found["udp"] else _ENTROPY_BYTES)
    if uet > end:
        return _SHORT
    cut = np.int64(packet["net"]) & _TRIMMED
    original = _parse_udp(frame, ip_at, below, end, cut, found) if found["udp"] else end
    if original < 0:
        return original
    packet["entropy"] = load16(frame + below)
    packet["wire_bytes"] = link_share_bytes(length + FCS_BYTES)
    end = min(end, original)
    trailer = _trailer_bytes(np.int64(path["crc"]), frame, ip_at, uet, end, original, cut, found)
    if trailer < 0:
        return trailer
    whole = original - trailer - uet
    found["uet_bytes"] = min(end - uet, whole)
    found["original_bytes"] = UNKNOWN_LENGTH if cut and not found["udp"] else whole
    return uet


@kernel
def ip_offset(frame: int, length: int) -> int:
    """Return where the IP header begins, behind up to two VLAN tags, or a `Refusal`."""
    at = _ETH
    while at <= length:
        ethertype = load16(frame + at - 2)
        if ethertype in (_TYPE4, _TYPE6):
            return at
        if ethertype not in (_TYPE_TAG, _TYPE_SERVICE_TAG) or at == _ETH + 2 * _TAG:
            return _NOT_IP
        at += _TAG
    return _SHORT


@kernel
def _note_ethernet(frame: int, ip_at: int, found: Any) -> None:
    """Fill the MAC addresses, the tag nearest to IP, and the IP version."""
    found["dst_mac"] = np.uint64(load16(frame) << 32 | load32(frame + 2))
    found["src_mac"] = np.uint64(load16(frame + 6) << 32 | load32(frame + 8))
    found["vlan"] = load16(frame + ip_at - _TAG) if ip_at > _ETH else -1
    found["ip_version"] = 4 if load16(frame + ip_at - 2) == _TYPE4 else 6


@kernel
def _ip_bytes(header: int) -> int:
    """Return header and payload bytes of the IP packet whose complete header is at `header`."""
    return load16(header + 2) if load8(header) >> 4 == 4 else _IP6 + load16(header + 4)


@kernel
def _parse_ip(path: Any, frame: int, at: int, length: int, packet: Any, found: Any) -> int:
    """Return where UDP or the entropy header begins; fill addresses, protocol and the net marks."""
    header = frame + at
    if found["ip_version"] == 4:
        protocol, traffic, header_bytes = _parse_ipv4(header, length - at, found)
    else:
        protocol, traffic, header_bytes = _parse_ipv6(header, length - at, found)
    if protocol < 0:
        return protocol
    found["udp"] = 1 if protocol == _UDP_PROTOCOL else 0
    found["protocol"] = protocol
    if protocol != _UDP_PROTOCOL and protocol != path["protocol"]:
        return _NOT_UET
    packet["net"] = _marks(path, traffic)
    return at + header_bytes


@kernel
def _parse_ipv4(header: int, room: int, found: Any) -> Any:
    """Return (protocol, traffic class, header bytes), the first a `Refusal` if anything is wrong."""
    if room < _IP4:
        return _SHORT, 0, 0
    header_bytes, total = (load8(header) & 15) << 2, load16(header + 2)
    if load8(header) >> 4 != 4 or header_bytes < _IP4 or total < header_bytes:
        return _IP_HEADER, 0, 0
    if total > room:
        return _IP_LENGTH, 0, 0
    if ip_checksum(header, header_bytes) != 0:
        return _IP_HEADER, 0, 0
    if load16(header + 6) & _FRAGMENT_BITS:
        return _FRAGMENT, 0, 0
    found["ttl"] = load8(header + 8)
    zero = np.uint64(0)
    found["src_high"], found["dst_high"], found["flow_label"] = zero, zero, 0
    found["src_low"], found["dst_low"] = np.uint64(load32(header + 12)), np.uint64(load32(header + 16))
    return load8(header + 9), load8(header + 1), header_bytes


@kernel
def _parse_ipv6(header: int, room: int, found: Any) -> Any:
    """Return (protocol, traffic class, header bytes), the first a `Refusal` if anything is wrong."""
    if room < _IP6:
        return _SHORT, 0, 0
    first = load32(header)
    if first >> 28 != 6:
        return _IP_HEADER, 0, 0
    if _IP6 + load16(header + 4) > room:
        return _IP_LENGTH, 0, 0
    found["flow_label"], found["ttl"] = first & 0xFFFFF, load8(header + 7)
    found["src_high"], found["src_low"] = load64(header + 8), load64(header + 16)
    found["dst_high"], found["dst_low"] = load64(header + 24), load64(header + 32)
    return load8(header + 6), (first >> 20) & 0xFF, _IP6


@kernel
def _marks(path: Any, traffic: int) -> int:
    """Return the net marks that DSCP and ECN stand for."""
    dscp, ecn = traffic >> 2, traffic & 3
    net = 0
    if ecn:
        net |= _CAPABLE
    if ecn == 3:
        net |= _CE
    if dscp == path["dscp_trimmed"]:
        return net | _TRIMMED | _CONTROL
    if dscp == path["dscp_trimmed_lasthop"]:
        return net | _TRIMMED | _LAST_HOP | _CONTROL
    return net | _CONTROL if dscp == path["dscp_control"] else net


@kernel
def _address_bytes(found: Any) -> int:
    """Return the bytes of both IP addresses together; they end the IP header."""
    return 8 if found["ip_version"] == 4 else 32


@kernel
def _addresses_at(ip_at: int, found: Any) -> int:
    """Return where the IP source address begins."""
    return ip_at + (_SRC4 if found["ip_version"] == 4 else _SRC6)


@kernel
def _parse_udp(frame: int, ip_at: int, at: int, end: int, cut: int, found: Any) -> int:
    """Return where the datagram ended before trimming, or a `Refusal`."""
    if load16(frame + at + 2) != UDP_PORT:
        return _NOT_UET
    size = load16(frame + at + 4)
    if size < _UDP_BYTES or (at + size > end and not cut):
        return _UDP_LENGTH
    if load16(frame + at + 6) != 0 and not cut:
        addresses = frame + _addresses_at(ip_at, found)
        if udp_checksum(addresses, _address_bytes(found), frame + at, size) != 0:
            return _UDP_CHECKSUM
    return at + size


@kernel
def _trailer_bytes(mode: int, frame: int, ip_at: int, uet: int, end: int, original: int, cut: int, found: Any) -> int:
    """Return the bytes of the CRC that is (or, of a trimmed packet, was) there, or a `Refusal`."""
    if cut:
        had_one = mode in (_REFPROV, _PAYLOAD_BE) and original - uet >= CRC_BYTES
        return CRC_BYTES if had_one and original > end else 0
    if end > uet and load8(frame + uet) >> 3 == _TSS:
        return 0
    return _check_crc(mode, frame, _addresses_at(ip_at, found), uet, end)


@kernel
def _check_crc(mode: int, frame: int, addresses: int, uet: int, end: int) -> int:
    """Return the trailer's bytes: 4 or, without a CRC, 0; or a `Refusal`."""
    if mode == _NONE:
        return 0
    body_end = end - CRC_BYTES
    if body_end < uet:
        return 0 if mode == _AUTO else _CRC
    stored = load32(frame + body_end)
    if mode != _PAYLOAD_BE and swap32(stored) == crc32c(frame + addresses, body_end - addresses):
        return CRC_BYTES
    if mode != _REFPROV and stored == crc32c(frame + uet, body_end - uet):
        return CRC_BYTES
    return 0 if mode == _AUTO else _CRC
