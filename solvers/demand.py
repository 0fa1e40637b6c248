"""`Demand`: who sends how much to whom, compressed so that uniform demands take no quadratic space.

A demand is a set of destination lists (node, weight); a source node uses some of them, each with a
factor. The rate from node s to node v is the sum over the lists L of s of factor(s, L) * weight(L, v),
in Gb/s of one plane, for v != s: what stays below one switch needs no network. All demands here ask for
full injection of every host that sends, so a concurrent flow of value theta gives each of them the
fraction theta of its injection.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from solvers.network import Floats, Ints, Network
from uet.base.errors import BadInput


@dataclass(frozen=True, eq=False)
class Demand:
    """Lists used by node s: `used[first_used[s] : first_used[s + 1]]` with `factor`; members of list L:
    `member[first_member[L] : first_member[L + 1]]` with `weight` [Gb/s].
    """

    first_used: Ints
    used: Ints
    factor: Floats
    first_member: Ints
    member: Ints
    weight: Floats

    @property
    def sources(self) -> Ints:
        """Nodes that send."""
        return np.flatnonzero(np.diff(self.first_used)).astype(np.int64)

    @property
    def n_lists(self) -> int:
        """Destination lists."""
        return len(self.first_member) - 1

    @cached_property
    def sent(self) -> Floats:
        """Gb/s that each node sends to others, shape [n_nodes]."""
        n = len(self.first_used) - 1
        lists = np.repeat(np.arange(self.n_lists), np.diff(self.first_member))
        whole = np.bincount(lists, self.weight, self.n_lists)
        user = np.repeat(np.arange(n), np.diff(self.first_used))
        own = np.searchsorted(lists * n + self.member, self.used * n + user)  # members of a list are sorted
        own = np.minimum(own, len(self.member) - 1)
        mine = np.where((self.member[own] == user) & (lists[own] == self.used), self.weight[own], 0.0)
        return np.bincount(user, self.factor * (whole[self.used] - mine), n).astype(np.float64)

    def row(self, source: int) -> Floats:
        """Return the Gb/s that `source` sends to every node, shape [n_nodes]."""
        out = np.zeros(len(self.first_used) - 1)
        for k in range(self.first_used[source], self.first_used[source + 1]):
            span = slice(self.first_member[self.used[k]], self.first_member[self.used[k] + 1])
            np.add.at(out, self.member[span], self.factor[k] * self.weight[span])
        out[source] = 0
        return out


def alltoall(network: Network, job_of_host: ArrayLike = 0) -> Demand:
    """Return uniform alltoall inside each job; `job_of_host` is one label per host, negative for idle.

    A host of a job of k > 1 hosts sends injection / (k - 1) to each other member; failed hosts have none.
    """
    job = np.broadcast_to(np.asarray(job_of_host, np.int64), network.n_hosts)
    busy = np.flatnonzero((job >= 0) & network.alive)
    labels, label = np.unique(job[busy], return_inverse=True)
    size = np.bincount(label, minlength=len(labels))
    keys, counts = np.unique(label * network.n_nodes + network.node_of_host[busy], return_counts=True)
    lists, nodes = keys // network.n_nodes, keys % network.n_nodes
    spread = np.bincount(lists, minlength=len(labels)) > 1  # a job below one switch asks nothing of the network
    keep = spread[lists]
    lists, nodes, counts = (np.cumsum(spread) - 1)[lists[keep]], nodes[keep], counts[keep]
    rate = network.injection_gbps / np.maximum(size[spread] - 1, 1)
    by_node = np.argsort(nodes, kind="stable")
    return Demand(
        np.searchsorted(nodes[by_node], np.arange(network.n_nodes + 1)).astype(np.int64),
        lists[by_node],
        counts[by_node].astype(np.float64),
        np.searchsorted(lists, np.arange(int(spread.sum()) + 1)).astype(np.int64),
        nodes,
        counts * rate[lists],
    )


def pairs(network: Network, source: ArrayLike, destination: ArrayLike, share: ArrayLike = 1.0) -> Demand:
    """Return a demand of `share` injections from each host source[i] to host destination[i].

    Raises BadInput when a host number is out of range.
    """
    ends = np.stack([np.asarray(source, np.int64), np.asarray(destination, np.int64)])
    if ends.size and (ends.min() < 0 or ends.max() >= network.n_hosts):
        raise BadInput(f"a pair names a host outside 0..{network.n_hosts - 1}; name accelerators of the fabric")
    shares = np.broadcast_to(np.asarray(share, np.float64), ends.shape[1])
    a, b = network.node_of_host[ends]
    apart = a != b
    keys, which = np.unique((a * network.n_nodes + b)[apart], return_inverse=True)
    tails, members = keys // network.n_nodes, keys % network.n_nodes
    nodes, first = np.unique(tails, return_index=True)
    uses: NDArray[np.bool_] = np.isin(np.arange(network.n_nodes), nodes)
    return Demand(
        np.concatenate([[0], np.cumsum(uses)]).astype(np.int64),
        np.arange(len(nodes)),
        np.ones(len(nodes)),
        np.append(first, len(members)).astype(np.int64),
        members,
        np.bincount(which, shares[apart] * network.injection_gbps, len(keys)).astype(np.float64),
    )


def between_groups(network: Network, group_of_host: ArrayLike, gbps: Floats) -> Demand:
    """Return the demand of gbps[a, b] Gb/s over all planes from group a of hosts to group b, evenly among members.

    `group_of_host` is one number per host, negative for idle.
    """
    group = np.asarray(group_of_host, np.int64)
    hosts = np.flatnonzero(group >= 0)
    n, count = network.n_nodes, len(gbps)
    keys, members = np.unique(group[hosts] * n + network.node_of_host[hosts], return_counts=True)
    lists, nodes = keys // n, keys % n
    share = members / np.bincount(group[hosts], minlength=count)[lists]
    sending = np.zeros((n, count))
    np.add.at(sending, nodes, share[:, None] * gbps[lists] / network.planes)
    first = np.searchsorted(lists, np.arange(count + 1)).astype(np.int64)
    alone = np.flatnonzero(np.diff(first) == 1)
    sending[nodes[first[alone]], alone] = 0.0  # a group below one switch asks its own switch for nothing
    node, used = np.nonzero(sending)
    return Demand(
        np.searchsorted(node, np.arange(n + 1)).astype(np.int64),
        used,
        sending[node, used],
        first,
        nodes,
        share,
    )
