"""Why bytes are refused, or a record cannot be written: negative results of the wire kernels."""

from __future__ import annotations

from enum import IntEnum


class Refusal(IntEnum):
    """Reasons, returned in place of a length or an offset."""

    NO_ROOM = -1  # encode: the output is shorter than the packet
    TOO_WIDE = -2  # encode: a number does not fit its field
    SHORT = -3  # the bytes end inside a header
    RESERVED_TYPE = -4  # PDS type 0 or 15 and above
    UNCODED_TYPE = -5  # a type whose fields the packet record has no place for (ACK_CCX, NACK_CCX)
    SECURED = -6  # a TSS header: to be opened first
    RESERVED_NEXT = -7  # next_hdr names nothing
    VERSION = -8  # SES version other than 0
    PAYLOAD_LENGTH = -9  # the SES header announces another payload length
    NOT_SINGLE = -10  # a small or medium request that is not first and last packet at once
    NOT_IP = -11  # neither IPv4 nor IPv6, or too many VLAN tags
    IP_HEADER = -12  # version, header length or checksum is wrong
    IP_LENGTH = -13  # the frame is shorter than its IP length
    FRAGMENT = -14  # UET is never fragmented
    NOT_UET = -15  # another protocol or UDP port
    UDP_LENGTH = -16  # less than its own header
    UDP_CHECKSUM = -17  # wrong
    CRC = -18  # the end-to-end CRC-32C does not match
