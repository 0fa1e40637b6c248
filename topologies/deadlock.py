"""Checks that a routing rule cannot deadlock: its channel dependency graph has no cycle.

A channel is a port's outgoing link with a virtual channel. One channel depends on another if some
packet may hold the first while it waits for the second (Dally and Seitz, IEEE Trans. Computers 1987).
All hosts send to all hosts, taking every member of every next-hop set.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topologies.fabric import Fabric
from topologies.routing.next_hop import call_next_hop, port_of, size_of, vc_of
from uet.base.errors import BadInput
from uet.base.jit import kernel

MOST_HOSTS = 1024


@dataclass(frozen=True)
class DeadlockCheck:
    """`cycle` is empty if the routing is deadlock free, else channels (port, virtual channel) on a cycle.

    `channels` and `dependencies` count those that some packet uses, `dead_ends` the (host or channel,
    destination) pairs from which no next hop leads on.
    """

    acyclic: bool
    channels: int
    dependencies: int
    dead_ends: int
    cycle: tuple[tuple[int, int], ...]


def check_deadlock(fabric: Fabric) -> DeadlockCheck:
    """Walk all paths between all hosts and look for a cycle of channel dependencies.

    Memory: one byte per channel and channel of the node it leads to. Raises BadInput for more than
    MOST_HOSTS hosts, where the walk would take too long.
    """
    if fabric.n_hosts > MOST_HOSTS:
        raise BadInput(f"{fabric.spec}: the deadlock check takes up to {MOST_HOSTS} hosts, not {fabric.n_hosts}")
    n_vcs = fabric.routes.virtual_channels
    n_channels = len(fabric.ports) * n_vcs
    widest = int(fabric.nodes["n_ports"].max()) * n_vcs
    used = np.zeros((n_channels, widest), np.uint8)
    stamp = np.full(n_channels, -1, np.int64)
    queue = np.zeros(n_channels, np.int64)
    first_port = fabric.nodes["first_port"].astype(np.int64)
    peer = fabric.ports["peer"].astype(np.int64)
    end = fabric.ports["node"][peer].astype(np.int64)
    dead = 0
    for destination in range(fabric.n_hosts):
        dead += _walk(
            fabric.routes.world.handle, fabric.routes.address, destination, fabric.n_hosts, n_vcs,
            first_port, end, stamp, queue, used,
        )  # fmt: skip
    return _judge(used, stamp, first_port, end, n_vcs, dead)


def _judge(
    used: NDArray[np.uint8],
    stamp: NDArray[np.int64],
    first_port: NDArray[np.int64],
    end: NDArray[np.int64],
    n_vcs: int,
    dead: int,
) -> DeadlockCheck:
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    tail, local = np.nonzero(used)
    head = first_port[end[tail // n_vcs]] * n_vcs + local
    n = len(stamp)
    _, component = connected_components(coo_matrix((np.ones(len(tail)), (tail, head)), (n, n)), connection="strong")
    inside = tail[component[tail] == component[head]]
    cycle = np.unique(inside[component[inside] == component[inside[0]]]) if len(inside) else inside
    named = tuple((int(c) // n_vcs, int(c) % n_vcs) for c in cycle)
    return DeadlockCheck(not named, int(np.count_nonzero(stamp >= 0)), len(tail), dead, named)


@kernel
def _walk(
    r: Any, address: int, destination: int, n_hosts: int, n_vcs: int,
    first_port: Any, end: Any, stamp: Any, queue: Any, used: Any,
) -> int:  # fmt: skip
    """Follow all packets to `destination` over channels; return how many hosts or channels are dead ends."""
    dead = head = tail = 0
    for source in range(n_hosts):
        if source != destination:
            grown = _visit(r, address, source, destination, 0, -1, n_vcs, first_port, stamp, queue, tail, used)
            dead += 1 if grown < 0 else 0
            tail = max(tail, grown)
    while head < tail:
        channel = queue[head]
        head += 1
        node = end[channel // n_vcs]
        if node != destination:
            grown = _visit(
                r, address, node, destination, channel % n_vcs, channel, n_vcs, first_port, stamp, queue, tail, used
            )
            dead += 1 if grown < 0 else 0
            tail = max(tail, grown)
    return dead


@kernel
def _visit(
    r: Any, address: int, node: int, destination: int, vc: int, held: int, n_vcs: int,
    first_port: Any, stamp: Any, queue: Any, tail: int, used: Any,
) -> int:  # fmt: skip
    """Mark what a packet at `node` may wait for and queue new channels; return the new tail, -1 if stuck."""
    hop = call_next_hop(address, r, node, destination, vc, 0)
    if hop < 0:
        return -1
    size = size_of(hop)
    for k in range(size):
        hop = call_next_hop(address, r, node, destination, vc, ((k << 32) + size - 1) // size)
        channel = port_of(hop) * n_vcs + vc_of(hop)
        if held >= 0:
            used[held, channel - first_port[node] * n_vcs] = 1
        if stamp[channel] != destination:
            stamp[channel] = destination
            queue[tail] = channel
            tail += 1
    return tail
