"""How a schedule fills the tables of a LogGOPS run."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from emulation.loggops.parameters import LogGOPS
from emulation.loggops.state import (
    BUCKET,
    CPU,
    EVENT,
    FREED,
    G_CALC,
    G_RECV,
    G_SEND,
    GROUP,
    LAYOUT,
    LISTING,
    N_CLASSES,
    NIC,
    OPERATION,
    QUEUE_WAYS,
    RUN,
    SUCCESSOR,
)
from uet.base.jit import World, kernel
from uet.base.tables import Records, table
from uet.schedule.model import ANY, RECV, SEND, Index, Schedule
from uet.schedule.pairing import has_wildcards

SLOT = table(
    "slot",
    """
    source i4 - source of the messages of a bucket, ANY
    number i4 - number of the bucket, -1 while the slot is free
    tag i8 - tag of its messages, ANY
    """,
)
_MIX: Any = np.int64(0x1E3779B97F4A7C15)

WAYS = 4
"""Buckets that a message stands in where receives have wildcards: its own, any source, any tag, both."""


def build_world(schedule: Schedule, parameters: LogGOPS, local_ps: Index, grouped: bool) -> World:
    """Return the state before the first event; `local_ps` [n] is the time of each calc, reduce and copy."""
    ops, n, n_ranks = _frozen(schedule.operations), len(schedule.operations), schedule.n_ranks
    n_cpus, n_nics = int(ops["cpu"].max(initial=0)) + 1, int(ops["nic"].max(initial=0)) + 1
    rows = OPERATION.zeros(n + 1)
    waits = schedule.waits_for
    _fill_operations(ops, local_ps, waits, rows)
    listing, n_buckets = match_buckets(schedule)
    bucket, freed = BUCKET.zeros(n_buckets), FREED.zeros(n + 1)
    groups = GROUP.zeros(n_ranks * n_cpus * n_nics * N_CLASSES)
    bucket.view(np.int32)[:] = -1
    groups["root"] = -1
    run = RUN.zeros(1)
    for name in ("latency_ps", "overhead_ps", "gap_ps", "gap_ps_per_byte", "overhead_ps_per_byte", "eager_bytes"):
        run[name] = getattr(parameters, name)
    run["n_cpus"], run["n_nics"], run["grouped"], run["n_ways"] = n_cpus, n_nics, grouped, len(listing) // max(n, 1)
    run["n_freed"] = _free_roots(rows[:n], waits, np.zeros(n_ranks * (G_CALC + 1) + 1, np.int64), freed)
    tables = {
        "run": run, "operation": rows, "successor": _successors(schedule, rows), "freed": freed,
        "cpu": CPU.zeros(n_ranks * n_cpus), "nic": NIC.zeros(n_ranks * n_nics), "group": groups,
        "bucket": bucket, "listing": listing, "event": EVENT.zeros(n + 4 * len(groups) + QUEUE_WAYS),
    }  # fmt: skip
    return World(LAYOUT, tables)


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    """Return a read-only view: kernels are compiled for those, whether or not the schedule's own may be written."""
    view = array.view()
    view.flags.writeable = False
    return view


@kernel
def _fill_operations(ops: Records, local_ps: Index, waits: Index, rows: Records) -> None:
    for i in range(len(ops)):
        kind = ops["kind"][i]
        rows["type"][i] = G_SEND if kind == SEND else (G_RECV if kind == RECV else G_CALC)
        rows["size"][i] = ops["bytes"][i] if kind in (SEND, RECV) else local_ps[i]
        rows["rank"][i], rows["peer"][i] = ops["rank"][i], ops["peer"][i]
        rows["cpu"][i], rows["nic"][i] = ops["cpu"][i], ops["nic"][i]
        rows["open"][i] = waits[i]
        rows["child"][i] = rows["sibling"][i] = rows["next_freed"][i] = -1


@kernel
def _free_roots(rows: Records, waits: Index, places: Index, freed: Records) -> int:
    """Free the operations that wait for nothing, by rank, then type, then number; return how many."""
    types: Any = np.int64(G_CALC + 1)
    for i in range(len(rows)):
        if waits[i] == 0:
            places[rows["rank"][i] * types + rows["type"][i] + 1] += 1
    for k in range(1, len(places)):
        places[k] += places[k - 1]
    for i in range(len(rows)):
        if waits[i] == 0:
            key = rows["rank"][i] * types + rows["type"][i]
            freed["op"][places[key]] = i
            places[key] += 1
    return places[-1]


def _successors(schedule: Schedule, rows: Records) -> Records:
    """Fill first and middle of every row; return the operations waiting for each, starts before ends."""
    n, m = len(schedule.operations), len(schedule.dependencies)
    waiting = np.repeat(np.arange(n), np.diff(schedule.first_dependency))
    on_start = _frozen(np.zeros(m, np.bool_) if schedule.on_start is None else schedule.on_start)
    order = np.arange(m) if schedule.declared is None else np.argsort(schedule.declared)
    successors = SUCCESSOR.zeros(m)
    _link(waiting, _frozen(schedule.dependencies), on_start, order, np.zeros(2 * n + 1, np.int64), rows, successors)
    return successors


@kernel
def _link(
    waiting: Index, awaited: Index, on_start: Any, order: Index, places: Index, rows: Records, successors: Records
) -> None:
    """Sort the edges by (awaited, starts before ends), keeping `order` otherwise, by counting."""
    for k in range(len(awaited)):
        places[2 * awaited[k] + (1 if on_start[k] else 2)] += 1
    for i in range(len(rows) - 1):
        places[2 * i + 1] += places[2 * i]
        places[2 * i + 2] += places[2 * i + 1]
        rows["first"][i], rows["middle"][i] = places[2 * i], places[2 * i + 1]
    rows["first"][len(rows) - 1] = places[-1]
    for j in range(len(order)):
        k = order[j]
        place = 2 * awaited[k] + (0 if on_start[k] else 1)
        successors["op"][places[place]] = waiting[k]
        places[place] += 1


def match_buckets(schedule: Schedule) -> tuple[Records, int]:
    """Return in which buckets each operation is listed, as LISTING rows [n * ways], and how many there are.

    A bucket is a triple (receiver, source, tag). The first way is the operation's own triple; where
    some receive has wildcards, messages are listed also with any source, any tag and both, as far as a
    receive uses that bucket. -1 is no bucket.
    """
    ops = _frozen(schedule.operations)
    ways = WAYS if has_wildcards(schedule) else 1
    first_slot = np.zeros(schedule.n_ranks + 1, np.int64)
    _room(ops, first_slot)
    slots, listing = SLOT.zeros(int(first_slot[-1])), LISTING.zeros(len(ops) * ways)
    slots["number"] = listing["bucket"] = -1
    return listing, int(_list(ops, first_slot, slots, ways, listing))


@kernel
def _room(ops: Records, first_slot: Index) -> None:
    """Give each receiver a power of two of slots, more than it has receives and messages."""
    for i in range(len(ops)):
        if ops["kind"][i] == SEND:
            first_slot[ops["peer"][i] + 1] += 1
        elif ops["kind"][i] == RECV:
            first_slot[ops["rank"][i] + 1] += 1
    for r in range(1, len(first_slot)):
        size: Any = np.int64(1)
        while size <= first_slot[r]:
            size *= 2
        first_slot[r] = first_slot[r - 1] + size


@kernel
def _find(receiver: int, source: int, tag: int, first_slot: Index, slots: Records) -> int:
    """Return the slot of a bucket, or the free one where it belongs (open addressing)."""
    low = first_slot[receiver]
    mask = first_slot[receiver + 1] - low - 1
    mixed: Any = (np.int64(source) * _MIX ^ np.int64(tag)) * _MIX
    at = (mixed ^ (mixed >> 32)) & mask
    while slots["number"][low + at] >= 0 and (slots["source"][low + at] != source or slots["tag"][low + at] != tag):
        at = (at + 1) & mask
    return low + at


@kernel
def _number(slot: int, source: int, tag: int, fresh: int, slots: Records) -> Any:
    """Return the number of the bucket in a slot, which becomes `fresh` if it has none."""
    if slots["number"][slot] < 0:
        slots["number"][slot], slots["source"][slot], slots["tag"][slot] = fresh, source, tag
    return np.int64(slots["number"][slot])


@kernel
def _list(ops: Records, first_slot: Index, slots: Records, ways: int, listing: Records) -> int:
    """Number the buckets, those of receives first, and list every receive and message; return how many."""
    count: Any = np.int64(0)
    for i in range(len(ops)):
        if ops["kind"][i] == RECV:
            source, tag = np.int64(ops["peer"][i]), ops["tag"][i]
            number = _number(_find(ops["rank"][i], source, tag, first_slot, slots), source, tag, count, slots)
            listing["bucket"][i * ways] = number
            count = max(count, number + 1)
    n_received = count
    for i in range(len(ops)):
        if ops["kind"][i] == SEND:
            source, tag, receiver = np.int64(ops["rank"][i]), ops["tag"][i], ops["peer"][i]
            number = _number(_find(receiver, source, tag, first_slot, slots), source, tag, count, slots)
            listing["bucket"][i * ways] = number
            count = max(count, number + 1)
            for way in range(1, ways):
                any_source, any_tag = ANY if way != 2 else source, ANY if way != 1 else tag
                number = np.int64(slots["number"][_find(receiver, any_source, any_tag, first_slot, slots)])
                twice = tag == ANY and way != 1  # a message with any tag has the same triple twice; once is enough
                if number < n_received and not twice:
                    listing["bucket"][i * ways + way] = number
    return count


def times_never_go_back(schedule: Schedule, parameters: LogGOPS) -> bool:
    """Tell whether no resource can become free earlier than it already is.

    Only empty messages could do that: their size - 1 wraps, so they take G and O off the gap and overhead.
    """
    ops = schedule.operations
    messages = (ops["kind"] == SEND) | (ops["kind"] == RECV)
    if not np.any(messages & (ops["bytes"] == 0)):
        return True
    per_byte = max(parameters.gap_ps_per_byte, parameters.overhead_ps_per_byte)
    return per_byte <= parameters.gap_ps and per_byte <= parameters.overhead_ps
