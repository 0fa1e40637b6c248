"""The tables of a LogGOPS run and how a schedule fills them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emulation.loggops.parameters import LogGOPS
from uet.base.jit import World, WorldLayout
from uet.base.tables import Records, table
from uet.schedule.model import ANY, RECV, SEND, Index, Schedule

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

_TYPES = np.array([G_SEND, G_RECV, G_CALC, G_CALC, G_CALC], np.uint8)


def build_world(schedule: Schedule, parameters: LogGOPS, local_ps: Index, grouped: bool) -> World:
    """Return the state before the first event; `local_ps` [n] is the time of each calc, reduce and copy."""
    ops, n = schedule.operations, len(schedule.operations)
    n_cpus, n_nics = int(ops["cpu"].max(initial=0)) + 1, int(ops["nic"].max(initial=0)) + 1
    rows = OPERATION.zeros(n + 1)
    body = rows[:n]
    body["type"], body["cpu"], body["nic"] = _TYPES[ops["kind"]], ops["cpu"], ops["nic"]
    body["rank"], body["peer"] = ops["rank"], ops["peer"]
    body["size"] = np.where(np.isin(ops["kind"], (SEND, RECV)), ops["bytes"], local_ps)
    body["open"] = schedule.waits_for
    for name in ("child", "sibling", "next_freed"):
        body[name] = -1
    successors = _successors(schedule, rows)
    listed = match_buckets(ops)
    listing = LISTING.zeros(listed.size)
    listing["bucket"] = listed.ravel()
    bucket = BUCKET.zeros(int(listed.max(initial=0)) + 1)
    for name in bucket.dtype.names or ():
        bucket[name] = -1
    groups = GROUP.zeros(schedule.n_ranks * n_cpus * n_nics * N_CLASSES)
    groups["root"] = -1
    run = RUN.zeros(1)
    for name in ("latency_ps", "overhead_ps", "gap_ps", "gap_ps_per_byte", "overhead_ps_per_byte", "eager_bytes"):
        run[name] = getattr(parameters, name)
    run["n_cpus"], run["n_nics"], run["grouped"], run["n_ways"] = n_cpus, n_nics, grouped, listed.shape[1]
    tables = {
        "run": run, "operation": rows, "successor": successors, "freed": FREED.zeros(n + 1),
        "cpu": CPU.zeros(schedule.n_ranks * n_cpus), "nic": NIC.zeros(schedule.n_ranks * n_nics), "group": groups,
        "bucket": bucket, "listing": listing, "event": EVENT.zeros(n + 4 * len(groups) + QUEUE_WAYS),
    }  # fmt: skip
    return World(LAYOUT, tables)


def _successors(schedule: Schedule, rows: Records) -> Records:
    """Fill first and middle of every row; return the operations waiting for each, starts before ends."""
    n, m = len(schedule.operations), len(schedule.dependencies)
    waiting = np.repeat(np.arange(n), np.diff(schedule.first_dependency))
    on_start = np.zeros(m, np.bool_) if schedule.on_start is None else schedule.on_start
    place = 2 * schedule.dependencies + ~on_start
    order = np.argsort(place, kind="stable") if schedule.declared is None else np.lexsort((schedule.declared, place))
    counts = np.cumsum(np.bincount(place, minlength=2 * n))
    rows["first"][1:] = counts[1::2]
    rows["middle"][:n] = counts[::2]
    successors = SUCCESSOR.zeros(m)
    successors["op"] = waiting[order]
    return successors


def match_buckets(ops: Records) -> NDArray[np.int32]:
    """Return the buckets in which each operation is listed, shape [n, ways].

    A bucket is a triple (receiver, source, tag). The first way is the operation's own triple; where
    some receive has wildcards, messages are listed also with any source, any tag and both, as far as a
    receive uses that bucket. -1 is no bucket.
    """
    sends, recvs = np.flatnonzero(ops["kind"] == SEND), np.flatnonzero(ops["kind"] == RECV)
    receiver, source, tag = ops["peer"][sends], ops["rank"][sends], ops["tag"][sends]
    wildcards = bool(np.any((ops["peer"][recvs] == ANY) | (ops["tag"][recvs] == ANY)))
    anybody = np.full(len(sends), ANY)
    columns = [(source, tag), *([(anybody, tag), (source, anybody), (anybody, anybody)] if wildcards else [])]
    keys = [(ops["rank"][recvs], ops["peer"][recvs], ops["tag"][recvs]), *((receiver, *c) for c in columns)]
    numbers = _dense(np.concatenate([np.stack(key, axis=1).astype(np.int64) for key in keys]))
    own, *ways = np.split(numbers, np.cumsum([len(key[0]) for key in keys])[:-1])
    listed = np.full((len(ops), len(columns)), -1, np.int32)
    listed[recvs, 0], listed[sends, 0] = own, ways[0]
    used = np.zeros(int(numbers.max(initial=0)) + 1, np.bool_)
    used[own] = True
    for way in range(1, len(columns)):
        # a send with tag ANY has the same triple twice; once is enough
        fresh = used[ways[way]] & np.all(listed[sends, :way] != ways[way][:, None], axis=1)
        listed[sends, way] = np.where(fresh, ways[way], -1)
    return listed


def _dense(keys: Index) -> Index:
    """Number the distinct rows of keys [k, 3] from 0 on."""
    shifted = keys - keys.min(axis=0, initial=0)
    spans = [int(s) for s in shifted.max(axis=0, initial=0) + 1]
    if spans[0] * spans[1] * spans[2] < 2**63:
        packed = (shifted[:, 0] * spans[1] + shifted[:, 1]) * spans[2] + shifted[:, 2]
        return np.unique(packed, return_inverse=True)[1]
    return np.unique(keys, axis=0, return_inverse=True)[1].ravel()


def root_operations(schedule: Schedule) -> Index:
    """Return the operations that wait for nothing, by rank, then type, then number."""
    ops = schedule.operations
    roots = np.flatnonzero(schedule.waits_for == 0)
    return roots[np.lexsort((roots, _TYPES[ops["kind"][roots]], ops["rank"][roots]))]


def times_never_go_back(schedule: Schedule, parameters: LogGOPS) -> bool:
    """Tell whether no resource can become free earlier than it already is.

    Only empty messages could do that: their size - 1 wraps, so they take G and O off the gap and overhead.
    """
    messages = np.isin(schedule.operations["kind"], (SEND, RECV))
    if not np.any(messages & (schedule.operations["bytes"] == 0)):
        return True
    per_byte = max(parameters.gap_ps_per_byte, parameters.overhead_ps_per_byte)
    return per_byte <= parameters.gap_ps and per_byte <= parameters.overhead_ps
