"""The Internet checksum (RFC 1071) of bytes at an address, jitted."""

from __future__ import annotations

from uet.base.jit import kernel
from uet.transport.wire.codes import IpProtocol
from uet.transport.wire.memory import load8, load16, load32

_UDP = int(IpProtocol.UDP)


@kernel
def _sum(address: int, n: int) -> int:
    total = 0
    words = n >> 2
    for i in range(words):
        total += load32(address + (i << 2))
    at = words << 2
    if n & 2:
        total += load16(address + at) << 16
        at += 2
    if n & 1:
        total += load8(address + at) << (8 if n & 2 else 24)
    return total


@kernel
def _fold(total: int) -> int:
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


@kernel
def ip_checksum(address: int, n: int) -> int:
    """Return the checksum of `n` bytes; over a header that contains its checksum, 0 if it is right."""
    return _fold(_sum(address, n))


@kernel
def udp_checksum(addresses: int, address_bytes: int, datagram: int, n: int) -> int:
    """Return the UDP checksum over pseudo-header and datagram; 0 if a contained one is right."""
    return _fold(_sum(addresses, address_bytes) + _UDP + n + _sum(datagram, n))
