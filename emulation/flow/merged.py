"""An all-to-all of equal messages that all begin at once, its equal flows merged by symmetry.

A symmetry of the fabric that its routes share maps flows onto flows of the same rate and ports onto ports
of the same load. So the flows of one host per orbit are enough, and the load of a port is that of its
orbit divided by the ports there. Flows with the same shares on the same orbits are limited alike: they
become one channel, which stands for so many. A run of 268 million flows has a handful of channels.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from emulation.flow.channels import Channels, binding
from emulation.flow.walker import Ints, Reals, Say, Walker
from emulation.packet.probe import PS_PER_BYTE_GBPS
from topologies.fabric import Fabric
from topologies.symmetry import named, orbits, twins, verified

SAMPLES = 2_000
"""Pairs on which the routes are tried for each symmetry of the graph, which is dropped if one of them differs.

One that is wrong for 1 % of the pairs passes with a chance of 2e-9; for fewer it hardly matters.
"""


def merged_alltoall(fabric: Fabric, ack_bytes: int, seed: int = 1, say: Say | None = None) -> tuple[Channels, Ints]:
    """Return a channel per class of equal flows between all hosts, and how many flows each stands for.

    A channel's `rate` is that of each of its flows, its shares are those of all of them together.
    """
    walker = Walker(fabric, say=say)
    kept = list(_symmetries(fabric, walker, seed))
    host_orbit = orbits(fabric.n_hosts, [nodes[: fabric.n_hosts] for nodes, _ in kept])
    port_orbit = orbits(len(fabric.ports), [ports for _, ports in kept])
    _, first, size = np.unique(host_orbit, return_index=True, return_counts=True)
    source = np.repeat(first, fabric.n_hosts - 1)
    target = np.concatenate([np.delete(np.arange(fabric.n_hosts), host) for host in first])
    _, leader, which = np.unique(
        walker.pair_signatures(source, target, port_orbit), return_index=True, return_inverse=True
    )
    count = np.bincount(which, size[host_orbit[source]]).astype(np.int64)
    return _channels(walker, source[leader], target[leader], count, port_orbit, ack_bytes), count


def _symmetries(fabric: Fabric, walker: Walker, seed: int) -> Iterator[tuple[Ints, Ints]]:
    """Yield the symmetries of the graph that the routes share, or whose squares they share: where nodes and ports go.

    On tori routes tell even destinations from odd ones, which every second shift keeps.
    """
    rng = np.random.default_rng(seed)
    a = rng.integers(0, fabric.n_hosts, SAMPLES)
    b = (a + rng.integers(1, fabric.n_hosts, SAMPLES)) % fabric.n_hosts
    gbps = fabric.links["gbps"][fabric.ports["link"]]
    for once in verified(fabric, (twins(fabric), *named(fabric))):
        for nodes in (once, once[once]):
            ports = moved_ports(fabric, nodes)
            moved = walker.pair_signatures(a, b, ports)
            there = walker.pair_signatures(nodes[a], nodes[b], np.arange(len(ports)))
            if np.array_equal(gbps[ports], gbps) and np.array_equal(moved, there):
                yield nodes, ports
                break


def moved_ports(fabric: Fabric, nodes: Ints) -> Ints:
    """Return where the ports go, [n_ports], when every node goes to `nodes`; parallel links keep their order."""
    node = fabric.ports["node"].astype(np.int64)
    peer = node[fabric.ports["peer"]]
    n = len(fabric.nodes)
    target = np.empty(len(node), np.int64)
    target[np.argsort(nodes[node] * n + nodes[peer], kind="stable")] = np.argsort(node * n + peer, kind="stable")
    return target


def _channels(walker: Walker, source: Ints, target: Ints, count: Ints, port_orbit: Ints, ack_bytes: int) -> Channels:
    """Return the channels whose pairs stand for `count` flows each, with the port orbits for resources."""
    fabric = walker.fabric
    n_ports, ports, shares = walker.shares(source, target, np.ones(len(port_orbit), np.bool_))
    gbps = fabric.links["gbps"][fabric.ports["link"]]
    alone = np.minimum.reduceat(gbps[ports] / PS_PER_BYTE_GBPS / shares, np.cumsum(n_ports) - n_ports)
    owner = np.repeat(np.arange(len(source)), n_ports)
    n_orbits = int(port_orbit.max()) + 1
    key, entry = np.unique(owner * n_orbits + port_orbit[ports], return_inverse=True)
    owner, orbit = key // n_orbits, key % n_orbits
    members = np.bincount(port_orbit)
    share: Reals = np.bincount(entry, shares) * count[owner] / members[orbit]
    first = np.searchsorted(owner, np.arange(len(source) + 1))
    capacity = np.bincount(port_orbit, gbps) / members / PS_PER_BYTE_GBPS
    return Channels(
        source, target, first, orbit, share, capacity, port_orbit, binding(first, orbit, share, capacity),
        *walker.times(source, target, ack_bytes), alone,
    )  # fmt: skip
