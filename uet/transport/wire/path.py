"""What stands around UET in a frame, as a record: addresses, encapsulation, classes, CRC."""

from __future__ import annotations

from enum import IntEnum
from ipaddress import ip_address

from uet.base.errors import BadInput, nearest
from uet.base.tables import Records, table
from uet.transport.wire.codes import NATIVE_PROTOCOL
from uet.transport.wire.text import address_number

PATH = table(
    "path",
    """
    dst_mac u8 - destination MAC address, low 48 bits
    src_mac u8 - source MAC address, low 48 bits
    dst_high u8 - upper half of the IPv6 destination address
    dst_low u8 - lower half of it, or the IPv4 destination address
    src_high u8 - upper half of the IPv6 source address
    src_low u8 - lower half of it, or the IPv4 source address
    flow_label u4 - IPv6 flow label
    vlan i4 - VLAN tag control (priority 3, drop 1, identifier 12), -1 for no tag
    ip_version u1 - 4 or 6
    udp u1 - 1: UDP, 0: native IP with an entropy header
    protocol u1 - IP protocol number of native UET
    ttl u1 - hops left
    crc u1 - CrcMode
    dscp_data u1 - class of requests, which switches may trim
    dscp_control u1 - class of ACK, NACK and CP
    dscp_trimmed u1 - class of trimmed packets
    dscp_trimmed_lasthop u1 - class of packets trimmed at the last hop; the same as above: not told apart
    uet_bytes i4 bytes received: UET bytes in the frame, without a CRC
    original_bytes i4 bytes received: the same before trimming, -1 unknown
    """,
    row_bytes=128,
)

DSCP_DEFAULTS = {"data": 0, "control": 46, "trimmed": 16, "trimmed_lasthop": 18}
"""Operators choose these; data CS0 and control EF are those of uet-ref-prov, the others CS2 and AF21."""


class CrcMode(IntEnum):
    """Which CRC-32C ends a packet; `AUTO`, for receiving only, takes either and none."""

    NONE = 0
    REFPROV = 1  # from the IP source address on, stored little-endian
    PAYLOAD_BE = 2  # the UET bytes, stored big-endian
    AUTO = 3


CRC_MODES = {"none": CrcMode.NONE, "refprov": CrcMode.REFPROV, "payload-be": CrcMode.PAYLOAD_BE, "auto": CrcMode.AUTO}


def make_path(
    src_ip: str,
    dst_ip: str,
    src_mac: str = "02:00:00:00:00:01",
    dst_mac: str = "02:00:00:00:00:02",
    *,
    udp: bool = True,
    vlan: int = -1,
    crc: str = "refprov",
    ttl: int = 64,
    dscp: dict[str, int] | None = None,
) -> Records:
    """Return one PATH row. Raises BadInput for addresses that are none or of different versions."""
    versions = {_version(src_ip), _version(dst_ip)}
    if len(versions) != 1:
        raise BadInput(f"{src_ip} and {dst_ip} are of different IP versions; use two of the same")
    if crc not in CRC_MODES:
        raise BadInput(f"no CRC choice is called '{crc}'; {nearest(crc, CRC_MODES)}")
    rows = PATH.zeros(1)
    version = versions.pop()
    half = (1 << 64) - 1
    for end, ip, mac in (("src", src_ip, src_mac), ("dst", dst_ip, dst_mac)):
        number = address_number(ip, 32 if version == 4 else 128)
        rows[f"{end}_high"], rows[f"{end}_low"] = number >> 64, number & half
        rows[f"{end}_mac"] = address_number(mac, 48)
    rows["ip_version"], rows["udp"], rows["protocol"] = version, udp, NATIVE_PROTOCOL
    rows["vlan"], rows["ttl"], rows["crc"] = vlan, ttl, CRC_MODES[crc]
    for name, value in (DSCP_DEFAULTS | (dscp or {})).items():
        rows[f"dscp_{name}"] = value
    return rows


def _version(ip: str) -> int:
    try:
        return ip_address(ip).version
    except ValueError:
        raise BadInput(f"'{ip}' is not an IP address") from None
