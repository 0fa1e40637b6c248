"""Field tables of what carries UET: Ethernet, VLAN tags, IPv4, IPv6, UDP and the entropy header."""

from __future__ import annotations

from uet.transport.wire.fields import header

ETHERNET = header(
    "eth",
    "Ethernet",
    """
dst        48            - A:IEEE802.3 destination MAC address
src        48            - A:IEEE802.3 source MAC address
ethertype  16=2048:EtherType - A:IEEE802.3 what follows
""",
)

VLAN = header(
    "vlan",
    "VLAN tag",
    """
pcp        3             - A:IEEE802.1Q priority
dei        1             - A:IEEE802.1Q may be dropped first
vid        12            - A:IEEE802.1Q VLAN identifier
ethertype  16=2048:EtherType - A:IEEE802.1Q what follows
""",
)

IPV4 = header(
    "ipv4",
    "IPv4",
    """
version         4=4      - A:RFC791 4
ihl             4=5      - A:RFC791 header length [32-bit words]; UET uses no options
dscp            6        - A:RFC791 traffic class; trimming switches change it
ecn             2        - A:RFC791 0 not capable, 1 and 2 capable, 3 congestion experienced
total_length    16       - A:RFC791 header and payload [B]
identification  16       - A:RFC791 datagram number
rsvd            1        - A:RFC791 reserved
df              1=1      - A:RFC791 do not fragment; UET never fragments
mf              1        - A:RFC791 more fragments
fragment_offset 13       - A:RFC791 place of the fragment [8 B]
ttl             8=64     - A:RFC791 hops left
protocol        8=17:IpProtocol - A:RFC791 what follows
header_checksum 16       - A:RFC791 one's complement sum over the header
src             32       - A:RFC791 source address
dst             32       - A:RFC791 destination address
""",
)

IPV6 = header(
    "ipv6",
    "IPv6",
    """
version         4=6      - A:RFC8200 6
dscp            6        - A:RFC8200 traffic class; trimming switches change it
ecn             2        - A:RFC8200 0 not capable, 1 and 2 capable, 3 congestion experienced
flow_label      20       - A:RFC8200 flow label
payload_length  16       - A:RFC8200 bytes after this header
next_header     8=17:IpProtocol - A:RFC8200 what follows
hop_limit       8=64     - A:RFC8200 hops left
src             128      - A:RFC8200 source address
dst             128      - A:RFC8200 destination address
""",
)

UDP = header(
    "udp",
    "UDP",
    """
src_port   16            - A:RFC768 source port: the entropy value (EV)
dst_port   16=4793       - A:RFC768 4793 for UET
length     16            - A:RFC768 UDP header and payload [B]; trimming leaves it as it was
checksum   16            - A:RFC768 0 = none
""",
)

ENTROPY = header(
    "entropy",
    "entropy header of native IP",
    """
entropy    16            - A:RP+WS+X2 entropy value (EV), where a UDP source port would be
rsvd       16            - A:RP+WS+X2 reserved
""",
)

NETWORK = {h.name: h for h in (ETHERNET, VLAN, IPV4, IPV6, UDP, ENTROPY)}
"""Headers below UET by name."""
