"""Field tables of the packet delivery sublayer (PDS), and of the TSS header that can precede it.

`flags` is a view of the seven flag bits of the prologue, kept beside the single bits.
"""

from __future__ import annotations

from uet.transport.record import PdsType
from uet.transport.wire.fields import Header, header

_IDS = """
spdcid          16         -          A:RP+WS+X2+N3 PDC identifier of the packet's sender; 0 is never a PDC
dpdcid          16         -          A:RP+WS+X2+N3 PDC identifier of the packet's receiver
"""

_SYN_IDS = """
spdcid          16         -          A:RP+WS+X2+N3 PDC identifier of the packet's sender; 0 is never a PDC
pdc_info        4          syn=1      B:WS+X2       reserved-pool bit, MSB (X2, WS) or LSB (RP); sent as 0
psn_offset      12         syn=1      A:RP+WS+X2+N3 PSN - Start_PSN
dpdcid          16         syn=0      A:RP+WS+X2+N3 PDC identifier of the packet's receiver
"""


def _prologue(number: PdsType, flags: str, second: str = "next_hdr        4:NextHeader") -> str:
    return f"""
type            5={number.value}:PdsType  -  A:RP+WS+X2+N3 packet type
{second}    -  A:RP+WS+X2+N3 what follows this header
flags           7v         -          A:RP+WS+X2+N3 all flag bits as one number
{flags}"""


_REQUEST_FLAGS = """
rsvd            2          -          A:RP+WS+X2+N3 reserved
retx            1          -          A:RP+WS+X2+N3 the packet is a retransmission
ar              1          -          A:RP+WS+X2+N3 an ACK is wanted at once
syn             1          -          A:RP+WS+X2+N3 the PDC is being established
rsvd            2          -          A:RP+WS+X2+N3 reserved
"""

_ACK_FLAGS = """
rsvd            1          -          A:RP+WS+X2+N3 reserved (RP: an Expected_PSN follows a closing ACK)
m               1          -          A:RP+WS+X2+N3 the acknowledged packet carried ECN CE
retx            1          -          A:RP+WS+X2+N3 the acknowledged packet was a retransmission
p               1          -          A:RP+WS+X2+N3 the ACK answers a Probe
req             2          -          A:RP+WS+X2+N3 0 nothing, 1 asks for a clear, 2 asks for a close
rsvd            1          -          A:RP+WS+X2+N3 reserved
"""

_REQUEST = f"""
clear_psn_offset 16s       -          A:RP+WS+SU    CLEAR_PSN - PSN
psn             32         -          A:RP+WS+X2+N3 packet sequence number, modulo 2**32
{_SYN_IDS}"""

_CC_REQUEST = """
ccc_id          8          -          A:WS+X2+IX    congestion control context of the sender
credit_target   24         -          A:WS+X2+IX    credit the sender wants, cumulative [256 B]
"""

_ACK = f"""
ack_psn_offset  16s        p=0        A:RP+WS+X2+N3 ACK_PSN - CACK_PSN
probe_opaque    16         p=1        A:RP+WS+X2+N3 copied from the Probe; no PSN field counts then
cack_psn        32         -          A:RP+WS+X2+N3 every PSN up to this one has arrived
{_IDS}"""

_SACK = """
cc_flags        4          -          A:RP+WS+X2    0
mpr             8          -          B:RP+N3       PSN range the receiver can take [128 PSN]
sack_psn_offset 16s        -          A:RP+WS+X2+N3 SACK_Base - CACK_PSN
sack_bitmap     64         -          B:RP+HT       bit i (of value 2**i): PSN SACK_Base + i has arrived
"""

_CC_STATE = """
ack_cc_state    64v        cc_type=0|1  A:WS+X2+N3  all congestion state as one number
service_time    16         cc_type=0    A:WS+X2+N3  receiver's service time [128 ns]; 0 invalid, 65535 saturated
restore_cwnd    1          cc_type=0    A:WS+X2+N3  the window saved before a penalty may be restored
rcv_cwnd_pend   7          cc_type=0    A:WS+X2+N3  window penalty asked for by the receiver, 0..127
rcvd_bytes      24         cc_type=0    A:WS+X2+N3  bytes received on the PDC, cumulative [256 B]
credit          24         cc_type=1    A:WS+X2     credit granted, cumulative [256 B]
rsvd            24         cc_type=1    A:WS+X2     reserved
ooo_count       16         cc_type=0|1  A:WS+X2+N3  packets received out of order now; 65535 not supplied
ack_cc_state    64         cc_type!=0|1 A:WS+X2+N3  congestion state of an unknown kind
"""

_NACK_FLAGS = """
rsvd            1          -          A:RP+WS+X2    reserved
m               1          -          A:RP+WS+X2    the packet it answers carried ECN CE
retx            1          -          A:RP+WS+X2    the packet it answers was a retransmission
nt              1          -          A:RP+WS+X2    0: RUD or ROD packet, 1: RUDI packet
rsvd            3          -          A:RP+WS+X2    reserved
"""

_NACK = f"""
nack_code       8:NackCode -          A:RP+WS+X2+IX reason
vendor_code     8          -          A:RP+WS+X2    for diagnosis; not processed
nack_psn        32         nt=0       A:RP+WS+X2    PSN of the packet it answers
nack_pkt_id     32         nt=1       A:RP+WS+X2    pkt_id of the RUDI packet it answers
{_IDS}
payload         32         -          B:RP+N3       NEW_START_PSN: PSN to adopt; ROD_OOO: PSN expected
"""

_CONTROL_FLAGS = """
rsvd            1          -          A:RP+X2+IX    reserved
isrod           1          -          A:RP+X2+IX    the PDC is a ROD one
retx            1          -          A:RP+WS+X2    the packet is a retransmission
ar              1          -          A:RP+WS+X2    an ACK is wanted at once
syn             1          -          A:RP+WS+X2    the PDC is being established
rsvd            2          -          A:RP+WS+X2    reserved
"""

_CONTROL = f"""
probe_opaque    16         -          A:RP+WS+X2    Probe: returned by its ACK; otherwise 0
psn             32         -          A:RP+WS+X2    PSN it takes or is about
{_SYN_IDS}
payload         32v ctl_type=1|2|3|6|7|8|9 A:RP+WS+X2  the type's argument as one number
rsvd            16         ctl_type=1   A:RP+WS+X2  reserved
message_id      16         ctl_type=1   A:RP+WS+X2  message asked about, or 0
clear_psn       32         ctl_type=2|3 A:RP+WS+X2  PSN up to which responses may be forgotten
sack_base_psn   32         ctl_type=6   A:RP+WS+X2  base wanted for the SACK bitmap
credit          24         ctl_type=7   B:IX+X2     credit granted, cumulative [256 B]
rsvd            8          ctl_type=7   B:IX+X2     reserved
ccc_id          8          ctl_type=8   B:IX+X2     congestion control context of the sender
credit_target   24         ctl_type=8   B:IX+X2     credit the sender wants, cumulative [256 B]
neg_type        8          ctl_type=9   C:N3        kind of negotiation, 1 features on or off
neg_length      8          ctl_type=9   C:N3        length [32-bit words]
rsvd            16         ctl_type=9   C:N3        reserved
feature_mask    32         ctl_type=9&neg_type=1 C:N3 bit 0: SYN_RETX_TRANSFER
payload         32  ctl_type!=1|2|3|6|7|8|9 A:RP+WS+X2 0, or the argument of an unknown type
"""

_RUDI = """
rsvd            16         -          A:RP+X2+IX    reserved
pkt_id          32         -          A:RP+WS+X2    chosen by the initiator, returned by the response
"""

_RUDI_FLAGS = """
rsvd            2          -          A:RP+WS+X2    reserved
retx            1          -          A:RP+WS+X2    the packet is a retransmission
rsvd            4          -          A:RP+WS+X2    reserved
"""

_RUDI_RESPONSE_FLAGS = """
rsvd            1          -          A:RP+WS+X2    reserved
m               1          -          A:RP+WS+X2    the request carried ECN CE
retx            1          -          A:RP+WS+X2    the packet is a retransmission
rsvd            4          -          A:RP+WS+X2    reserved
"""

_UUD = """
rsvd            7          -          A:RP+WS+X2    reserved
rsvd            16         -          A:RP+WS+X2    reserved
"""

_CC_TYPE = "cc_type         4:CcType -        A:RP+WS+X2    what the congestion state means"
_CCX_TYPE = "ccx_type        4        -        B:RP+WS       what the states mean; 14 and 15 belong to vendors"

_CCX_STATE = """
ack_cc_state    64         -                     B:RP+WS  first congestion state
ack_ccx_state   64         @ack_ccx_bytes=40     B:RP+WS  second congestion state (X2 has only one)
"""

_NACK_CCX = """
nccx_type       4          -                     B:RP+WS  what the states mean
nccx_state1     60         -                     B:RP+WS  first congestion state
nccx_state2     64         @nack_ccx_bytes=32    B:RP+WS  second congestion state (X2 has only one)
"""

_TSS = """
type            5=1:PdsType -         B:RP          1 marks a TSS header
sp              1          -          B:RP          a source identifier (ssi) follows
rsvd            1          -          B:RP          reserved
an              1          -          B:RP          which of the two keys of the domain
sdi             24         -          B:RP          secure domain
ssi             32         sp=1       B:RP          secure source
tsc             64v        -          B:RP          epoch and counter as one number
epoch           16         -          B:RP          key epoch
counter         48         -          B:RP          never used twice with one key
"""


def _build() -> dict[PdsType, Header]:
    kinds = PdsType
    ctl = "ctl_type        4:ControlType"
    layouts = {
        kinds.RUD_REQ: ("reliable unordered request", _prologue(kinds.RUD_REQ, _REQUEST_FLAGS) + _REQUEST),
        kinds.ROD_REQ: ("reliable ordered request", _prologue(kinds.ROD_REQ, _REQUEST_FLAGS) + _REQUEST),
        kinds.RUDI_REQ: ("idempotent request", _prologue(kinds.RUDI_REQ, _RUDI_FLAGS) + _RUDI),
        kinds.RUDI_RESP: ("idempotent response", _prologue(kinds.RUDI_RESP, _RUDI_RESPONSE_FLAGS) + _RUDI),
        kinds.UUD_REQ: ("unreliable datagram", _prologue(kinds.UUD_REQ, _UUD)),
        kinds.ACK: ("acknowledgement", _prologue(kinds.ACK, _ACK_FLAGS) + _ACK),
        kinds.ACK_CC: (
            "acknowledgement with SACK and congestion state",
            _prologue(kinds.ACK_CC, _ACK_FLAGS) + _ACK + _CC_TYPE + _SACK + _CC_STATE,
        ),
        kinds.ACK_CCX: (
            "acknowledgement with extended congestion state",
            _prologue(kinds.ACK_CCX, _ACK_FLAGS) + _ACK + _CCX_TYPE + _SACK + _CCX_STATE,
        ),
        kinds.NACK: ("negative acknowledgement", _prologue(kinds.NACK, _NACK_FLAGS) + _NACK),
        kinds.CP: ("control packet", _prologue(kinds.CP, _CONTROL_FLAGS, ctl) + _CONTROL),
        kinds.NACK_CCX: (
            "negative acknowledgement with extended congestion state",
            _prologue(kinds.NACK_CCX, _NACK_FLAGS) + _NACK + _NACK_CCX,
        ),
        kinds.RUD_CC_REQ: (
            "reliable unordered request with credit target",
            _prologue(kinds.RUD_CC_REQ, _REQUEST_FLAGS) + _REQUEST + _CC_REQUEST,
        ),
        kinds.ROD_CC_REQ: (
            "reliable ordered request with credit target",
            _prologue(kinds.ROD_CC_REQ, _REQUEST_FLAGS) + _REQUEST + _CC_REQUEST,
        ),
    }
    return {
        number: header(f"pds.{number.name.lower()}", title, "\n".join(line for line in text.splitlines() if line))
        for number, (title, text) in layouts.items()
    }


PDS = _build()
"""PDS headers by packet type."""

TSS = header("tss", "transport security header", _TSS)
