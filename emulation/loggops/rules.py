"""The rules of LogGOPSim, event by event.

Let z = size - 1. A processor is free at `cpu.free_ps`, a NIC at `nic.send_ps` and `nic.recv_ps`.

    calc at t      needs the processor; holds it for its time; starts and is done
    send at t      needs processor and NIC; holds them for o + z O and g + z G; its message reaches the
                   peer at t + o + L; done at once if size <= S, else when a receive has met the message
    recv at t      starts; done if a message waits for it, else posted
    message at t   needs the receiver's processor and NIC of the send's numbers; holds them for
                   o + max(z O, z G) and g + z G; meets a posted receive, which is done, or waits for one

A message of more than S bytes that meets its receive at t ends the send and holds the sender's
processor and NIC until t. Operations freed by an event are taken by rank, then send before recv before
calc, and their events stand at the time their processor (a send: also its NIC) is free.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from emulation.loggops.matching import post_receive, store_message, take_message, take_receive
from emulation.loggops.queue import enter_group, group_at, leave_group, operation_at, pop, push, run_at
from emulation.loggops.state import (
    DELIVERED,
    DELIVERING,
    DONE,
    G_CALC,
    G_RECV,
    G_SEND,
    IN_FLIGHT,
    LAYOUT,
    N_CLASSES,
    POSTED,
    QUEUED,
    WAITING,
)  # fmt: skip
from uet.base.jit import kernel

successor_at = LAYOUT.rows("successor")
freed_at = LAYOUT.rows("freed")
cpu_at = LAYOUT.rows("cpu")
nic_at = LAYOUT.rows("nic")

_FEW = 16
_CALC_GROUP, _SEND_GROUP, _ARRIVAL_GROUP = range(N_CLASSES)


@kernel
def _cpu(w: Any, rank: int, cpu: int) -> int:
    return rank * run_at(w, 0)["n_cpus"] + cpu


@kernel
def _nic(w: Any, rank: int, nic: int) -> int:
    return rank * run_at(w, 0)["n_nics"] + nic


@kernel
def _free_ps(w: Any, op: int) -> int:
    """Return when the resources that the operation's event needs are free."""
    row = operation_at(w, op)
    if row["type"] == G_CALC:
        return cpu_at(w, _cpu(w, row["rank"], row["cpu"]))["free_ps"]
    if row["state"] >= IN_FLIGHT:
        return max(
            cpu_at(w, _cpu(w, row["peer"], row["cpu"]))["free_ps"],
            nic_at(w, _nic(w, row["peer"], row["nic"]))["recv_ps"],
        )
    return max(
        cpu_at(w, _cpu(w, row["rank"], row["cpu"]))["free_ps"], nic_at(w, _nic(w, row["rank"], row["nic"]))["send_ps"]
    )


@kernel
def _group(w: Any, op: int) -> int:
    """Return the group of those that wait for the same resources."""
    row, run = operation_at(w, op), run_at(w, 0)
    arrives = row["state"] >= IN_FLIGHT
    rank = row["peer"] if arrives else row["rank"]
    kind = _CALC_GROUP if row["type"] == G_CALC else (_ARRIVAL_GROUP if arrives else _SEND_GROUP)
    return ((rank * run["n_cpus"] + row["cpu"]) * run["n_nics"] + row["nic"]) * N_CLASSES + kind


@kernel
def _free(w: Any, by: int, low: int, high: int) -> None:
    """A dependency on `by` is met for successors [low, high); note the operations for which it was the last."""
    run, rank = run_at(w, 0), operation_at(w, by)["rank"]
    for k in range(low, high):
        op = np.int64(successor_at(w, k)["op"])
        row = operation_at(w, op)
        row["open"] -= 1
        if row["open"] == 0:
            freed = freed_at(w, run["n_freed"])
            freed["op"], freed["across"] = op, row["rank"] != rank
            run["n_freed"] += 1


@kernel
def _free_on_start(w: Any, op: int) -> None:
    _free(w, op, np.int64(operation_at(w, op)["first"]), np.int64(operation_at(w, op)["middle"]))


@kernel
def _free_on_end(w: Any, op: int) -> None:
    _free(w, op, np.int64(operation_at(w, op)["middle"]), np.int64(operation_at(w, op + 1)["first"]))


@kernel
def _release(w: Any, send: int, cpu: int, nic: int, time: int) -> None:
    """A rendezvous message has met its receive: the send is done, its resources are held until now."""
    rank = np.int64(operation_at(w, send)["rank"])
    processor, port = cpu_at(w, _cpu(w, rank, cpu)), nic_at(w, _nic(w, rank, nic))
    processor["free_ps"] = max(processor["free_ps"], time)
    port["send_ps"] = max(port["send_ps"], time)
    _free_on_end(w, send)


@kernel
def _longer(a: int, b: int) -> int:
    """Return the larger of two products with z, which an empty message has wrapped below zero if not zero."""
    if a < 0 or b < 0:
        return min(a, b) if a == 0 or b == 0 else max(a, b)
    return max(a, b)


@kernel
def _send(w: Any, op: int, time: int) -> None:
    row, run = operation_at(w, op), run_at(w, 0)
    z = row["size"] - 1
    cpu_at(w, _cpu(w, row["rank"], row["cpu"]))["free_ps"] = time + run["overhead_ps"] + z * run["overhead_ps_per_byte"]
    nic_at(w, _nic(w, row["rank"], row["nic"]))["send_ps"] = time + run["gap_ps"] + z * run["gap_ps_per_byte"]
    row["state"], row["number"] = IN_FLIGHT, run["next_number"]
    run["next_number"] += 1
    push(w, time + run["overhead_ps"] + run["latency_ps"], row["number"], op)
    _free_on_start(w, op)
    if row["size"] <= run["eager_bytes"]:
        _free_on_end(w, op)


@kernel
def _recv(w: Any, op: int, time: int) -> None:
    _free_on_start(w, op)
    row, message = operation_at(w, op), take_message(w, op)
    if message < 0:
        row["state"] = POSTED
        post_receive(w, op)
        return
    if row["size"] > run_at(w, 0)["eager_bytes"]:
        _release(w, message, np.int64(row["cpu"]), np.int64(row["nic"]), time)
    operation_at(w, message)["state"] = row["state"] = DONE
    _free_on_end(w, op)


@kernel
def _message(w: Any, op: int, time: int) -> None:
    row, run = operation_at(w, op), run_at(w, 0)
    z = row["size"] - 1
    held = _longer(z * run["overhead_ps_per_byte"], z * run["gap_ps_per_byte"])
    cpu_at(w, _cpu(w, row["peer"], row["cpu"]))["free_ps"] = time + run["overhead_ps"] + held
    nic_at(w, _nic(w, row["peer"], row["nic"]))["recv_ps"] = time + run["gap_ps"] + z * run["gap_ps_per_byte"]
    recv = take_receive(w, op)
    if recv < 0:
        row["state"] = DELIVERED
        store_message(w, op)
        return
    row["state"] = operation_at(w, recv)["state"] = DONE
    if row["size"] > run["eager_bytes"]:
        _release(w, op, np.int64(row["cpu"]), np.int64(row["nic"]), time)
    _free_on_end(w, recv)


@kernel
def _order_of(w: Any, op: int) -> int:
    row = operation_at(w, op)
    return row["rank"] * np.int64(4) + row["type"]


@kernel
def _sort_freed(w: Any, n: int) -> None:
    """Sort the freed operations by rank and type, keeping their order otherwise."""
    sorted_already = 1
    while sorted_already < n and _order_of(w, np.int64(freed_at(w, sorted_already)["op"])) >= _order_of(
        w, np.int64(freed_at(w, sorted_already - 1)["op"])
    ):
        sorted_already += 1
    if sorted_already == n:
        return
    if n > _FEW:
        keys, ops, across = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.int64)
        for i in range(n):
            ops[i], across[i] = freed_at(w, i)["op"], freed_at(w, i)["across"]
            keys[i] = _order_of(w, ops[i])
        order = np.argsort(keys, kind="mergesort")
        for i in range(n):
            freed_at(w, i)["op"], freed_at(w, i)["across"] = ops[order[i]], across[order[i]]
        return
    for i in range(1, n):
        op, from_another = np.int64(freed_at(w, i)["op"]), freed_at(w, i)["across"]
        key, j = _order_of(w, op), i
        while j > 0 and _order_of(w, np.int64(freed_at(w, j - 1)["op"])) > key:
            freed_at(w, j)["op"], freed_at(w, j)["across"] = freed_at(w, j - 1)["op"], freed_at(w, j - 1)["across"]
            j -= 1
        freed_at(w, j)["op"], freed_at(w, j)["across"] = op, from_another


@kernel
def queue_freed(w: Any, time: int) -> None:
    """Give the freed operations their events; those of the same time follow from one in the queue.

    As in LogGOPSim an operation may so start before what frees it ended, where they use different
    processors. One freed by another rank, which LogGOPSim does not have, starts no earlier than now.
    """
    run = run_at(w, 0)
    n = run["n_freed"]
    run["n_freed"] = 0
    if n > 1:
        _sort_freed(w, n)
    last: Any = -1
    last_ps = 0
    for i in range(n):
        op = np.int64(freed_at(w, i)["op"])
        row = operation_at(w, op)
        start_ps = cpu_at(w, _cpu(w, row["rank"], row["cpu"]))["free_ps"]
        if row["type"] == G_SEND:
            start_ps = max(start_ps, nic_at(w, _nic(w, row["rank"], row["nic"]))["send_ps"])
        if freed_at(w, i)["across"] == 1:
            start_ps = max(start_ps, time)
        row["state"], row["number"], row["next_freed"] = QUEUED, run["next_number"], -1
        run["next_number"] += 1
        if last >= 0 and start_ps == last_ps:
            operation_at(w, last)["next_freed"] = op
        else:
            push(w, start_ps, row["number"], op)
        last, last_ps = op, start_ps


@kernel
def _run_event(w: Any, op: int, time: int) -> None:
    """Process the event of an operation whose resources are free."""
    row = operation_at(w, op)
    run_at(w, 0)["events"] += 1
    if row["type"] == G_CALC:
        cpu_at(w, _cpu(w, row["rank"], row["cpu"]))["free_ps"] = time + row["size"]
        row["state"] = DONE
        _free_on_start(w, op)
        _free_on_end(w, op)
    elif row["type"] == G_RECV:
        _recv(w, op, time)
    elif row["state"] >= IN_FLIGHT:
        _message(w, op, time)
    else:
        _send(w, op, time)
    queue_freed(w, time)


@kernel
def _run_group(w: Any, op: int, time: int) -> None:
    """Process the event of a group, or put it back if its resources are busy again; ignore stale events."""
    group = _group(w, op)
    g = group_at(w, group)
    if g["root"] != op or g["entry_ps"] != time:
        return
    free_ps = _free_ps(w, op)
    if free_ps <= time:
        leave_group(w, group)
        operation_at(w, op)["state"] = IN_FLIGHT if operation_at(w, op)["state"] == DELIVERING else QUEUED
        _run_event(w, op, time)
        if g["root"] < 0:
            return
        op = g["root"]
        free_ps = _free_ps(w, op)
    g["entry_ps"] = free_ps
    push(w, free_ps, operation_at(w, op)["number"], op)


@kernel
def run_events(w: Any, limit: int) -> bool:
    """Process up to `limit` entries of the queue; False once it is empty."""
    grouped = run_at(w, 0)["grouped"] == 1
    for _ in range(limit):
        time, number, op = pop(w)
        if op < 0:
            return False
        row = operation_at(w, op)
        if row["number"] != number or row["state"] in (POSTED, DELIVERED, DONE):
            continue  # an event left over from a group whose first changed
        if row["next_freed"] >= 0 and row["state"] == QUEUED:
            following = np.int64(row["next_freed"])
            row["next_freed"] = -1
            push(w, time, operation_at(w, following)["number"], following)
        if row["state"] == WAITING or row["state"] == DELIVERING:
            _run_group(w, op, time)
            continue
        free_ps = time if row["type"] == G_RECV else _free_ps(w, op)
        if free_ps <= time:
            _run_event(w, op, time)
        elif grouped:
            row["state"] = DELIVERING if row["state"] == IN_FLIGHT else WAITING
            enter_group(w, _group(w, op), op, number, free_ps)
        else:
            push(w, free_ps, number, op)
    return True
