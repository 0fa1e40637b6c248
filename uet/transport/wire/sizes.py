"""How many bytes a packet takes: its headers, its transport size, its share of a link.

The share follows the `uet-1.0` profile: preamble 8, inter-packet gap 12, Ethernet 14 and FCS 4 (at
least 64 together with their content, IEEE 802.3), IP, UDP or entropy header, PDS, SES, payload, CRC.
"""

from __future__ import annotations

import numpy as np

from uet.base.jit import kernel
from uet.transport.record import NextHeader, PdsType
from uet.transport.wire.network import ENTROPY, ETHERNET, IPV4, IPV6, UDP, VLAN
from uet.transport.wire.pds import PDS
from uet.transport.wire.ses import SES
from uet.transport.wire.trailer import CRC_BYTES

PREAMBLE_BYTES = 8
GAP_BYTES = 12
FCS_BYTES = 4
MIN_FRAME_BYTES = 64
NOMINAL_BYTES = 40
"""What congestion control adds to the transport size of a packet (`nominal_pktsize`)."""

PDS_BYTES = np.full(32, -1, dtype=np.int64)
"""PDS header bytes by type, -1 for types that are none."""
PDS_BYTES[[int(t) for t in PDS]] = [h.size() for h in PDS.values()]

SES_BYTES = np.full(16, -1, dtype=np.int64)
"""SES header bytes by next_hdr, 0 for those that announce nothing, -1 for reserved ones."""
SES_BYTES[[int(t) for t in SES]] = [h.size() for h in SES.values()]
SES_BYTES[[NextHeader.NONE, NextHeader.CP_ACK]] = 0

_CP = int(PdsType.CP)


def frame_overhead_bytes(ip_version: int = 4, udp: bool = True, crc: bool = True, vlan_tags: int = 0) -> int:
    """Return what a frame has around PDS, SES and payload, without preamble and gap.

    The default, Ethernet 14 + FCS 4 + IPv4 20 + UDP 8 + CRC 4 = 50, is that of the uet-1.0 profile.
    """
    network = (IPV4 if ip_version == 4 else IPV6).size() + (UDP if udp else ENTROPY).size()
    return ETHERNET.size() + vlan_tags * VLAN.size() + FCS_BYTES + network + (CRC_BYTES if crc else 0)


DEFAULT_OVERHEAD_BYTES = frame_overhead_bytes()


@kernel
def header_bytes(pds_type: int, next_hdr: int) -> int:
    """Return the PDS and SES header bytes of a packet, or -1 when one of them does not exist."""
    pds = PDS_BYTES[pds_type & 31]
    ses = 0 if pds_type == _CP else SES_BYTES[next_hdr & 15]
    return -1 if pds < 0 or ses < 0 else pds + ses


@kernel
def link_share_bytes(frame_bytes: int) -> int:
    """Return the bytes of link time that a frame (with FCS) takes: at least 64, plus preamble and gap."""
    return max(frame_bytes, MIN_FRAME_BYTES) + PREAMBLE_BYTES + GAP_BYTES


@kernel
def wire_bytes(pds_type: int, next_hdr: int, payload_bytes: int, overhead_bytes: int = DEFAULT_OVERHEAD_BYTES) -> int:
    """Return the link share of a packet; `overhead_bytes` is that of `frame_overhead_bytes`."""
    return link_share_bytes(overhead_bytes + header_bytes(pds_type, next_hdr) + payload_bytes)


@kernel
def transport_bytes(pds_type: int, next_hdr: int, payload_bytes: int, udp: bool = True, crc: bool = True) -> int:
    """Return the bytes from the UDP (or entropy) header to the trailer, as UDP's length says."""
    below = 8 if udp else 4
    trailer = 4 if crc else 0
    return below + header_bytes(pds_type, next_hdr) + payload_bytes + trailer
