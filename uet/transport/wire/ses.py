"""Field tables of the semantic sublayer (SES): requests, responses and their extensions."""

from __future__ import annotations

from uet.transport.record import NextHeader
from uet.transport.wire.codes import AtomicOp, SesOpcode
from uet.transport.wire.fields import Header, header

_FIRST = """
rsvd            2             -            A:RP+WS+X2+N3 reserved
opcode          6:SesOpcode   -            A:RP+WS+X2+N3 operation
version         2             -            A:RP+WS+X2+N3 0
flags           6v            -            A:RP+WS+X2+N3 all flag bits as one number
dc              1             -            A:RP+WS+X2+N3 answer only once the data is visible everywhere
ie              1             -            A:RP+WS+X2+N3 initiator error: the target must not place data
rel             1             -            A:RP+WS+X2+N3 pid_on_fep is relative to the job
hd              1             -            A:RP+WS+X2+N3 header data is present
eom             1             -            A:RP+WS+X2+N3 last packet of the message
som             1             -            A:RP+WS+X2+N3 first packet of the message
"""

_ADDRESS = """
ri_generation   8             -            A:RP+WS+X2+N3 generation of the resource index
job_id          24            -            A:RP+WS+X2+N3 job
rsvd            4             -            A:RP+WS+X2+N3 reserved
pid_on_fep      12            -            A:RP+WS+X2+N3 process on the fabric endpoint (PIDonFEP)
rsvd            4             -            A:RP+WS+X2+N3 reserved
resource_index  12            -            A:RP+WS+X2+N3 resource of that process
"""

_LENGTH_14 = """
rsvd            2             -            A:RP+WS+N3    reserved
request_length  14            -            A:RP+WS+N3    length of the message [B]
"""

_KEY = """
match_bits      64            opcode=5|6|7|8|9|10|11|13|14  A:RP+WS+X2  match bits of a send
initiator_restart_token 32    opcode=12                     B:RP+X2     token of the deferred send
target_restart_token    32    opcode=12                     B:RP+X2     token of the deferring target
memory_key      64            opcode!=5|6|7|8|9|10|11|12|13|14 A:RP+WS+X2 key of the memory region
"""

_STANDARD = f"""
message_id      16            -            A:RP+WS+X2+N3 message identifier within the PDC
{_ADDRESS}
buffer_offset   64            opcode!=8|11 A:RP+WS+X2+N3 offset in the target's buffer [B]
initiator_restart_token 32    opcode=8|11  B:RP+X2       token of the deferrable send
target_restart_token    32    opcode=8|11  B:RP+X2       token of the deferring target
initiator       32            -            A:RP+WS+X2+N3 initiator identifier
{_KEY}
header_data     64            som=1        A:RP+WS+X2+N3 immediate data, meaningful if hd=1
rsvd            18            som=0        A:RP+WS+X2+N3 reserved
payload_length  14            som=0        A:RP+WS+X2+N3 payload of this packet [B]
message_offset  32            som=0        A:RP+WS+X2+N3 offset of this packet in the message [B]
request_length  32            -            A:RP+WS+X2+N3 length of the message [B]
"""

_SMALL = f"""
{_LENGTH_14}
{_ADDRESS}
buffer_offset   64            -            A:RP+WS+X2+N3 offset in the target's buffer [B]
"""

_MEDIUM = f"""
{_LENGTH_14}
{_ADDRESS}
header_data     64            hd=1         A:RP+WS+X2+N3 immediate data
buffer_offset   64            hd=0         A:RP+WS+X2+N3 offset in the target's buffer [B]
initiator       32            -            A:RP+WS+X2+N3 initiator identifier
{_KEY}
"""

_RESPONSE_FIRST = """
list            2                -         A:RP+WS+X2+IX 0 expected, 1 overflow (unexpected), 2 and 3 vendor
opcode          6:ResponseOpcode -         A:RP+WS+X2+IX kind of response
version         2                -         A:RP+WS+X2+IX 0
return_code     6:ReturnCode     -         A:RP+WS+X2+IX result
"""

_RESPONSE = """
message_id      16            -            A:RP+WS+X2+IX message it answers
ri_generation   8             -            A:RP+WS+X2+IX generation of the resource index
job_id          24            -            A:RP+WS+X2+IX job
modified_length 32            -            A:RP+WS+X2+IX length actually used [B]
rsvd            32  @response_bytes=16     C:N3          reserved, in the 16-byte reading only
"""

_RESPONSE_DATA = """
message_id      16            -            A:RP+WS+X2+IX identifier of this response
rsvd            8             -            A:RP+WS+X2+IX reserved
job_id          24            -            A:RP+WS+X2+IX job
read_request_message_id 16    -            A:RP+WS+X2+IX message of the read it answers
rsvd            2             -            A:RP+WS+IX    reserved
payload_length  14            -            A:RP+WS+IX    payload of this packet [B]
modified_length 32            -            A:RP+WS+X2+IX length actually used [B]
message_offset  32            -            A:RP+WS+X2+IX offset of this packet in the message [B]
"""

_RESPONSE_DATA_SMALL = """
rsvd            2             -            A:RP+X2+SF    reserved
payload_length  14            -            A:RP+X2+SF    payload of this packet [B]
rsvd            8             -            A:RP+X2+SF    reserved
job_id          24            -            A:RP+X2+SF    job
original_request_psn 32       -            A:RP+X2+SF    PSN of the read it answers
"""

_RENDEZVOUS = """
eager_length         32       -            B:RP+SF       bytes sent without waiting [B]
read_ri_generation   8        -            B:RP+SF       generation of the resource to read from
read_pid_on_fep      12       -            B:RP+SF       process to read from
read_resource_index  12       -            B:RP+SF       resource to read from
read_offset          64       -            B:RP+SF       offset to read from [B]
read_memory_key      64       -            B:RP+SF       key to read with
"""

_ATOMIC = """
opcode          8:AtomicOp    -            A:RP+WS+X2    atomic operation
datatype        8:AtomicType  -            A:RP+WS+X2    type of the operands
semantic_control 8            -            B:RP+WS       0x01 cacheable, 0x02 CPU coherent (X2: 0x80, 0x40)
rsvd            8             -            A:RP+WS+X2    reserved
"""

_COMPARE_SWAP = f"""
{_ATOMIC}
compare         128           -            A:RP+WS+X2    value to compare with
swap            128           -            A:RP+WS+X2    value to store
"""


def _header(name: str, title: str, text: str) -> Header:
    return header(name, title, "\n".join(line for line in text.splitlines() if line))


SES = {
    NextHeader.REQUEST_SMALL: _header("ses.request_small", "small request, one packet", _FIRST + _SMALL),
    NextHeader.REQUEST_MEDIUM: _header("ses.request_medium", "medium request, one packet", _FIRST + _MEDIUM),
    NextHeader.REQUEST_STD: _header("ses.request_std", "standard request", _FIRST + _STANDARD),
    NextHeader.RESPONSE: _header("ses.response", "response", _RESPONSE_FIRST + _RESPONSE),
    NextHeader.RESPONSE_DATA: _header("ses.response_data", "response with data", _RESPONSE_FIRST + _RESPONSE_DATA),
    NextHeader.RESPONSE_DATA_SMALL: _header(
        "ses.response_data_small", "small response with data", _RESPONSE_FIRST + _RESPONSE_DATA_SMALL
    ),
}
"""SES headers by the next_hdr that announces them."""

RENDEZVOUS = _header("ext.rendezvous", "rendezvous extension", _RENDEZVOUS)
ATOMIC = _header("ext.atomic", "atomic extension", _ATOMIC)
COMPARE_SWAP = _header("ext.compare_swap", "compare-and-swap extension", _COMPARE_SWAP)
EXTENSIONS = {h.name: h for h in (RENDEZVOUS, ATOMIC, COMPARE_SWAP)}

_REQUESTS = (NextHeader.REQUEST_SMALL, NextHeader.REQUEST_MEDIUM, NextHeader.REQUEST_STD)
RENDEZVOUS_OPCODES = (SesOpcode.RENDEZVOUS_SEND, SesOpcode.RENDEZVOUS_TSEND)
ATOMIC_OPCODES = (
    SesOpcode.ATOMIC,
    SesOpcode.FETCHING_ATOMIC,
    SesOpcode.TSEND_ATOMIC,
    SesOpcode.TSEND_FETCH_ATOMIC,
)


def extension_after(next_hdr: int, opcode: int, som: int, first_byte: int) -> Header | None:
    """Return the extension that follows an SES header, if any.

    `first_byte` is the byte after the SES header (the atomic operation decides how long its extension
    is). The rendezvous extension follows a standard header and stands in the first packet only.
    """
    if next_hdr not in _REQUESTS:
        return None
    if opcode in RENDEZVOUS_OPCODES and next_hdr == NextHeader.REQUEST_STD and som:
        return RENDEZVOUS
    if opcode not in ATOMIC_OPCODES:
        return None
    return COMPARE_SWAP if AtomicOp.CSWAP <= first_byte <= AtomicOp.CSWAP_GT else ATOMIC
