"""Kernels for shortest paths from one source, and for routing a demand over them.

Arcs are in CSR by tail; lengths are per arc class (`arc_class`), so that symmetric arcs share one. All
scratch arrays come from the caller. Nodes with `forwards` 0 are entered but not passed.
"""

from __future__ import annotations

import numpy as np

from uet.base.jit import kernel


@kernel
def fill_row(
    source: int, first_used: np.ndarray, used: np.ndarray, factor: np.ndarray, first_member: np.ndarray,
    member: np.ndarray, weight: np.ndarray, row: np.ndarray,
) -> None:  # fmt: skip
    """Write the demand of `source` [Gb/s per node] into `row`."""
    row[:] = 0.0
    for k in range(first_used[source], first_used[source + 1]):
        for m in range(first_member[used[k]], first_member[used[k] + 1]):
            row[member[m]] += factor[k] * weight[m]
    row[source] = 0.0


@kernel
def shortest_tree(
    source: int, first_arc: np.ndarray, head: np.ndarray, arc_class: np.ndarray, length: np.ndarray,
    forwards: np.ndarray, distance: np.ndarray, entry: np.ndarray, queue: np.ndarray, waiting: np.ndarray,
) -> None:  # fmt: skip
    """Fill `distance` from `source` and `entry`, the arc into each node on its shortest path (-1 if none).

    Label correcting with the smaller label first (Bertsekas 1993): on fabrics, whose paths are short and
    lengths similar, it looks at a node little more than once and needs no heap.
    """
    n = len(distance)
    distance[:] = np.inf
    entry[:] = -1
    waiting[:] = 0
    distance[source] = 0.0
    queue[0], front, size = source, 0, 1
    while size > 0:
        node = queue[front]
        front = front + 1 if front + 1 < n else 0
        size -= 1
        waiting[node] = 0
        if forwards[node] == 0 and node != source:
            continue
        for arc in range(first_arc[node], first_arc[node + 1]):
            other, far = head[arc], distance[node] + length[arc_class[arc]]
            if far < distance[other]:
                distance[other] = far
                entry[other] = arc
                if waiting[other] == 0:
                    waiting[other] = 1
                    if size > 0 and far < distance[queue[front]]:
                        front = front - 1 if front > 0 else n - 1
                        queue[front] = other
                    else:
                        queue[(front + size) % n] = other
                    size += 1


@kernel
def load_tree(
    tail: np.ndarray, arc_class: np.ndarray, entry: np.ndarray, children: np.ndarray, queue: np.ndarray,
    row: np.ndarray, scale: float, load: np.ndarray,
) -> None:  # fmt: skip
    """Send `row` along the tree, from its leaves inwards; add `scale` times the flow to `load` per class.

    `row` ends as the flow into each node.
    """
    children[:] = 0
    size = 0
    for node in range(len(entry)):
        if entry[node] >= 0:
            children[tail[entry[node]]] += 1
    for node in range(len(entry)):
        if entry[node] >= 0 and children[node] == 0:
            queue[size] = node
            size += 1
    done = 0
    while done < size:
        node = queue[done]
        done += 1
        arc = entry[node]
        load[arc_class[arc]] += scale * row[node]
        inner = tail[arc]
        row[inner] += row[node]
        children[inner] -= 1
        if children[inner] == 0 and entry[inner] >= 0:
            queue[size] = inner
            size += 1


@kernel
def breadth_first(
    source: int, first_arc: np.ndarray, head: np.ndarray, forwards: np.ndarray, row: np.ndarray, targets: int,
    hops: np.ndarray, order: np.ndarray,
) -> int:  # fmt: skip
    """Fill `hops` from `source` (-1 where unreached) and `order`; return nodes reached.

    Ends early when `targets` nodes with a positive `row` are found: all that lies on the way to them is known then.
    """
    hops[:] = -1
    hops[source] = 0
    order[0], reached, k = source, 1, 0
    while k < reached and targets > 0:
        node = order[k]
        k += 1
        if forwards[node] == 0 and node != source:
            continue
        for arc in range(first_arc[node], first_arc[node + 1]):
            if hops[head[arc]] < 0:
                hops[head[arc]] = hops[node] + 1
                order[reached] = head[arc]
                reached += 1
                if row[head[arc]] > 0.0:
                    targets -= 1
    return reached


@kernel
def load_all_shortest(
    source: int, first_arc: np.ndarray, head: np.ndarray, back: np.ndarray, capacity: np.ndarray,
    arc_class: np.ndarray, forwards: np.ndarray, hops: np.ndarray, order: np.ndarray, reached: int,
    row: np.ndarray, scale: float, load: np.ndarray,
) -> None:  # fmt: skip
    """Send `row` over all shortest paths by hops, split at each node in proportion to capacity.

    The split is made from the destination towards the source; `back` names the reverse of each arc.
    Adds `scale` times the flow to `load` per class; `row` is used up.
    """
    for k in range(reached - 1, 0, -1):
        node = order[k]
        if row[node] <= 0.0:
            continue
        total = 0.0
        for arc in range(first_arc[node], first_arc[node + 1]):
            other = head[arc]
            if hops[other] == hops[node] - 1 and (forwards[other] != 0 or other == source):
                total += capacity[back[arc]]
        for arc in range(first_arc[node], first_arc[node + 1]):
            other = head[arc]
            if hops[other] == hops[node] - 1 and (forwards[other] != 0 or other == source):
                share = row[node] * capacity[back[arc]] / total
                load[arc_class[back[arc]]] += scale * share
                row[other] += share


@kernel
def load_logit(
    source: int, first_arc: np.ndarray, head: np.ndarray, back: np.ndarray, arc_class: np.ndarray,
    length: np.ndarray, forwards: np.ndarray, distance: np.ndarray, order: np.ndarray, weight: np.ndarray,
    row: np.ndarray, sharpness: float, scale: float, load: np.ndarray,
) -> bool:  # fmt: skip
    """Send `row` over all paths that lead away from `source`, short ones first (Dial 1971).

    A path's share falls with exp(-sharpness * detour), the detour being its length beyond the shortest
    one's. `distance` is that of `shortest_tree`. Adds `scale` times the flow to `load` per class; `row` is
    used up, `order` and `weight` are scratch. Does nothing and returns False where lengths differ by so
    much that rounding leaves some destination without such a path.
    """
    reached = _by_distance(distance, order)
    weight[:] = 0.0
    weight[source] = 1.0
    for k in range(reached):
        node = order[k]
        if forwards[node] == 0 and node != source:
            continue
        for arc in range(first_arc[node], first_arc[node + 1]):
            other = head[arc]
            if distance[other] > distance[node]:
                detour = distance[node] + length[arc_class[arc]] - distance[other]
                weight[other] += weight[node] * np.exp(-sharpness * detour)
    for node in range(len(row)):
        if row[node] > 0.0 and not 1e-200 < weight[node] < 1e200:
            return False
    for k in range(reached - 1, 0, -1):
        node = order[k]
        if row[node] <= 0.0:
            continue
        flow = row[node] / weight[node]
        for arc in range(first_arc[node], first_arc[node + 1]):
            other = head[arc]
            if distance[other] < distance[node] and (forwards[other] != 0 or other == source):
                kind = arc_class[back[arc]]
                detour = distance[other] + length[kind] - distance[node]
                share = flow * weight[other] * np.exp(-sharpness * detour)
                load[kind] += scale * share
                row[other] += share
    return True


@kernel
def _by_distance(distance: np.ndarray, order: np.ndarray) -> int:
    """Write the nodes that have a distance into `order`, the nearest first (heap sort); return how many."""
    size = 0
    for node in range(len(distance)):
        if distance[node] < np.inf:
            order[size] = node
            size += 1
    for half in range(size // 2 - 1, -1, -1):
        _sink(order, half, size, distance)
    for last in range(size - 1, 0, -1):
        order[0], order[last] = order[last], order[0]
        _sink(order, 0, last, distance)
    return size


@kernel
def _sink(order: np.ndarray, at: int, size: int, distance: np.ndarray) -> None:
    while 2 * at + 1 < size:
        below = 2 * at + 1
        if below + 1 < size and distance[order[below + 1]] > distance[order[below]]:
            below += 1
        if distance[order[below]] <= distance[order[at]]:
            return
        order[at], order[below] = order[below], order[at]
        at = below
