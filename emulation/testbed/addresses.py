"""Addresses of the testbed's hosts: host k has number k + 1 in its MAC, IPv4 and IPv6 address."""

from __future__ import annotations

HOST_BASE = 1
MAX_HOSTS = (1 << 24) - 2
_PREFIX_4, _PREFIX_6 = "10.", "fd00::"


def mac(host: int) -> str:
    """Return a host's MAC address, locally administered."""
    n = HOST_BASE + host
    return f"02:00:00:{n >> 16:02x}:{n >> 8 & 255:02x}:{n & 255:02x}"


def ip(host: int, version: int = 4) -> str:
    """Return a host's IP address."""
    n = HOST_BASE + host
    if version == 4:
        return f"{_PREFIX_4}{n >> 16}.{n >> 8 & 255}.{n & 255}"
    return f"{_PREFIX_6}{n >> 16:x}:{n & 0xFFFF:x}"
