"""Islands: hosts joined by NVLink switches of their own, beside a scale-out network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from topologies.fabric import FabricBuilder, RoutePlan
from topologies.routes import ROUTE_NODE, WORD, Routes
from uet.base.tables import Records

Ints = NDArray[np.int64]
ISLAND_LEVEL = 4
ALONE_SENTENCE = "packets leave a host once and arrive over one switch"
BESIDE_SENTENCE = "island and scale-out links are never on one path; the tree's paths go up and then down"
RAILS_SENTENCE = "island links behind a rail have a channel of their own; before them come island, up, down"


@dataclass(frozen=True)
class Islands:
    """Islands of `size` hosts in a row, `switches` NVLink switches each with one link to every host."""

    hosts: int
    size: int
    switches: int = 1

    def add(self, graph: FabricBuilder, gbps: float, latency_ns: float) -> None:
        """Add the switches and links; `gbps` is what a host has into its island in each direction."""
        count = self.hosts // self.size
        island = np.repeat(np.arange(count), self.switches)
        switch = graph.switches("nvswitch", count * self.switches, ISLAND_LEVEL, island).reshape(count, self.switches)
        host = np.arange(self.hosts)
        near = np.repeat(host, self.switches)
        graph.links(near, switch[host // self.size].reshape(-1), "nvlink", gbps / self.switches, latency_ns)


def island_routes(islands: Islands, tree: RoutePlan | None, rails: bool, nodes: Records, ports: Records) -> Routes:
    """Return the `islands` routes of hosts with islands and, unless None, a tree with the rule `up_down`."""
    inner = tree(nodes, ports) if tree else _nothing(islands, nodes)
    rows, words = inner.nodes.copy(), inner.words.copy()
    words["value"][1:3] = islands.switches, rails
    host = np.arange(islands.hosts)
    rows["e"][host], rows["index"][host] = np.divmod(host, islands.size)
    switch = np.flatnonzero(nodes["level"] == ISLAND_LEVEL)
    rows["index"][switch] = np.arange(len(switch)) // islands.switches
    if rails:
        _name_rails(rows, nodes, islands.size)
    sentence = RAILS_SENTENCE if rails else BESIDE_SENTENCE if tree else ALONE_SENTENCE
    return Routes("islands", rows, words, 2 if rails else 1, sentence)


def _nothing(islands: Islands, nodes: Records) -> Routes:
    """Return the tables of a network without links."""
    rows, words = ROUTE_NODE.zeros(len(nodes)), WORD.zeros(3)
    rows["first_port"], rows["level"] = nodes["first_port"], nodes["level"]
    rows["d"][: islands.hosts] = -1
    return Routes("up_down", rows, words, 1, "")


def _name_rails(rows: Records, nodes: Records, rails: int) -> None:
    """Write the rail of every switch; each level has its switches rail after rail."""
    for level, column in ((1, "e"), (2, "index"), (3, "e")):
        at = np.flatnonzero(nodes["level"] == level)
        rows[column][at] = np.arange(len(at)) * rails // max(len(at), 1)
