"""The event queue of a LogGOPS run: a heap of (time, insertion number), and groups that wait as one.

LogGOPSim puts an event that finds its processor or NIC busy back at the time that one becomes free; with
k messages for a host each of them is put back about k / 2 times. Here those waiting for the same
resources form a group, a pairing heap by insertion number, of which only the smallest stands in the
queue, at the time the resources become free. Since putting back keeps the number and changes nothing
else, and the time only grows, the operations run in the same order at the same times.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from emulation.loggops.state import LAYOUT, OP_BITS, QUEUE_WAYS
from uet.base.jit import kernel

run_at = LAYOUT.rows("run")
operation_at = LAYOUT.rows("operation")
event_at = LAYOUT.rows("event")
group_at = LAYOUT.rows("group")

_OP_MASK = (1 << OP_BITS) - 1


@kernel
def _sink(w: Any, n: int, time: int, key: int) -> None:
    """Place an entry from the first place downwards."""
    i = 0
    while True:
        low = QUEUE_WAYS * i + 1
        if low >= n:
            break
        least = low
        entry = event_at(w, low)
        least_time, least_key = entry["time_ps"], entry["key"]
        for j in range(low + 1, min(low + QUEUE_WAYS, n)):
            entry = event_at(w, j)
            if entry["time_ps"] < least_time or (entry["time_ps"] == least_time and entry["key"] < least_key):
                least, least_time, least_key = j, entry["time_ps"], entry["key"]
        if time < least_time or (time == least_time and key < least_key):
            break
        here = event_at(w, i)
        here["time_ps"], here["key"] = least_time, least_key
        i = least
    here = event_at(w, i)
    here["time_ps"], here["key"] = time, key


@kernel
def push(w: Any, time: int, number: int, op: int) -> None:
    """Add the event of an operation."""
    run, key = run_at(w, 0), (number << OP_BITS) | op
    if run["hole"] == 1:
        run["hole"] = 0
        _sink(w, run["n_queued"], time, key)
        return
    i = run["n_queued"]
    run["n_queued"] = i + 1
    while i > 0:
        parent = (i - 1) // QUEUE_WAYS
        above = event_at(w, parent)
        if above["time_ps"] < time or (above["time_ps"] == time and above["key"] < key):
            break
        here = event_at(w, i)
        here["time_ps"], here["key"] = above["time_ps"], above["key"]
        i = parent
    here = event_at(w, i)
    here["time_ps"], here["key"] = time, key


@kernel
def pop(w: Any) -> tuple[int, int, int]:
    """Remove the first event; return time, number and operation, or operation -1 if there is none.

    Its place stays empty until the next push or pop, which saves half of the moves.
    """
    run = run_at(w, 0)
    if run["hole"] == 1:
        n = run["n_queued"] - 1
        run["n_queued"], run["hole"] = n, 0
        if n > 0:
            last = event_at(w, n)
            _sink(w, n, last["time_ps"], last["key"])
    if run["n_queued"] == 0:
        return 0, 0, -1
    first = event_at(w, 0)
    run["hole"] = 1
    return first["time_ps"], first["key"] >> OP_BITS, first["key"] & _OP_MASK


@kernel
def _meld(w: Any, a: int, b: int) -> int:
    """Join two heaps of waiting operations and return the root, the one with the smaller number."""
    if a < 0:
        return b
    if b < 0:
        return a
    if operation_at(w, b)["number"] < operation_at(w, a)["number"]:
        a, b = b, a
    root, below = operation_at(w, a), operation_at(w, b)
    below["sibling"] = root["child"]
    root["child"] = b
    return a


@kernel
def enter_group(w: Any, group: int, op: int, number: int, free_ps: int) -> None:
    """Let an operation wait; the group's event moves to it if it comes before the others."""
    row, g = operation_at(w, op), group_at(w, group)
    row["child"] = row["sibling"] = -1
    g["root"] = _meld(w, np.int64(g["root"]), op)
    if g["root"] == op:
        g["entry_ps"] = free_ps
        push(w, free_ps, number, op)


@kernel
def leave_group(w: Any, group: int) -> None:
    """Remove the first waiting operation (pairing from left to right, melding from right to left)."""
    g = group_at(w, group)
    node = np.int64(operation_at(w, g["root"])["child"])
    pairs = np.int64(-1)
    while node >= 0:
        second = np.int64(operation_at(w, node)["sibling"])
        following = np.int64(-1)
        operation_at(w, node)["sibling"] = -1
        if second >= 0:
            following = np.int64(operation_at(w, second)["sibling"])
            operation_at(w, second)["sibling"] = -1
        joined = _meld(w, node, second)
        operation_at(w, joined)["sibling"] = pairs
        pairs = joined
        node = following
    root = np.int64(-1)
    while pairs >= 0:
        following = np.int64(operation_at(w, pairs)["sibling"])
        operation_at(w, pairs)["sibling"] = -1
        root = _meld(w, root, pairs)
        pairs = following
    g["root"] = root
