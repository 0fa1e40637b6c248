"""`Network`: the directed capacities of a Fabric, as the throughput solvers see them.

Parallel links are merged. A host whose links all lead to one switch is folded into that switch: its
access link bounds what it can inject but takes no part in routing, so throughput "uncapped" is that of
the network behind the access links, and "capped" respects them too.

Equal planes are one network, at the rates of one plane. After damage that differs between planes they
stand side by side and meet only in the hosts, which may use them unevenly but do not lead from one to
another. A host forwards traffic of others only where the fabric needs that to be connected: on tori,
meshes, BCube, rails without spines; not in a fabric whose switches already reach every host.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from topologies.fabric import SWITCH, Fabric
from topologies.failures import Damage

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Network:
    """Arcs sorted by tail, with the hosts that sit at each node.

    `tail`, `head` [n_arcs], `capacity_gbps` [n_arcs], `node_of_host` [n_hosts], `access_gbps` [n_hosts]
    (infinite for hosts that are nodes themselves), `alive` [n_hosts], `forwards` [n_nodes] (1 where
    traffic may pass through); rates and `injection_gbps` are those of one of `planes` equal planes.
    """

    tail: Ints
    head: Ints
    capacity_gbps: Floats
    node_of_host: Ints
    access_gbps: Floats
    alive: Flags
    forwards: NDArray[np.uint8]
    injection_gbps: float
    planes: int

    @property
    def n_nodes(self) -> int:
        """Nodes after folding."""
        return len(self.forwards)

    @property
    def n_hosts(self) -> int:
        """Accelerators, failed ones included."""
        return len(self.node_of_host)

    @property
    def n_arcs(self) -> int:
        """Directed arcs; every link gives two."""
        return len(self.tail)

    @cached_property
    def first_arc(self) -> Ints:
        """CSR offsets of the arcs by tail, shape [n_nodes + 1]."""
        return np.searchsorted(self.tail, np.arange(self.n_nodes + 1)).astype(np.int64)

    @cached_property
    def reverse(self) -> Ints:
        """The arc that leads back, for each arc."""
        return np.lexsort((self.tail, self.head)).astype(np.int64)

    @cached_property
    def hosts_at(self) -> Ints:
        """Hosts at each node, shape [n_nodes]."""
        return np.bincount(self.node_of_host, minlength=self.n_nodes).astype(np.int64)

    def access_fraction(self, hosts: Flags | None = None) -> float:
        """Return the slowest access link of `hosts` (default: all that live) in injections, infinite without any."""
        access = self.access_gbps[self.alive if hosts is None else hosts]
        return float(access.min(initial=np.inf) / self.injection_gbps)


def network_of(fabric: Fabric, damage: Damage | None = None) -> Network:
    """Return the network of `fabric`, or of what damage has left of it."""
    graph = _graph(fabric, damage)
    keep, at, access = _fold(graph)
    number = np.cumsum(keep) - 1
    inside = keep[graph.tail] & keep[graph.head] & (graph.rate > 0)
    tail, head, capacity = _merge(number[graph.tail[inside]], number[graph.head[inside]], graph.rate[inside])
    alive = np.ones(fabric.n_hosts, bool) if damage is None else ~damage.host_down
    return Network(
        tail, head, capacity, number[at], access, alive, graph.forwards[keep].astype(np.uint8),
        fabric.injection_gbps / graph.planes, graph.planes,
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Graph:
    """Nodes with hosts first, and arcs in both directions, before folding and merging."""

    n_hosts: int
    tail: Ints
    head: Ints
    rate: Floats
    switch: Flags
    forwards: Flags
    planes: int


def _graph(fabric: Fabric, damage: Damage | None) -> _Graph:
    ends = fabric.ports["node"].astype(np.int64)
    a, b = ends[fabric.links["port_a"]], ends[fabric.links["port_b"]]
    tail, head = np.concatenate([a, b]), np.concatenate([b, a])
    switch = fabric.nodes["kind"] == SWITCH
    forwards = switch | _hosts_must_forward(switch, tail, head)
    full = fabric.links["gbps"].astype(np.float64)
    if damage is None:
        return _Graph(fabric.n_hosts, tail, head, np.tile(full, 2), switch, forwards, fabric.planes)
    left, count = np.unique(damage.link_rate, axis=0, return_counts=True)
    if len(left) == 1:
        return _Graph(fabric.n_hosts, tail, head, np.tile(full * left[0], 2), switch, forwards, fabric.planes)
    return _side_by_side(fabric.n_hosts, tail, head, np.tile(full * left * count[:, None], (1, 2)), switch, forwards)


def _side_by_side(n_hosts: int, tail: Ints, head: Ints, rates: Floats, switch: Flags, forwards: Flags) -> _Graph:
    """Join planes, rates [planes, arcs], in their hosts.

    Forwarding hosts get a node in each plane behind the one they send and receive at.
    """
    n, hosts = len(switch), np.arange(n_hosts)
    transit = bool(forwards[:n_hosts].any())
    start = n_hosts if transit else 0  # copies begin behind the hosts; or only switches are copied
    copies = [np.where(switch | transit, start + k * (n - n_hosts + start) + np.arange(n), np.arange(n))
              for k in range(len(rates))]  # fmt: skip
    parts = [(c[tail], c[head], r) for c, r in zip(copies, rates, strict=True)]
    if transit:
        for c, r in zip(copies, rates, strict=True):
            width = np.bincount(tail, r, n)[:n_hosts]
            parts += [(hosts, c[:n_hosts], width), (c[:n_hosts], hosts, width)]
    total = n_hosts + len(rates) * (n - n_hosts + start)
    is_switch, passes = np.zeros(total, bool), np.zeros(total, bool)
    for c in copies:
        is_switch[c[n_hosts:]] = True
        passes[c] = forwards
    passes[:n_hosts] = False
    columns = [np.concatenate(p) for p in zip(*parts, strict=True)]
    return _Graph(n_hosts, columns[0], columns[1], columns[2], is_switch, passes, 1)


def _fold(graph: _Graph) -> tuple[Flags, Ints, Floats]:
    """Return the nodes to keep, the node of each host, and the access rate of folded hosts."""
    used = graph.rate > 0
    tail, head, n = graph.tail[used], graph.head[used], graph.n_hosts
    lowest, highest = np.full(len(graph.switch), len(graph.switch)), np.full(len(graph.switch), -1)
    np.minimum.at(lowest, tail, head)
    np.maximum.at(highest, tail, head)
    folded = (lowest[:n] == highest[:n]) & graph.switch[np.maximum(highest[:n], 0)]
    access = np.where(folded, np.bincount(graph.tail, graph.rate, len(graph.switch))[:n], np.inf)
    keep = np.ones(len(graph.switch), bool)
    keep[:n] = ~folded
    return keep, np.where(folded, highest[:n], np.arange(n)), access


def _merge(tail: Ints, head: Ints, rate: Floats) -> tuple[Ints, Ints, Floats]:
    """Sort arcs by (tail, head) and add up parallel ones."""
    n = int(max(tail.max(initial=0), head.max(initial=0))) + 1
    keys, index = np.unique(tail * n + head, return_inverse=True)
    return keys // n, keys % n, np.bincount(index, rate, len(keys)).astype(np.float64)


def _hosts_must_forward(switch: Flags, tail: Ints, head: Ints) -> bool:
    """Tell whether hosts of one connected part do not all touch one common connected part of the switches."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    def parts(use: Flags) -> Ints:
        links = coo_array((np.ones(int(use.sum()), np.int8), (tail[use], head[use])), (len(switch),) * 2)
        label: Ints = connected_components(links, directed=False)[1].astype(np.int64)
        return label

    if np.any(~switch[tail] & ~switch[head]):
        return True
    whole, among_switches = parts(np.ones(len(tail), bool)), parts(switch[tail] & switch[head])
    up = ~switch[tail]
    touches = np.unique(np.stack([whole[tail[up]], among_switches[head[up]], tail[up]], axis=1), axis=0)
    pairs, hosts = np.unique(touches[:, :2], axis=0, return_counts=True)
    most = np.zeros(len(switch), np.int64)
    np.maximum.at(most, pairs[:, 0], hosts)
    members = np.bincount(whole[np.unique(tail[up])], minlength=len(switch))
    return bool(np.any(most < members))
