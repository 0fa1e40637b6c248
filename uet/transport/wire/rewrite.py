"""What a switch does to a frame in place, jitted: mark congestion, trim.

Trimming follows UET: cut the payload, change the DSCP, correct IP length and IPv4 checksum, and
leave ECN, TTL and the UDP length as they are, so that the destination learns the original size.
"""

from __future__ import annotations

from uet.base.jit import kernel
from uet.transport.wire.codes import IpProtocol
from uet.transport.wire.internet_checksum import ip_checksum
from uet.transport.wire.memory import load8, load16, store8, store16
from uet.transport.wire.network import ENTROPY, IPV4, IPV6, UDP
from uet.transport.wire.parse import ip_offset
from uet.transport.wire.refusal import Refusal

MIN_TRIM_UET_BYTES = 16
"""UET bytes a trimmed packet keeps at least: 24 with a UDP header, 20 with an entropy header."""

_IP4, _IP6 = IPV4.size(), IPV6.size()
_UDP_BYTES, _ENTROPY_BYTES = UDP.size(), ENTROPY.size()
_CHECKSUM = IPV4.byte_offset("header_checksum")
_UDP_PROTOCOL = int(IpProtocol.UDP)
_SHORT = int(Refusal.SHORT)
_CE = 3


@kernel
def _ip_header(frame: int, length: int) -> int:
    """Return where a whole IP header begins, or a `Refusal`."""
    at = ip_offset(frame, length)
    if at < 0:
        return at
    if at >= length:
        return _SHORT
    need = (load8(frame + at) & 15) << 2 if load8(frame + at) >> 4 == 4 else _IP6
    return at if at + need <= length and need >= _IP4 else _SHORT


@kernel
def _traffic_class(ip: int) -> int:
    """Return DSCP and ECN of the IP header at address `ip` as one byte."""
    return load8(ip + 1) if load8(ip) >> 4 == 4 else load16(ip) >> 4 & 0xFF


@kernel
def _set_traffic_class(ip: int, traffic: int) -> None:
    """Change DSCP and ECN, and bring the IPv4 checksum up to date."""
    if load8(ip) >> 4 == 4:
        store8(ip + 1, traffic)
        store16(ip + _CHECKSUM, 0)
        store16(ip + _CHECKSUM, ip_checksum(ip, (load8(ip) & 15) << 2))
    else:
        store16(ip, (load16(ip) & 0xF00F) | traffic << 4)


@kernel
def mark_congestion(frame: int, length: int) -> int:
    """Set ECN to CE. Returns 1 if that was done, 0 if the packet is not ECN-capable, or a `Refusal`."""
    at = _ip_header(frame, length)
    if at < 0:
        return at
    traffic = _traffic_class(frame + at)
    if traffic & _CE == 0:
        return 0
    _set_traffic_class(frame + at, traffic | _CE)
    return 1


@kernel
def trim_frame(frame: int, length: int, keep: int, dscp: int) -> int:
    """Cut a frame after `keep` UET bytes (at least 16) and put it into class `dscp`.

    Returns the new length, 0 if the packet is too small to be trimmed, or a `Refusal`.
    """
    at = _ip_header(frame, length)
    if at < 0:
        return at
    ip = frame + at
    four = load8(ip) >> 4 == 4
    header = (load8(ip) & 15) << 2 if four else _IP6
    protocol = load8(ip + 9) if four else load8(ip + 6)
    below = _UDP_BYTES if protocol == _UDP_PROTOCOL else _ENTROPY_BYTES
    kept = below + max(keep, MIN_TRIM_UET_BYTES)
    if at + header + kept >= length:
        return 0
    if four:
        store16(ip + 2, header + kept)
    else:
        store16(ip + 4, kept)
    _set_traffic_class(ip, dscp << 2 | (_traffic_class(ip) & _CE))
    return at + header + kept
