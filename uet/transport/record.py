"""The packet record: what crosses the boundary between the engine and its carriers.

One fixed row of 64 bytes (a cache line) holds the decoded PDS and congestion fields, entropy, sizes
and time of any packet. The semantic (SES) fields that are the same for every packet of a message
stand once in a `ses` row, to which the record refers; a carrier that receives bytes fills a `ses`
row of its own. Bytes <-> record is the business of `uet.transport.wire`.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag

from uet.base.tables import table

PACKET = table(
    "packet",
    """
    time_ps i8 ps when the engine handed the packet over (sender's clock)
    sack_bitmap u8 - ACK_CC: bit i set = PSN cack + sack_offset + i received
    cc_state u8 - ACK_CC: ack_cc_state; RUD_CC_REQ: ccc_id(8) and credit_target(24)
    src i4 - fabric endpoint (FEP) that sent it
    dst i4 - fabric endpoint it goes to
    psn u4 - request: PSN; ACK: CACK_PSN; NACK: NACK_PSN; CP: PSN
    ses i4 - row of the SES fields of its message, -1 none
    argument u4 - request: message_offset [bytes]; NACK and CP: payload word
    spdcid u2 - sender's PDC identifier
    dpdcid u2 - receiver's PDC identifier; with SYN: pdc_info(4) and psn_offset(12)
    psn_offset i2 - request: clear_psn_offset; ACK: ack_psn_offset or probe_opaque
    sack_offset i2 - ACK_CC: sack_psn_offset
    entropy u2 - entropy value (EV)
    wire_bytes u2 bytes the packet's share of a link, all headers and gaps included
    payload_bytes u2 bytes payload after the headers
    pds_type u1 - PdsType
    pds_flags u1 - PdsFlag, the 7 flag bits as on the wire
    next_hdr u1 - NextHeader; CP: control type
    code u1 - NACK: NackCode; ACK_CC: cc_type(4) and cc_flags(4)
    detail u1 - request: SES flags (SesFlag); ACK_CC: mpr
    net u1 - network marks (Net), set by switches
    """,
    row_bytes=64,
)

SES = table(
    "ses",
    """
    buffer_offset u8 bytes offset in the target's buffer
    match_bits u8 - match bits of a tagged send, memory key of an RMA
    header_data u8 - immediate data, carried by the first packet
    initiator u4 - initiator identifier
    job_id u4 - 24-bit job
    request_length u4 bytes length of the whole message
    modified_length u4 bytes responses: length actually used
    message_id u2 - message identifier within the PDC
    request_id u2 - response with data: message_id of the read it answers
    pid_on_fep u2 - 12-bit process on the target
    resource_index u2 - 12-bit resource
    opcode u1 - SES opcode
    ri_generation u1 - generation of the resource index
    return_code u1 - responses: return code
    list u1 - responses: 0 expected, 1 overflow
    atomic_op u1 - atomics: AtomicOp
    atomic_type u1 - atomics: AtomicType
    atomic_semantics u1 - atomics: semantic control
    read_generation u1 - rendezvous: generation of the resource to read from
    read_pid u2 - rendezvous: process to read from
    read_resource u2 - rendezvous: resource to read from
    eager_length u4 bytes rendezvous: bytes sent without waiting
    read_offset u8 bytes rendezvous: where the rest begins at the initiator
    read_key u8 - rendezvous: key of the region it is read from
    """,
    row_bytes=128,
)


class PdsType(IntEnum):
    """Packet delivery sublayer types, the top five bits of the prologue."""

    TSS = 1
    RUD_REQ = 2
    ROD_REQ = 3
    RUDI_REQ = 4
    RUDI_RESP = 5
    UUD_REQ = 6
    ACK = 7
    ACK_CC = 8
    ACK_CCX = 9
    NACK = 10
    CP = 11
    NACK_CCX = 12
    RUD_CC_REQ = 13
    ROD_CC_REQ = 14


class PdsFlag(IntFlag):
    """Flag bits of the prologue; their meaning depends on the type."""

    RETX = 0x10  # request, ACK, NACK, CP: about a retransmission
    AR = 0x08  # request, CP: an ACK is wanted at once
    SYN = 0x04  # request, CP: the PDC is being established
    MARKED = 0x20  # ACK, NACK: the packet it answers carried ECN CE
    PROBE = 0x08  # ACK: answers a probe
    REQUEST_CLEAR = 0x02  # ACK: asks for a clear
    REQUEST_CLOSE = 0x04  # ACK: asks for a close
    ROD = 0x20  # CP: of a ROD context
    RUDI = 0x08  # NACK: of a RUDI packet


class NextHeader(IntEnum):
    """What follows the PDS header."""

    NONE = 0
    REQUEST_SMALL = 1
    REQUEST_MEDIUM = 2
    REQUEST_STD = 3
    RESPONSE = 4
    RESPONSE_DATA = 5
    RESPONSE_DATA_SMALL = 6
    CP_ACK = 9  # an ACK that answers a control packet; nothing follows


class SesFlag(IntFlag):
    """Second byte of an SES request."""

    SOM = 0x01
    EOM = 0x02
    HEADER_DATA = 0x04
    RELATIVE = 0x08
    INITIATOR_ERROR = 0x10
    DELIVERY_COMPLETE = 0x20


class SesOpcode(IntEnum):
    """SES request opcodes."""

    NO_OP = 0
    WRITE = 1
    READ = 2
    ATOMIC = 3
    FETCHING_ATOMIC = 4
    SEND = 5
    RENDEZVOUS_SEND = 6
    DATAGRAM_SEND = 7
    DEFERRABLE_SEND = 8
    TAGGED_SEND = 9
    RENDEZVOUS_TSEND = 10
    DEFERRABLE_TSEND = 11
    DEFERRABLE_RTR = 12
    TSEND_ATOMIC = 13
    TSEND_FETCH_ATOMIC = 14
    MSG_ERROR = 15


class NackCode(IntEnum):
    """Reasons of a NACK."""

    TRIMMED = 0x01
    TRIMMED_LASTHOP = 0x02
    TRIMMED_ACK = 0x03
    NO_PDC_AVAIL = 0x04
    NO_CCC_AVAIL = 0x05
    NO_BITMAP = 0x06
    NO_PKT_BUFFER = 0x07
    NO_GTD_DEL_AVAIL = 0x08
    NO_SES_MSG_AVAIL = 0x09
    NO_RESOURCE = 0x0A
    PSN_OOR_WINDOW = 0x0B
    ROD_OOO = 0x0D
    INV_DPDCID = 0x0E
    PDC_HDR_MISMATCH = 0x0F
    CLOSING = 0x10
    CLOSING_IN_ERR = 0x11
    PKT_NOT_RCVD = 0x12
    GTD_RESP_UNAVAIL = 0x13
    ACK_WITH_DATA = 0x14
    INVALID_SYN = 0x15
    PDC_MODE_MISMATCH = 0x16
    NEW_START_PSN = 0x17
    RCVD_SES_PROCG = 0x18
    UNEXP_EVENT = 0x19
    RCVR_INFER_LOSS = 0x1A


class Net(IntFlag):
    """What the network did to a packet, and the class it travels in."""

    ECN_CAPABLE = 0x01
    ECN_CE = 0x02
    TRIMMED = 0x04
    LAST_HOP = 0x08  # trimmed at the port that leads to the destination
    CONTROL = 0x10  # high priority: ACK, NACK, CP and trimmed packets


HEADER_BYTES = {
    PdsType.RUD_REQ: 12,
    PdsType.ROD_REQ: 12,
    PdsType.RUDI_REQ: 8,
    PdsType.RUDI_RESP: 8,
    PdsType.UUD_REQ: 4,
    PdsType.ACK: 12,
    PdsType.ACK_CC: 32,
    PdsType.ACK_CCX: 40,
    PdsType.NACK: 16,
    PdsType.CP: 16,
    PdsType.NACK_CCX: 32,
    PdsType.RUD_CC_REQ: 16,
    PdsType.ROD_CC_REQ: 16,
}
"""PDS header sizes [bytes] by type."""
