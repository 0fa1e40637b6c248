"""The devices of hosts: a NIC with the scale-out ports and, on islands, one with the island's links.

Each is an endpoint of the engine with its own connections and its own turn to send, so that a slow
port never holds up a fast one. Endpoint h is the NIC of host h, n_hosts + h its device on the island;
hosts whose links are all of one kind have the first only, with all their ports.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emulation.packet.state import HOST
from topologies.chassis import chassis
from topologies.fabric import LINK_CLASSES, Fabric
from uet.base.tables import Records

Ints = NDArray[np.int64]


class Devices:
    """The endpoints of a fabric: one per host, or two where hosts have island links beside others."""

    def __init__(self, fabric: Fabric) -> None:
        """Find the ports that lead into islands; they are the last ones of every host."""
        self.n_hosts = fabric.n_hosts
        self._first = fabric.nodes["first_port"][: self.n_hosts].astype(np.int64)
        self._count = fabric.nodes["n_ports"][: self.n_hosts].astype(np.int64)
        self._node = fabric.ports["node"].astype(np.int64)
        island_link = fabric.links["kind"] == LINK_CLASSES.index("nvlink")
        self._inside = island_link[fabric.ports["link"]] & (self._node < self.n_hosts)
        inside = np.bincount(self._node[self._inside], minlength=self.n_hosts)[: self.n_hosts]
        self.two = bool(((inside > 0) & (inside < self._count)).any())
        self._islands = inside if self.two else np.zeros_like(inside)
        self._chassis = chassis(fabric) if self.two else None

    @property
    def n_endpoints(self) -> int:
        """Endpoints of the engine."""
        return self.n_hosts * (1 + self.two)

    def rows(self) -> Records:
        """Return the host table: node, ports and other device of every endpoint."""
        rows, hosts = HOST.zeros(self.n_endpoints), np.arange(self.n_hosts)
        nic, outside = rows[: self.n_hosts], self._count - self._islands
        nic["node"], nic["first_port"], nic["n_ports"], nic["other"] = hosts, self._first, outside, -1
        if self.two:
            island = rows[self.n_hosts :]
            nic["other"] = hosts + self.n_hosts
            island["node"], island["first_port"], island["n_ports"] = hosts, self._first + outside, self._islands
            island["other"] = hosts
        return rows

    def owners(self) -> Ints:
        """Return the endpoint that every port belongs to, [n_ports], -1 for those of switches."""
        owner = np.where(self._node < self.n_hosts, self._node, -1)
        return owner + self.n_hosts * self._inside if self.two else owner

    def of_pairs(self, source: Ints, target: Ints) -> tuple[Ints, Ints]:
        """Return the endpoints that carry messages between hosts: those on the island where it has both."""
        if self._chassis is None:
            return source, target
        shift = self.n_hosts * (self._chassis[source] == self._chassis[target])
        return source + shift, target + shift
