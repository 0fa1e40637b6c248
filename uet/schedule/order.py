"""Orders and longest paths of a schedule's graph.

The graph has one node per operation; a receive follows its own dependencies and its send. Where a
dependency is met at the start of an operation, every operation has two nodes instead, its start
and its end, so that nothing is ordered more strictly than the schedule says.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from uet.base.errors import BadInput
from uet.base.jit import kernel
from uet.schedule.model import RECV, Index, Schedule
from uet.schedule.naming import describe


@kernel
def _successors(first: Index, before: Index) -> tuple[Index, Index]:
    """Turn a predecessor CSR into the successor CSR by counting."""
    n = len(first) - 1
    start = np.zeros(n + 1, np.int64)
    for k in range(len(before)):
        start[before[k] + 1] += 1
    for i in range(n):
        start[i + 1] += start[i]
    fill = start.copy()
    after = np.empty(len(before), np.int64)
    for i in range(n):
        for k in range(first[i], first[i + 1]):
            j = before[k]
            after[fill[j]] = i
            fill[j] += 1
    return start, after


@kernel
def _sort(first: Index, before: Index) -> tuple[Index, int]:
    """Return the nodes in dependency order and how many could be ordered (Kahn 1962)."""
    n = len(first) - 1
    start, after = _successors(first, before)
    left = np.empty(n, np.int64)
    order = np.empty(n, np.int64)
    tail = 0
    for i in range(n):
        left[i] = first[i + 1] - first[i]
        if left[i] == 0:
            order[tail] = i
            tail += 1
    head = 0
    while head < tail:
        i = order[head]
        head += 1
        for k in range(start[i], start[i + 1]):
            j = after[k]
            left[j] -= 1
            if left[j] == 0:
                order[tail] = j
                tail += 1
    return order, tail


@kernel
def _finish(order: Index, first: Index, before: Index, needed: Index, weight: Index) -> Index:
    """Return when each node ends if it takes its weight and starts once `needed` predecessors ended."""
    end = np.zeros(len(order), np.int64)
    for node in range(len(order)):
        i = order[node]
        low, high = first[i], first[i + 1]
        begin = 0
        if needed[i] >= high - low:
            for k in range(low, high):
                begin = max(begin, end[before[k]])
        elif needed[i] > 0:
            ends = np.empty(high - low, np.int64)
            for k in range(low, high):
                ends[k - low] = end[before[k]]
            ends.sort()
            begin = ends[needed[i] - 1]
        end[i] = begin + weight[i]
    return end


def event_graph(schedule: Schedule) -> tuple[Index, Index, Index]:
    """Return the predecessors of every node in CSR form and how many of them each node needs.

    Nodes 0..n-1 are the operations, or their ends if the schedule has start dependencies; then nodes
    n..2n-1 are their starts.
    """
    ops, n = schedule.operations, len(schedule.operations)
    waits = np.diff(schedule.first_dependency)
    recvs = np.flatnonzero(ops["kind"] == RECV)
    sends = schedule.pairs[recvs]
    if schedule.on_start is None:
        first = schedule.first_dependency.copy()
        first[1:] += np.cumsum(ops["kind"] == RECV)
        before = np.empty(first[-1], np.int64)
        before[first[recvs + 1] - 1] = sends
        place = np.ones(len(before), np.bool_)
        place[first[recvs + 1] - 1] = False
        before[place] = schedule.dependencies
        if schedule.needed is not None and np.any(schedule.needed[recvs] != waits[recvs]):
            raise BadInput(f"{schedule.name}: only sends and calcs may start on part of their dependencies")
        return first, before, np.where(ops["kind"] == RECV, waits + 1, schedule.waits_for)
    ends = np.arange(n)
    target = np.repeat(ends + n, waits)
    source = np.where(schedule.on_start, schedule.dependencies + n, schedule.dependencies)
    after = np.concatenate([ends, recvs, target])
    before = np.concatenate([ends + n, sends, source])[np.argsort(after, kind="stable")]
    counts = np.bincount(after, minlength=2 * n)
    first = np.concatenate([[0], np.cumsum(counts)])
    return first, before, np.concatenate([counts[:n], schedule.waits_for])


def topological_order(schedule: Schedule) -> Index:
    """Return the operations so that each stands after all it depends on, shape [n].

    Raises BadInput naming operations that wait for each other in a circle.
    """
    first, before, _ = event_graph(schedule)
    order = _ordered(schedule, first, before)
    return order[order < len(schedule.operations)]


def longest_path(schedule: Schedule, weight: NDArray[np.int64]) -> int:
    """Return the largest sum of weights [n] along a chain of dependencies; 0 for an empty schedule."""
    return int(finish_times(schedule, weight).max(initial=0))


def finish_times(schedule: Schedule, weight: NDArray[np.int64]) -> Index:
    """Return when each operation ends, shape [n], if operation i takes weight[i] and none wait for resources.

    A receive ends its weight after both its send's end and its own dependencies. Raises BadInput for a circle.
    """
    first, before, needed = event_graph(schedule)
    n = len(schedule.operations)
    node_weight = np.zeros(len(first) - 1, np.int64)
    node_weight[:n] = weight
    order = _ordered(schedule, first, before)
    return _finish(order, first, before, needed, node_weight)[:n]


def _ordered(schedule: Schedule, first: Index, before: Index) -> Index:
    order, count = _sort(first, before)
    if count < len(order):
        raise BadInput(_circle(schedule, first, before, order[:count]))
    return order


def _circle(schedule: Schedule, first: Index, before: Index, done: Index) -> str:
    """Walk back from any operation that could not be ordered until one repeats; name those on the way."""
    n = len(schedule.operations)
    ordered = np.zeros(len(first) - 1, np.bool_)
    ordered[done] = True
    node = int(np.flatnonzero(~ordered)[0])
    path: dict[int, int] = {}
    while node not in path:
        path[node] = len(path)
        choices = before[first[node] : first[node + 1]]
        node = int(choices[~ordered[choices]][0])
    circle = list(dict.fromkeys(k % n for k, place in path.items() if place >= path[node]))[::-1]
    names = [describe(schedule, i) for i in circle[:6]]
    shown = " -> ".join([*names, "..."] if len(circle) > 6 else [*names, names[0]])
    return f"{schedule.name}: operations wait for each other in a circle: {shown}; break it"
