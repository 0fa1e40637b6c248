"""The tables of a LogGOPS run."""

from __future__ import annotations

from uet.base.jit import WorldLayout
from uet.base.tables import table

(BLOCKED, QUEUED, WAITING, POSTED, IN_FLIGHT, DELIVERING, DELIVERED, DONE) = range(8)
"""States of an operation: not freed; its event in the queue; waiting for its processor or NIC; then
a receive: posted; a send: message under way, waiting for the receiver, waiting for a receive."""

G_SEND, G_RECV, G_CALC = range(3)
"""Types in the order in which operations freed at the same moment are taken."""

RUN = table(
    "run",
    """
    latency_ps i8 ps L
    overhead_ps i8 ps o
    gap_ps i8 ps g
    gap_ps_per_byte i8 ps G
    overhead_ps_per_byte i8 ps O
    eager_bytes i8 B S
    n_cpus i8 - processors per rank
    n_nics i8 - NICs per rank
    grouped i8 - 1: operations that wait for the same resource stand behind one event
    n_ways i8 - lists a message stands in: 1, or 4 if some receive takes any source or tag
    next_number i8 - insertion number of the next event
    posts i8 - receives posted so far
    n_queued i8 - events in the queue
    hole i8 - 1: the first place of the queue is empty
    n_freed i8 - operations freed by the current event
    events i8 - events processed
    """,
)
OPERATION = table(
    "operation",
    """
    size i8 B|ps bytes of a message, time of a calc
    number i8 - insertion number of its event; receive: order of posting once posted
    rank i4 - rank it belongs to
    peer i4 - rank at the other end
    child i4 - first child in the heap of those waiting
    sibling i4 - next child of the same parent
    open i4 - dependencies still to be met
    next_freed i4 - next operation freed at the same moment and time
    first i4 - its successors: from here those that wait for its start
    middle i4 - from here those that wait for its end
    type u1 - send, recv, calc
    state u1 - BLOCKED .. DONE
    cpu u1 - processor
    nic u1 - NIC
    """,
    row_bytes=64,
)
SUCCESSOR = table("successor", "op i4 - operation that waits")
FREED = table(
    "freed",
    """
    op i4 - operation freed by the current event
    across i4 - 1: by an operation of another rank
    """,
)
CPU = table("cpu", "free_ps i8 ps when it is free")
NIC = table(
    "nic",
    """
    send_ps i8 ps when it can send
    recv_ps i8 ps when it can receive
    """,
)
GROUP = table(
    "group",
    """
    entry_ps i8 ps time of its event in the queue
    root i4 - waiting operation with the smallest number, -1 none
    """,
)
BUCKET = table(
    "bucket",
    """
    first_recv i4 - listing of the oldest posted receive, -1 none
    last_recv i4 - of the newest
    first_message i4 - listing of the oldest message without a receive, -1 none
    last_message i4 - of the newest
    """,
)
LISTING = table(
    "listing",
    """
    bucket i4 - bucket in which the operation is listed this way, -1 none
    next i4 - next listing in the bucket
    """,
)
EVENT = table(
    "event",
    """
    time_ps i8 ps when
    key i8 - insertion number << 31 | operation
    """,
)
LAYOUT = WorldLayout("loggops", RUN, OPERATION, SUCCESSOR, FREED, CPU, NIC, GROUP, BUCKET, LISTING, EVENT)

OP_BITS = 31
QUEUE_WAYS = 4
N_CLASSES = 3
"""Kinds of waiting groups per processor and NIC: calcs, sends, arriving messages."""
