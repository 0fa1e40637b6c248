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
    n_messages i8 - messages posted so far
    n_rings i8 - send rings handed to PDCs
    n_timers i8 - timers in the heap
    completions_in i8 - completions written since the start
    completions_out i8 - completions taken since the start
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
    n_pdcs i4 - PDCs opened; PDCID k is row first_pdc + k - 1
    max_pdcs i4 - rows reserved
    """,
)

FREE, SYN_SENT, ESTABLISHED, FAILED = range(4)
"""Life of a PDC. The initiator sends SYN until the first answer; the target is established at once."""

INITIATOR, TARGET = range(2)

PDC = table(
    "pdc",
    """
    endpoint i4 - endpoint it lives at
    peer i4 - endpoint at the other side
    pdcid u2 - own identifier, 1..65535
    peer_pdcid u2 - the other side's identifier, 0 until learned
    state u1 - FREE, SYN_SENT, ESTABLISHED, FAILED
    role u1 - INITIATOR or TARGET
    active u1 - 1 while in its endpoint's round robin
    timer_set u1 - 1 while a timer for it is in the heap
    next_active i4 - next PDC of the round robin
    ring i4 - first row of its send ring, -1 for a target
    tx_words i4 - first word of its bit sets: in flight, then lost
    rx_words i4 - first word of its set of received packets
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
    rx_start i8 - PSN of packet number 0 of the other side
    rx_expected i8 - every number below it was received
    rx_max i8 - highest number received, -1 none
    rx_bytes i8 bytes received on the wire, duplicates and trimmed packets excluded
    rx_unacked i8 bytes received since the last ACK
    rx_out_of_order i8 - packets received above rx_expected
    rx_closing u1 - 1 after an ACK request until no packet is missing below rx_max
    """,
    row_bytes=256,
)

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
    handle i8 - the application's own number
    bytes i8 bytes length
    posted_ps i8 ps when it was posted
    done_ps i8 ps when the last packet was acknowledged, -1 not yet
    first i8 - number of its first packet
    packets i8 - how many packets it takes
    retransmitted i8 - packets of it sent again
    pdc i4 - PDC that carries it
    next i4 - next message of the PDC
    failed u1 - 1 if the PDC gave up
    """,
)

INBOX = table(
    "inbox",
    """
    bytes i8 bytes received so far
    first_ps i8 ps when its first packet arrived
    pdc i4 - PDC it arrives on
    message_id i4 - identifier within the PDC
    ses i4 - row of its SES fields
    """,
)

SENT_DONE, RECEIVED_DONE, SENT_FAILED = range(3)

COMPLETION = table(
    "completion",
    """
    time_ps i8 ps when it happened
    handle i8 - sender: handle given to post; receiver: match bits of the message
    bytes i8 bytes length of the message
    endpoint i4 - where
    peer i4 - the other side
    message i4 - sender: message row; receiver: inbox row
    kind i4 - SENT_DONE, RECEIVED_DONE or SENT_FAILED
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

OPAQUE_BYTES = 256
CC_STATE = table("cc_state", "opaque i8 - belongs to the controller", row_bytes=OPAQUE_BYTES)
LB_STATE = table("lb_state", "opaque i8 - belongs to the balancer", row_bytes=OPAQUE_BYTES)

ENGINE = WorldLayout(
    "engine", CORE, SETTINGS_TABLE, PACKET, SLOT, SES, ENDPOINT, PDC, SENT, WORD, MESSAGE, INBOX, COMPLETION,
    HEAP, DIRECTORY, CC_EVENT, CC_STATE, LB_STATE, CREDIT, PACER,
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
