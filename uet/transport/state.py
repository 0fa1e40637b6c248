"""The engine's state: every table and field, with unit and meaning, in one place.

Packets of a PDC are counted 0, 1, 2, ... in 64 bits ("number"); the wire carries
PSN = start + number modulo 2**32. Each side keeps its own counts. Indices use -1 for "none".
"""

from __future__ import annotations

from uet.base.heap import HEAP
from uet.base.jit import WorldLayout
from uet.base.tables import table
from uet.transport.record import PACKET, SES
from uet.transport.settings import SETTINGS_TABLE

CORE = table(
    "core",
    """
    free_packet i8 - head of the list of packet slots given back
    used_packets i8 - packet slots ever taken (high-water mark)
    free_inbox i8 - head of the list of inbox rows given back, linked by pdc
    used_inbox i8 - inbox rows ever taken (high-water mark)
    n_messages i8 - message rows handed to the application so far
    max_messages i8 - message rows reserved for the application; the engine's own follow
    free_message i8 - head of the list of the application's rows given back, linked by next
    free_own i8 - head of the list of the engine's own rows given back
    used_own i8 - the engine's own rows ever taken
    free_ring i8 - head of the list of send rings given back, linked by message of their first row
    used_rings i8 - send rings ever taken (high-water mark)
    free_bitmap i8 - head of the list of receive bitmaps given back, linked by their first word
    used_bitmaps i8 - receive bitmaps ever taken (high-water mark)
    free_saved i8 - head of the list of saved responses given back
    used_saved i8 - saved responses ever taken (high-water mark)
    bitmap_words i8 - words before those of the send rings: the receive bitmaps
    n_timers i8 - timers in the heap
    completions_in i8 - completions written since the start
    completions_out i8 - completions taken since the start
    matchers i8 - endpoints at which messages go to receives
    used_contexts i8 - context rows taken
    used_regions i8 - region rows taken
    free_receive i8 - head of the list of receives given back
    used_receives i8 - receive rows ever taken
    reading i8 - own messages that answer reads
    traced i8 - events written to the trace since the start
    sent i8 - data packets sent for the first time
    retransmitted i8 - data packets sent again
    acks i8 - ACKs sent
    nacks i8 - NACKs sent
    timeouts i8 - packets given up by the retransmission timer
    duplicates i8 - data packets received twice
    refused i8 - packets that fit no PDC or window
    credits i8 - control packets with credit sent
    credit_requests i8 - control packets that ask for credit sent
    """,
)

SLOT = table("slot", "next i4 - next packet of the list this slot is in")

ENDPOINT = table(
    "endpoint",
    """
    control_head i4 - first waiting control packet
    control_tail i4 - last waiting control packet
    active_head i4 - first PDC that may send, served round robin
    active_tail i4 - last PDC that may send
    n_active i4 - PDCs that may send
    control_run i4 - control packets sent since the last data packet
    first_pdc i4 - its first PDC row
    n_pdcs i4 - PDC rows ever used; PDCID k is row first_pdc + k - 1
    max_pdcs i4 - rows reserved
    free_head i4 - closed PDC to be used again first
    free_tail i4 - PDC closed last
    pressure u1 - how hard its host asks its senders for less (rcv_cwnd_pend), 0 to 127
    restore u1 - 1: senders may restore the window they had before
    open i4 - PDCs open now
    most_open i4 - its high-water mark
    outstanding i4 - packets in flight, neither answered nor known lost
    most_outstanding i4 - its high-water mark
    bitmaps i4 - receive bitmaps in use, one window of bits each
    most_bitmaps i4 - its high-water mark
    receives i4 - first receive posted, in order
    unexpected i4 - first message that no receive was posted for, in order
    contexts i4 - first context sends may go to, -1: any address will do
    regions i4 - first memory region
    rendezvous i4 - first rendezvous message whose rest was not read yet
    matching u1 - 1: messages go to receives, 0: to whoever the match bits name
    saved_bytes i4 bytes responses kept for guaranteed delivery
    most_saved_bytes i4 bytes its high-water mark
    """,
    row_bytes=128,
)

INITIATOR, TARGET = range(2)
RUD, ROD, RUDI, UUD = range(4)
"""Delivery modes: reliable unordered, reliable ordered, reliable unordered for idempotent operations,
unreliable unordered. The last two have no PDC on the wire; the sender's books are kept in the same rows."""

PDC = table(
    "pdc",
    """
    endpoint i4 - endpoint it lives at
    peer i4 - endpoint at the other side
    pdcid u2 - own identifier, 1..65535
    peer_pdcid u2 - the other side's identifier, 0 until learned
    state u1 - State, see lifecycle
    role u1 - INITIATOR or TARGET
    active u1 - 1 while in its endpoint's round robin
    timers u1 - bit k set while its timer of kind k is in the heap
    next_active i4 - next PDC of the round robin, or of the closed ones
    ring i4 - first row of its send ring, -1 while nothing is outstanding
    tx_words i4 - first word of its bit sets, a third of them each: in flight, lost, answered one by one
    rx_words i4 - first word of its set of received packets, -1 while none is out of order
    tx_start i8 - PSN of packet number 0
    tx_next i8 - number of the next new packet
    tx_end i8 - packets posted so far
    tx_cack i8 - every number below it is acknowledged
    tx_lost i8 - packets known lost and not sent again yet
    tx_lost_low i8 - no lost packet has a lower number
    cwnd i8 bytes congestion window
    in_flight i8 bytes sent, not acknowledged and not known lost
    peer_bytes i8 bytes the peer's counter of received bytes, unwrapped
    message i4 - oldest message not completed
    segmenting i4 - message that packet tx_next belongs to
    last_message i4 - newest message
    next_message_id i4 - identifier of the next message
    inbox i4 - inbox row used last
    tx_range i4 - packets beyond tx_cack that the peer takes (MP_RANGE)
    rx_start i8 - PSN of packet number 0 of the other side
    rx_expected i8 - every number below it was received
    rx_max i8 - highest number received, -1 none
    rx_bytes i8 bytes received on the wire, duplicates and trimmed packets excluded
    rx_unacked i8 bytes received since the last ACK
    rx_out_of_order i8 - packets received above rx_expected
    rx_closing u1 - 1 after an ACK request until no packet is missing below rx_max
    mode u1 - delivery mode
    blocked u1 - why it may not send, 0 if it may (BLOCKED_*)
    closing u1 - 1 once the initiator wants to close
    nack_retries u1 - refusals for lack of resources in a row
    answer_tries u1 - ACK requests in a row that nothing came back for
    probe_opaque u2 - of the last probe
    saved i4 - its first saved response, lowest number first, -1 none
    awaiting i4 - its first message that waits for an answer of its own, -1 none
    patient i4 - its first message that waits for data, a read or a restart, -1 none
    answered i4 - packets answered one by one above tx_cack
    boxes i4 - messages it is receiving
    rx_clear i8 - highest number whose response the peer has, so that it may be forgotten
    since_ps i8 ps when it entered its state
    rto_ps i8 ps when the retransmission timer fires
    hold_ps i8 ps until when it holds back after a refusal
    answer_ps i8 ps when the wait for a missing answer ends
    probe_ps i8 ps when the last probe was sent
    """,
    row_bytes=256,
)

BLOCKED_CLOSED, BLOCKED_HELD, BLOCKED_PACED = 1, 2, 4
"""Why a PDC may not send: it is closed or failed; the peer lacks a resource for now; its rate says not yet."""

SENT = table(
    "sent",
    """
    time_ps i8 ps when the packet was sent last
    message i4 - message it belongs to
    entropy u2 - entropy value it was sent with
    tries u1 - how often it was sent, at most 255
    timeouts u1 - how often the timer gave it up, at most 255
    """,
)

WORD = table("word", "bits u8 - 64 members of a set of packet numbers")

MESSAGE = table(
    "message",
    """
    bytes i8 bytes length
    first i8 - number of its first packet
    packets i8 - how many packets it takes
    pdc i4 - PDC that carries it
    next i4 - next message of the PDC, or of the rows given back
    overhead u2 bytes link share of its packets beyond their payload
    nominal u2 bytes what congestion control counts beyond their payload
    pds_type u1 - PdsType of its packets
    next_hdr u1 - NextHeader of its packets; CP: control type
    ses_flags u1 - SesFlag of all its packets
    waits u1 - what it waits for beside its ACKs (WAITS_*)
    acked u1 - 1 once all its packets are acknowledged
    failed u1 - 1 if it failed, ABANDONED if the application gave it up and the target is to be told
    return_code u1 - ReturnCode of a response that says so
    next_waiting i4 - next message in the list of those that wait alike
    serves i4 - own: message whose rest it carries; read: inbox row whose rest it fetches; else -1
    got i8 bytes of the data it waits for
    source i8 - own: handle of the region its payload comes from
    source_offset i8 bytes where in the region
    handle i8 - the application's own number
    posted_ps i8 ps when it was posted
    done_ps i8 ps when it was complete, -1 not yet
    retransmitted i8 - packets of it sent again
    """,
    row_bytes=128,
)

ABANDONED = 2
WAITS_NOTHING, WAITS_ANSWER, WAITS_DATA, WAITS_READ, WAITS_RESTART = range(5)
"""What a message waits for: nothing but ACKs; a response; the data it reads; the peer to read the rest of it
(rendezvous); the peer to ask for it again (deferred)."""

ORDER = table(
    "order",
    """
    bytes i8 bytes length of the message, or of the data to be read
    handle i8 - the application's own number, which also names the local buffer
    match_bits u8 - match bits of a send, key of the region of an RMA or atomic
    header_data u8 - immediate data, if flags has HEADER_DATA
    buffer_offset u8 bytes where in the region
    read_key u8 - rendezvous: key of the local region that the message lies in
    read_offset u8 bytes rendezvous: where in it
    eager_bytes i8 bytes rendezvous: how much to send at once
    endpoint i4 - who posts
    peer i4 - who is addressed
    job_id u4 - job
    pid_on_fep u2 - process at the peer
    resource_index u2 - resource of that process
    ri_generation u1 - its generation
    mode u1 - delivery mode
    opcode u1 - SesOpcode
    flags u1 - SesFlag: HEADER_DATA, RELATIVE, DELIVERY_COMPLETE
    atomic_op u1 - AtomicOp
    atomic_type u1 - AtomicType
    """,
)

CONTEXT = table(
    "context",
    """
    job_id u4 - job that may send to it
    pid u2 - process, absolute
    relative_pid u2 - process, counted within the job
    resource_index u2 - resource
    generation u1 - its generation
    enabled u1 - 0: closed for the time being
    next i4 - next context of the endpoint
    """,
)

REGION = table(
    "region",
    """
    key u8 - memory key; bit 63: safe for idempotent access
    bytes i8 bytes length
    handle i8 - the application's own number
    job_id u4 - job that may use it
    access u1 - ACCESS_* bits
    next i4 - next region of the endpoint
    """,
)
ACCESS_READ, ACCESS_WRITE, ACCESS_ATOMIC = 1, 2, 4

RECEIVE = table(
    "receive",
    """
    match_bits u8 - what a message's match bits must be
    ignore u8 - but for these bits
    handle i8 - the application's own number
    bytes i8 bytes room
    peer i4 - sender, -1 any
    tagged u1 - 1: tagged sends, 0: plain ones
    next i4 - next receive of the endpoint, or of the free ones
    """,
)

MOVE = table(
    "move",
    """
    handle i8 - buffer at the application's side: of a receive, a region, or a message
    offset i8 bytes where in the buffer
    bytes i8 bytes how many; 0 none
    row i4 - saved response whose data area is concerned; inbox row of an unexpected message
    op u1 - AtomicOp
    type u1 - AtomicType
    """,
)
NOTHING, BY_TAG, STORE, STORE_UNEXPECTED, ATOMIC, FETCH = range(6)
"""What `receive` tells the carrier to do with a packet's payload: nothing; store it where the match bits name;
store it in the buffer of MOVE; keep it for an unexpected message; apply it to memory; put memory into a response."""
FROM_BUFFER, FROM_SAVED, FROM_SLOT = range(3)
"""Where `payload_source` says a packet's payload is: in the buffer of MOVE; in a saved response's data area; with
the slot already."""
IN_SLOT = -2
"""FETCH into a slot's own payload has the row IN_SLOT - slot."""

SAVED = table(
    "saved",
    """
    number i8 - packet it answers
    next i4 - next saved response of the PDC, higher numbers later
    bytes i4 bytes it takes: header and data
    argument u4 - as in the packet record
    payload_bytes u2 bytes data in the answer
    next_hdr u1 - NextHeader
    """,
)

INBOX = table(
    "inbox",
    """
    bytes i8 bytes received so far
    first_ps i8 ps when its first packet arrived
    pdc i4 - PDC it arrives on
    message_id i4 - identifier within the PDC
    next i4 - next unexpected message
    match_bits u8 - of the message
    header_data u8 - of the message
    length i8 bytes to arrive
    total i8 bytes length of the whole message, a rendezvous' rest included
    handle i8 - buffer of its receive
    room i8 bytes of its receive, -1 while there is none
    endpoint i4 - where
    peer i4 - sender
    read_key u8 - rendezvous: region to read the rest from
    read_offset u8 bytes rendezvous: where in it
    job_id u4 - job
    read_pid u2 - rendezvous: process to read from
    read_resource u2 - rendezvous: resource to read from
    tagged u1 - 1: a tagged send
    state u1 - BOX_*
    """,
    row_bytes=128,
)

BOX_RECEIVING, BOX_WHOLE, BOX_DEFERRED, BOX_FETCHING, BOX_WRITE = range(5)
"""A message that comes in; one that is here and waits for its receive; one to be asked for again; one whose rest
is being read; a WRITE with immediate data or a response at its end."""

SENT_DONE, RECEIVED_DONE, SENT_FAILED, PDC_CLOSED, RECEIVED_FAILED = range(5)

COMPLETION = table(
    "completion",
    """
    time_ps i8 ps when it happened
    handle i8 - sender: handle given to post; receiver: match bits of the message
    bytes i8 bytes length of the message
    endpoint i4 - where
    peer i4 - the other side
    message i4 - sender: message row; receiver: inbox row
    kind i4 - SENT_DONE, RECEIVED_DONE, SENT_FAILED, PDC_CLOSED or RECEIVED_FAILED
    return_code i4 - ReturnCode of a failure, and of a message longer than its receive
    data u8 - receiver: header data
    """,
)

DIRECTORY = table(
    "directory",
    """
    key i8 - endpoint, peer and PDCID, 0 free
    row i8 - PDC or inbox row
    """,
)

CC_EVENT = table(
    "cc_event",
    """
    kind i8 - see congestion.contract
    now_ps i8 ps time
    cwnd_bytes i8 bytes window before the event
    in_flight_bytes i8 bytes after the event
    acked_bytes i8 bytes newly received at the peer, by its counter
    packet_bytes i8 bytes size of the packet concerned
    rtt_ps i8 ps round trip of that packet, -1 if not measurable
    ecn i8 - 1 if the packet was marked
    last_hop i8 - 1 if it was trimmed at the last hop
    pressure i8 - ACK: how hard the receiving host asks for less (rcv_cwnd_pend), 0 to 127
    restore i8 - ACK: 1 if the window held before such pressure may be restored
    rate_mbps i8 Mb/s written by controllers that pace (PACES): the rate from now on
    """,
)

CREDIT = table(
    "credit",
    """
    balance i8 bytes initiator: credit left; the last packet may overdraw it
    unsent i8 bytes initiator: posted and never sent
    received i8 256B initiator: credit received so far
    requested_ps i8 ps initiator: when it asked with a packet of its own last
    speculating u1 - initiator: 1 until the first answer, while credit nobody granted is left
    listed u1 - target: 1 while in its pacer's round robin
    idle u1 - target: 1 while in its pacer's list of satisfied senders
    next_listed i4 - target: next PDC of the round robin
    next_idle i4 - target: next satisfied PDC
    granted i8 256B target: credit granted so far
    wanted i8 256B target: highest credit target received
    """,
)

PACER = table(
    "pacer",
    """
    listed_head i4 - first PDC whose sender wants credit, served round robin
    listed_tail i4 - last of them
    idle_head i4 - first PDC whose sender is satisfied
    idle_tail i4 - last of them
    ticking u1 - 1 while its timer is armed
    rate f8 - share of the full rate that the fabric bears
    marked f8 - moving average of the fraction of packets that arrive marked
    due_ps i8 ps when the rate is reviewed next
    streak i8 - reviews in a row that raised it
    reviews i8 - reviews so far
    packets i8 - data packets received since the last review, trimmed ones included
    marks i8 - of these, marked ones
    far_trims i8 - of these, trimmed before the last hop
    trims i8 - of these, trimmed ones
    """,
)

REASON_COUNT = table("reason_count", "count i8 - how often; the row is the Reason")
TRACE = table(
    "trace",
    """
    time_ps i8 ps when
    psn i8 - packet concerned, -1 none
    endpoint i4 - where
    pdc i4 - PDC row, -1 none
    reason i4 - Reason
    """,
)

PACE_ROW = table(
    "pace",
    """
    rate_mbps i8 Mb/s rate that its controller set, 0 none
    next_ps i8 ps when the next packet may be sent
    """,
)

INFERENCE = table(
    "inference",
    """
    recovering u1 - 1 from an inferred loss until everything sent by then is acknowledged
    end i8 - number of the first packet after those
    resent i8 - every missing packet below it was sent again
    heard_ps i8 ps when the last ACK came, or the last probe was sent
    probes i8 - probes since the last ACK
    """,
)

OPAQUE_BYTES = 256
CC_STATE = table("cc_state", "opaque i8 - belongs to the controller", row_bytes=OPAQUE_BYTES)
LB_STATE = table("lb_state", "opaque i8 - belongs to the balancer", row_bytes=OPAQUE_BYTES)

ENGINE = WorldLayout(
    "engine", CORE, SETTINGS_TABLE, PACKET, SLOT, SES, ENDPOINT, PDC, SENT, WORD, MESSAGE, INBOX, COMPLETION,
    HEAP, DIRECTORY, CC_EVENT, CC_STATE, LB_STATE, CREDIT, PACER, PACE_ROW, INFERENCE, SAVED, REASON_COUNT, TRACE,
    ORDER, CONTEXT, REGION, RECEIVE, MOVE,
)  # fmt: skip

core_at = ENGINE.rows("core")
settings_at = ENGINE.rows("settings")
packet_at = ENGINE.rows("packet")
slot_at = ENGINE.rows("slot")
ses_at = ENGINE.rows("ses")
endpoint_at = ENGINE.rows("endpoint")
pdc_at = ENGINE.rows("pdc")
sent_at = ENGINE.rows("sent")
word_at = ENGINE.rows("word")
message_at = ENGINE.rows("message")
inbox_at = ENGINE.rows("inbox")
completion_at = ENGINE.rows("completion")
directory_at = ENGINE.rows("directory")
cc_event_at = ENGINE.rows("cc_event")
cc_state_at = ENGINE.rows("cc_state")
lb_state_at = ENGINE.rows("lb_state")
credit_at = ENGINE.rows("credit")
pacer_at = ENGINE.rows("pacer")
pace_at = ENGINE.rows("pace")
inference_at = ENGINE.rows("inference")
saved_at = ENGINE.rows("saved")
reason_count_at = ENGINE.rows("reason_count")
trace_at = ENGINE.rows("trace")
order_at = ENGINE.rows("order")
context_at = ENGINE.rows("context")
region_at = ENGINE.rows("region")
receive_at = ENGINE.rows("receive")
move_at = ENGINE.rows("move")
