"""Natural cuts of a fabric: the bandwidth in and out of every chassis, leaf and group of hosts.

A set of hosts is joined by every switch that leads downwards only to them. What leaves such a set is a
cut, so it bounds what jobs spanning its border can exchange, whatever the routing. Bandwidths are over
all planes and given in injections: multiples of one undamaged host's scale-out bandwidth.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from topologies.chassis import chassis
from topologies.fabric import LINK_CLASSES, Fabric
from topologies.failures import Damage

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Partition:
    """Hosts dealt into sets: `label` [n_hosts], what leaves each set, `capacity` [sets], in injections.

    `parent` [sets]: a job spans the border of a set when it has hosts in another set of the same parent.
    """

    name: str
    label: Ints
    capacity: Floats
    parent: Ints

    def crossed(self, hosts: Ints) -> Ints:
        """Return the sets whose border a job on `hosts` spans."""
        mine = np.unique(self.label[hosts])
        _, which, count = np.unique(self.parent[mine], return_inverse=True, return_counts=True)
        found: Ints = mine[count[which] > 1]
        return found


@dataclass(frozen=True, eq=False)
class Cuts:
    """Bandwidths in injections: of every host's own ports [n_hosts], and out of the sets of each partition."""

    host: Floats
    partitions: tuple[Partition, ...]


@dataclass(frozen=True, eq=False)
class Border:
    """A partition's sets seen from the links: the sets [n_links] that each link leaves at its ends, -1 for none."""

    name: str
    label: Ints
    at_a: Ints
    at_b: Ints

    def __len__(self) -> int:
        """Sets of the partition."""
        return int(self.label.max()) + 1

    def sums(self, values: Floats) -> Floats:
        """Return the sum of link values [n_links] over what leaves each set."""
        total = np.zeros(len(self))
        for at in (self.at_a, self.at_b):
            total += np.bincount(at[at >= 0], values[at >= 0], minlength=len(self))
        return total


class CutModel:
    """The cuts of one fabric, to be asked for their bandwidths with all links or with what damage has left."""

    def __init__(self, fabric: Fabric) -> None:
        """Find the borders: every host's own ports, and partitions all of whose sets can be left."""
        self.fabric = fabric
        self.gbps = fabric.links["gbps"] * float(fabric.planes)
        every = np.arange(fabric.n_hosts)
        self.host = Border("host", every, *_host_ends(fabric))
        self.unit_gbps = fabric.injection_gbps
        found = [Border(name, label, *_leaving_ends(fabric, label)) for name, label in partitions_of_hosts(fabric)]
        self.borders = [b for b in found if (b.sums(self.gbps) > 0).all()]

    @cached_property
    def undamaged(self) -> Cuts:
        """The cuts with all links."""
        return self._cuts(self.gbps)

    def after(self, damage: Damage) -> Cuts:
        """Return the cuts of what damage has left."""
        return self._cuts(self.fabric.links["gbps"] * damage.link_rate.sum(axis=0))

    def _cuts(self, gbps: Floats) -> Cuts:
        partitions = []
        for border in self.borders:
            capacity = border.sums(gbps) / self.unit_gbps
            partitions.append(Partition(border.name, border.label, capacity, np.zeros(len(border), np.int64)))
        return Cuts(self.host.sums(gbps) / self.unit_gbps, tuple(partitions))


def partitions_of_hosts(fabric: Fabric) -> Iterator[tuple[str, Ints]]:
    """Yield (name, label [n_hosts]) of the partitions with more than one set of more than one host, finest first."""
    found: list[Ints] = []
    labels = {"chassis": chassis(fabric), "leaf": _leaf_of_host(fabric), "group": _group_of_host(fabric)}
    for name, label in labels.items():
        if label is None:
            continue
        sets = np.unique(label, return_inverse=True)[1].astype(np.int64)
        several = 1 < sets.max(initial=0) + 1 < fabric.n_hosts
        if several and not any(np.array_equal(sets, other) for other in found):
            found.append(sets)
            yield name, sets


def _leaf_of_host(fabric: Fabric) -> Ints | None:
    """Return the one switch that all scale-out ports of each host of a plane lead to; None if some have more."""
    out = _scale_out_ports(fabric)
    peer = fabric.ports["node"][fabric.ports["peer"][out]].astype(np.int64)
    host = fabric.ports["node"][out]
    low, high = np.full(fabric.n_hosts, len(fabric.nodes)), np.full(fabric.n_hosts, -1)
    np.minimum.at(low, host, peer)
    np.maximum.at(high, host, peer)
    return low if (low == high).all() and (low >= fabric.n_hosts).all() else None


def _group_of_host(fabric: Fabric) -> Ints | None:
    group = fabric.nodes["group"][: fabric.n_hosts].astype(np.int64)
    return group if (group >= 0).all() else None


def _scale_out_links(fabric: Fabric) -> NDArray[np.bool_]:
    """Tell which links are not those of an island, [n_links]; all of them in a fabric that has no others."""
    outside = fabric.links["kind"] != LINK_CLASSES.index("nvlink")
    return outside if outside.any() else ~outside


def _scale_out_ports(fabric: Fabric) -> Ints:
    """Return the ports of hosts that lead out of islands."""
    return np.flatnonzero((fabric.ports["node"] < fabric.n_hosts) & _scale_out_links(fabric)[fabric.ports["link"]])


def _host_ends(fabric: Fabric) -> tuple[Ints, Ints]:
    """Return the host at each end of each scale-out link, [n_links], -1 where there is none."""
    outside = _scale_out_links(fabric)
    a, b = (fabric.ports["node"][fabric.links[end]].astype(np.int64) for end in ("port_a", "port_b"))
    return np.where((a < fabric.n_hosts) & outside, a, -1), np.where((b < fabric.n_hosts) & outside, b, -1)


def _leaving_ends(fabric: Fabric, label: Ints) -> tuple[Ints, Ints]:
    """Return the set that each link leaves at its ends, [n_links], -1 where it leaves none."""
    nodes = _join_switches(fabric, label)
    a, b = (nodes[fabric.ports["node"][fabric.links[end]]] for end in ("port_a", "port_b"))
    return np.where(a != b, a, -1), np.where(a != b, b, -1)


def _join_switches(fabric: Fabric, label: Ints) -> Ints:
    """Return the set of every node [n_nodes]: a switch joins the one set that all nodes below it are in, else -1."""
    nodes = np.full(len(fabric.nodes), -1, np.int64)
    nodes[: fabric.n_hosts] = label
    level = fabric.nodes["level"]
    node, peer = fabric.ports["node"], fabric.ports["node"][fabric.ports["peer"]]
    for current in np.unique(level[fabric.n_hosts :]):
        down = (level[node] == current) & (level[peer] < current) & (node >= fabric.n_hosts)
        low = np.full(len(nodes), np.iinfo(np.int64).max)
        high = np.full(len(nodes), -1, np.int64)
        np.minimum.at(low, node[down], nodes[peer[down]])
        np.maximum.at(high, node[down], nodes[peer[down]])
        whole = np.flatnonzero(low == high)
        nodes[whole] = high[whole]
    return nodes
