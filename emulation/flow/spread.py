"""How a pair's traffic spreads over the ports: a fluid over every path, or a few paths drawn by hash."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from emulation.flow.twins import Twins
from emulation.packet.probe import MAX_HOPS, follow, port_at, route_of
from topologies.routing.next_hop import call_next_hop, choice_of, port_of, size_of, vc_of
from uet.base.jit import kernel
from uet.base.rng import mix64

Ints = NDArray[np.int64]
Reals = NDArray[np.float64]

SHARE_STEPS = 2.0**40
"""Shares are compared after rounding to this many steps."""

DONE, UNREACHABLE, APART = -1, -2, -3
"""What walks return: all pairs are walked; there is no path; a set of next hops has some twins without the others."""


def scratch(twins: Twins, virtual_channels: int) -> tuple[Any, ...]:
    """Return what walks work on: `share` [n_ports], 0 between two calls, `used` [n_ports], `spot` [states], -1 between
    two calls, `front` and `mass` [2, states], virtual channels, and the twins. A state is a node and a channel.
    """
    n_ports, n_vcs = len(twins.run), max(virtual_channels, 1)
    states = len(twins.many) * n_vcs
    return (
        np.zeros(n_ports), np.zeros(n_ports, np.int64), np.full(states, -1, np.int32),
        np.zeros((2, states), np.int64), np.zeros((2, states)), n_vcs, twins.run, twins.many,
    )  # fmt: skip


@kernel
def spread(w: Any, next_hop: int, source: int, target: int, room: Any) -> int:
    """Split one unit evenly over the next hops of every node on the way; return how many ports it uses, UNREACHABLE or
    APART. Fills `used` with the ports and `share` with what crosses each; of twins only the eldest is walked.
    """
    share, used, spot, front, mass, n_vcs, run, many = room
    n_used, n_front, now = 0, 1, 0
    front[0, 0], mass[0, 0] = source * n_vcs, 1.0
    r = route_of(w, 0)
    for _ in range(MAX_HOPS):
        n_next = 0
        for i in range(n_front):
            node, vc = front[now, i] // n_vcs, front[now, i] % n_vcs
            size, k = 1, 0
            while k < size:
                packed = call_next_hop(next_hop, r, node, target, vc, choice_of(k, size) if k else 0)
                if packed < 0:
                    return UNREACHABLE
                size = size_of(packed)
                port = port_of(packed)
                twins = run[port]
                if twins != 1 and not _together(r, next_hop, node, target, vc, k, packed, twins):
                    return APART
                k += twins
                n_used = _add(share, used, n_used, port, mass[now, i] / size / many[node])
                peer = np.int64(port_at(w, port)["peer"])
                if peer != target:
                    state = peer * n_vcs + vc_of(packed)
                    if spot[state] < 0:
                        spot[state] = n_next
                        front[1 - now, n_next], mass[1 - now, n_next] = state, 0.0
                        n_next += 1
                    mass[1 - now, spot[state]] += mass[now, i] / size * twins
        now, n_front = 1 - now, n_next
        for i in range(n_front):
            spot[front[now, i]] = -1
        if n_front == 0:
            return n_used
    return UNREACHABLE


@kernel
def _together(r: Any, next_hop: int, node: int, target: int, vc: int, k: int, packed: int, twins: int) -> bool:
    """Tell whether a set of next hops has all the twins whose eldest is its member k, `packed`."""
    last, size = k + twins - 1, size_of(packed)
    if twins == 0 or last >= size:
        return False
    return call_next_hop(next_hop, r, node, target, vc, choice_of(last, size)) == packed + twins - 1


@kernel
def _add(share: Any, used: Any, n_used: int, port: int, part: float) -> int:
    """Add to a port's share and return how many ports are used."""
    if share[port] == 0.0:
        used[n_used] = port
        n_used += 1
    share[port] += part
    return n_used


@kernel
def trace(w: Any, next_hop: int, source: int, target: int, key: int, n_paths: int, room: Any) -> int:
    """Split one unit over `n_paths` paths drawn by hash, as the entropies of a PDC do; else as `spread`."""
    share, used = room[0], room[1]
    n_used, r = 0, route_of(w, 0)
    for path in range(n_paths):
        drawn = mix64(mix64(np.uint64(key)) ^ np.uint64(path))
        node: Any = source
        vc, hops = 0, 0
        while node != target:
            choice = np.int64(mix64(drawn + np.uint64(node)) >> np.uint64(32))
            packed = call_next_hop(next_hop, r, node, target, vc, choice)
            hops += 1
            if packed < 0 or hops > MAX_HOPS:
                return UNREACHABLE
            n_used = _add(share, used, n_used, port_of(packed), 1.0 / n_paths)
            node, vc = np.int64(port_at(w, port_of(packed))["peer"]), vc_of(packed)
    return n_used


@kernel
def _ports_of(w: Any, next_hop: int, source: int, target: int, key: int, n_paths: int, room: Any) -> int:
    """Spread a pair over all paths, or over `n_paths` of them if that is not 0."""
    if n_paths > 0:
        return trace(w, next_hop, source, target, key, n_paths, room)
    return spread(w, next_hop, source, target, room)


@kernel
def sign_ports(
    w: Any, next_hop: int, source: Ints, target: Ints, key: Ints, n_paths: int, room: Any, first: int, signature: Any
) -> int:  # fmt: skip
    """Add to every port's signature which pairs cross it with what share; return DONE, APART or a pair without path.

    Ports of equal signature are loaded alike, whatever the rates of the pairs. Pairs count from `first`.
    """
    share, used = room[0], room[1]
    for i in range(len(source)):
        n = _ports_of(w, next_hop, source[i], target[i], key[i], n_paths, room)
        if n < 0:
            return i if n == UNREACHABLE else n
        pair = mix64(np.uint64(first + i))
        for k in range(n):
            port = used[k]
            signature[port] += mix64(pair ^ np.uint64(np.rint(share[port] * SHARE_STEPS)))
            share[port] = 0.0
    return DONE


@kernel
def sign_pairs(
    w: Any, next_hop: int, source: Ints, target: Ints, key: Ints, n_paths: int, room: Any, label: Ints, signature: Any,
    sums: Any, labels: Any,
) -> int:  # fmt: skip
    """Set every pair's signature to one of its shares summed by the ports' labels; return as `sign_ports`.

    `sums` [labels] is 0 between two calls.
    """
    share, used = room[0], room[1]
    for i in range(len(source)):
        n = _ports_of(w, next_hop, source[i], target[i], key[i], n_paths, room)
        if n < 0:
            return i if n == UNREACHABLE else n
        n_labels = 0
        for k in range(n):
            n_labels = _add(sums, labels, n_labels, label[used[k]], share[used[k]])
            share[used[k]] = 0.0
        signature[i] = 0
        for k in range(n_labels):
            total = np.uint64(np.rint(sums[labels[k]] * SHARE_STEPS))
            signature[i] += mix64(mix64(np.uint64(labels[k])) ^ total)
            sums[labels[k]] = 0.0
    return DONE


@kernel
def list_shares(
    w: Any, next_hop: int, source: Ints, target: Ints, key: Ints, n_paths: int, room: Any, kept: Any, counts: Ints,
    ports: Any, shares: Any,
) -> int:  # fmt: skip
    """List the ports that are `kept` and their shares pair after pair; return how many pairs there was room for."""
    share, used = room[0], room[1]
    filled = 0
    for i in range(len(source)):
        n = _ports_of(w, next_hop, source[i], target[i], key[i], n_paths, room)
        mine = 0
        for k in range(n):
            port = used[k]
            if kept[port] and filled + mine < len(ports):
                ports[filled + mine], shares[filled + mine] = port, share[port]
            mine += 1 if kept[port] else 0
            share[port] = 0.0
        if filled + mine > len(ports):
            return i
        counts[i] = mine
        filled += mine
    return len(source)


@kernel
def measure(w: Any, next_hop: int, source: Ints, target: Ints, found: Any) -> None:
    """Fill `found` [pairs, 4] with what `follow` returns."""
    for i in range(len(source)):
        hops, latency, serialisation, first = follow(w, next_hop, source[i], target[i])
        found[i, 0], found[i, 1], found[i, 2], found[i, 3] = hops, latency, serialisation, first
