"""The numbers in headers and their names, beside those that the packet record already names.

Source: uet-ref-prov, the Wireshark dissector, xdp2 and IxNetwork use the same numbers throughout.
"""

from __future__ import annotations

from enum import IntEnum

from uet.transport.record import NackCode, NextHeader, PdsType, SesOpcode

__all__ = [
    "AtomicOp",
    "AtomicType",
    "CcType",
    "ControlType",
    "EtherType",
    "IpProtocol",
    "NackCode",
    "NextHeader",
    "PdsType",
    "ResponseOpcode",
    "ReturnCode",
    "SesOpcode",
]

UDP_PORT = 4793
"""Destination port of UET over UDP (IANA)."""

NATIVE_PROTOCOL = 253
"""IP protocol number used for UET over native IP until one is assigned (RFC 3692 experimental)."""


class EtherType(IntEnum):
    """EtherTypes that can stand in front of UET."""

    IPV4 = 0x0800
    VLAN = 0x8100
    IPV6 = 0x86DD
    SERVICE_VLAN = 0x88A8


class IpProtocol(IntEnum):
    """IP protocol numbers that can carry UET."""

    UDP = 17
    EXPERIMENT_1 = 253
    EXPERIMENT_2 = 254


class ControlType(IntEnum):
    """Kinds of control packet (CP), `ctl_type` of the prologue."""

    NOOP = 0
    ACK_REQUEST = 1
    CLEAR_COMMAND = 2
    CLEAR_REQUEST = 3
    CLOSE_COMMAND = 4
    CLOSE_REQUEST = 5
    PROBE = 6
    CREDIT = 7
    CREDIT_REQUEST = 8
    NEGOTIATION = 9


class CcType(IntEnum):
    """What the congestion state of an ACK_CC means."""

    NSCC = 0
    CREDIT = 1


class ResponseOpcode(IntEnum):
    """SES response opcodes."""

    DEFAULT_RESPONSE = 0
    RESPONSE = 1
    RESPONSE_W_DATA = 2
    NO_RESPONSE = 3


class ReturnCode(IntEnum):
    """SES response return codes."""

    NULL = 0x00
    OK = 0x01
    BAD_GENERATION = 0x02
    DISABLED = 0x03
    DISABLED_GEN = 0x04
    NO_MATCH = 0x05
    UNSUPPORTED_OP = 0x06
    UNSUPPORTED_SIZE = 0x07
    AT_INVALID = 0x08
    AT_PERM = 0x09
    AT_ATS_ERROR = 0x0A
    AT_NO_TRANS = 0x0B
    AT_OUT_OF_RANGE = 0x0C
    HOST_POISONED = 0x0D
    HOST_UNSUCCESS_CMPL = 0x0E
    AMO_UNSUPPORTED_OP = 0x0F
    AMO_UNSUPPORTED_DT = 0x10
    AMO_UNSUPPORTED_SIZE = 0x11
    AMO_UNALIGNED = 0x12
    AMO_FP_NAN = 0x13
    AMO_FP_UNDERFLOW = 0x14
    AMO_FP_OVERFLOW = 0x15
    AMO_FP_INEXACT = 0x16
    PERM_VIOLATION = 0x17
    OP_VIOLATION = 0x18
    BAD_INDEX = 0x19
    BAD_PID = 0x1A
    BAD_JOB_ID = 0x1B
    BAD_MKEY = 0x1C
    BAD_ADDR = 0x1D
    CANCELLED = 0x1E
    UNDELIVERABLE = 0x1F
    UNCOR = 0x20
    UNCOR_TRNSNT = 0x21
    TOO_LONG = 0x22
    INITIATOR_ERR = 0x23
    DROPPED = 0x24


class AtomicOp(IntEnum):
    """Atomic operations."""

    MIN = 0x00
    MAX = 0x01
    SUM = 0x02
    DIFF = 0x03
    PROD = 0x04
    LOR = 0x05
    LAND = 0x06
    BOR = 0x07
    BAND = 0x08
    LXOR = 0x09
    BXOR = 0x0A
    READ = 0x0B
    WRITE = 0x0C
    CSWAP = 0x0D
    CSWAP_NE = 0x0E
    CSWAP_LE = 0x0F
    CSWAP_LT = 0x10
    CSWAP_GE = 0x11
    CSWAP_GT = 0x12
    MSWAP = 0x13
    INVAL = 0x14


class AtomicType(IntEnum):
    """Operand types of atomic operations."""

    INT8 = 0x00
    UINT8 = 0x01
    INT16 = 0x02
    UINT16 = 0x03
    INT32 = 0x04
    UINT32 = 0x05
    INT64 = 0x06
    UINT64 = 0x07
    INT128 = 0x08
    UINT128 = 0x09
    FLOAT = 0x0A
    DOUBLE = 0x0B
    FLOAT_COMPLEX = 0x0C
    DOUBLE_COMPLEX = 0x0D
    LONG_DOUBLE = 0x0E
    LONG_DOUBLE_COMPLEX = 0x0F
    BF16 = 0x10
    FP16 = 0x11
