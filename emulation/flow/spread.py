"""How a pair's traffic spreads over the ports: a fluid over every path, or a few paths drawn by hash."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from emulation.packet.probe import MAX_HOPS, follow, port_at, route_of
from topologies.routing.next_hop import call_next_hop, choice_of, port_of, size_of, vc_of
from uet.base.jit import kernel, rare_kernel
from uet.base.rng import mix64

Ints = NDArray[np.int64]
Reals = NDArray[np.float64]

SHARE_STEPS = 2.0**40
"""Shares are compared after rounding to this many steps."""


class Scratch:
    """Arrays that spreading works on: `share` [n_ports] is 0 and `spot` [nodes x channels] -1 between two calls."""

    def __init__(self, n_nodes: int, n_ports: int, virtual_channels: int) -> None:
        """Reserve them; a front holds every (node, channel) at most once."""
        states = n_nodes * max(virtual_channels, 1)
        self.n_vcs = max(virtual_channels, 1)
        self.share = np.zeros(n_ports)
        self.used = np.zeros(n_ports, np.int64)
        self.spot = np.full(states, -1, np.int32)
        self.front = np.zeros((2, states), np.int64)
        self.mass = np.zeros((2, states))

    @property
    def arrays(self) -> tuple[Any, ...]:
        """What the kernels take."""
        return self.share, self.used, self.spot, self.front, self.mass, self.n_vcs


@kernel
def spread(
    w: Any, next_hop: int, source: int, target: int, share: Any, used: Any, spot: Any, front: Any, mass: Any,
    n_vcs: int,
) -> int:  # fmt: skip
    """Split one unit evenly over the next hops of every node on the way; return how many ports it uses, -1 if there is
    no path. Fills `used` with them and `share` with what crosses each.
    """
    n_used, n_front, now = 0, 1, 0
    front[0, 0], mass[0, 0] = source * n_vcs, 1.0
    r = route_of(w, 0)
    for _ in range(MAX_HOPS):
        n_next = 0
        for i in range(n_front):
            node, vc = front[now, i] // n_vcs, front[now, i] % n_vcs
            packed = call_next_hop(next_hop, r, node, target, vc, 0)
            if packed < 0:
                return -1
            size = size_of(packed)
            part = mass[now, i] / size
            for k in range(size):
                if k > 0:
                    packed = call_next_hop(next_hop, r, node, target, vc, choice_of(k, size))
                port = port_of(packed)
                n_used = _add(share, used, n_used, port, part)
                peer = np.int64(port_at(w, port)["peer"])
                if peer != target:
                    state = peer * n_vcs + vc_of(packed)
                    if spot[state] < 0:
                        spot[state] = n_next
                        front[1 - now, n_next], mass[1 - now, n_next] = state, 0.0
                        n_next += 1
                    mass[1 - now, spot[state]] += part
        now, n_front = 1 - now, n_next
        for i in range(n_front):
            spot[front[now, i]] = -1
        if n_front == 0:
            return n_used
    return -1


@kernel
def _add(share: Any, used: Any, n_used: int, port: int, part: float) -> int:
    """Add to a port's share and return how many ports are used."""
    if share[port] == 0.0:
        used[n_used] = port
        n_used += 1
    share[port] += part
    return n_used


@kernel
def trace(
    w: Any, next_hop: int, source: int, target: int, key: int, n_paths: int, share: Any, used: Any
) -> int:  # fmt: skip
    """Split one unit over `n_paths` paths drawn by hash, as the entropies of a PDC do; else as `spread`."""
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
                return -1
            n_used = _add(share, used, n_used, port_of(packed), 1.0 / n_paths)
            node, vc = np.int64(port_at(w, port_of(packed))["peer"]), vc_of(packed)
    return n_used


@rare_kernel
def _ports_of(
    w: Any, next_hop: int, source: int, target: int, key: int, n_paths: int, share: Any, used: Any, spot: Any,
    front: Any, mass: Any, n_vcs: int,
) -> int:  # fmt: skip
    """Spread a pair over all paths, or over `n_paths` of them if that is not 0."""
    if n_paths > 0:
        return trace(w, next_hop, source, target, key, n_paths, share, used)
    return spread(w, next_hop, source, target, share, used, spot, front, mass, n_vcs)


@kernel
def sign_ports(
    w: Any, next_hop: int, source: Ints, target: Ints, key: Ints, n_paths: int, first: int, signature: Any,
    share: Any, used: Any, spot: Any, front: Any, mass: Any, n_vcs: int,
) -> int:  # fmt: skip
    """Add to every port's signature which pairs cross it with what share; return a pair without path, else -1.

    Ports of equal signature are loaded alike, whatever the rates of the pairs.
    """
    for i in range(len(source)):
        n = _ports_of(w, next_hop, source[i], target[i], key[i], n_paths, share, used, spot, front, mass, n_vcs)
        if n < 0:
            return i
        pair = mix64(np.uint64(first + i))
        for k in range(n):
            port = used[k]
            signature[port] += mix64(pair ^ np.uint64(np.rint(share[port] * SHARE_STEPS)))
            share[port] = 0.0
    return -1


@kernel
def sign_pairs(
    w: Any, next_hop: int, source: Ints, target: Ints, key: Ints, n_paths: int, label: Ints, signature: Any,
    sums: Any, labels: Any, share: Any, used: Any, spot: Any, front: Any, mass: Any, n_vcs: int,
) -> int:  # fmt: skip
    """Set every pair's signature to one of its shares summed by the ports' labels; return as `sign_ports`.

    `sums` is 0 between two calls.
    """
    for i in range(len(source)):
        n = _ports_of(w, next_hop, source[i], target[i], key[i], n_paths, share, used, spot, front, mass, n_vcs)
        if n < 0:
            return i
        n_labels = 0
        for k in range(n):
            n_labels = _add(sums, labels, n_labels, label[used[k]], share[used[k]])
            share[used[k]] = 0.0
        signature[i] = 0
        for k in range(n_labels):
            total = np.uint64(np.rint(sums[labels[k]] * SHARE_STEPS))
            signature[i] += mix64(mix64(np.uint64(labels[k])) ^ total)
            sums[labels[k]] = 0.0
    return -1


@kernel
def list_shares(
    w: Any, next_hop: int, source: Ints, target: Ints, key: Ints, n_paths: int, kept: Any, counts: Ints,
    ports: Any, shares: Any, share: Any, used: Any, spot: Any, front: Any, mass: Any, n_vcs: int,
) -> int:  # fmt: skip
    """List the ports that are `kept` and their shares pair after pair; return how many pairs there was room for."""
    filled = 0
    for i in range(len(source)):
        n = _ports_of(w, next_hop, source[i], target[i], key[i], n_paths, share, used, spot, front, mass, n_vcs)
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
