"""`rail-only`: one separate tree per rail, joined only by the NVLink islands of the servers.

gpus / rails servers; each rail is a tree over its GPU of every server, of the fewest levels that carry
them (leaves down radix/2, or radix on a single level) as in `fat-tree`. Packets for another rail pass
the island of the sender's or of the destination's server. GPU r of server s is host s * rails + r.
Group = server. The switches of islands come with the servers and are not in the order.
Source: Wang, Ghobadi et al., Rail-only (arXiv 2307.12169).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from topologies.fabric import Fabric, FabricBuilder, Order, total_cables
from topologies.families.base import SwitchedModel, ceil_div, spec_text
from topologies.families.rail import check_servers
from topologies.islands import Islands, island_routes
from topologies.routing.up_down_tables import tree_routes
from topologies.trees import Tree, TreeNodes, clos, copy_of, most_leaves, wire_above

Ints = NDArray[np.int64]


class Parameters(SwitchedModel):
    """Keys of `rail-only`."""

    gpus: int = Field(ge=1, description="accelerators, a multiple of rails")
    rails: int = Field(8, ge=1, description="accelerators of a server, each on its own rail")
    levels: int | None = Field(None, ge=1, le=3, description="levels of switches of a rail; default: the fewest")
    island_gbps: float = Field(7200, gt=0, description="NVLink rate of an accelerator in each direction, Gb/s")

    @property
    def servers(self) -> int:
        """Servers, the hosts of each rail's tree."""
        return self.gpus // self.rails

    @property
    def depth(self) -> int:
        """Levels, given or the fewest that carry the servers."""
        return self.levels or next((n for n in (1, 2, 3) if self.servers <= self.most_servers(n)), 3)

    def most_servers(self, levels: int) -> int:
        """Servers that a rail of so many levels carries."""
        return most_leaves(self.radix, levels) * self.down(levels)

    def down(self, levels: int) -> int:
        """Leaf ports to servers."""
        return self.radix if levels == 1 else self.radix // 2

    @model_validator(mode="after")
    def _rules(self) -> Parameters:
        check_servers(self.gpus, self.rails)
        if self.radix % 2:
            raise ValueError(f"radix={self.radix} must be even; nearest: {self.radix - 1} or {self.radix + 1}")
        most = self.most_servers(self.depth)
        if self.servers > most:
            raise ValueError(
                f"gpus={self.gpus} is more than the {most * self.rails} that {self.depth} levels per rail carry; "
                f"nearest: gpus={most * self.rails}, more levels or a higher radix"
            )
        return self


def shape(p: Parameters) -> Tree:
    """Return the tree of one rail and plane."""
    down = p.down(p.depth)
    return clos(ceil_div(p.servers, down), down, p.radix, p.depth)


def order(p: Parameters) -> Order:
    """Return what is bought over all planes and rails."""
    tree = shape(p)
    ups = (len(tree.leaf_links[0]) + len(tree.spine_links[0])) * p.rails
    switches = (tree.leaves + tree.spines + tree.cores) * p.rails
    return Order(switches * p.planes, total_cables([("dac", p.gpus), ("aoc", ups)], p.planes))


def build(p: Parameters) -> Fabric:
    """Return the rail-only fabric; leaves, and the switches above, stand rail after rail."""
    down, tree = p.down(p.depth), shape(p)
    server, rail = np.divmod(np.arange(p.gpus), p.rails)
    graph = FabricBuilder(p.gpus, server)
    leaf = graph.switches("leaf", tree.leaves * p.rails, 1, np.repeat(np.arange(p.rails), tree.leaves))
    graph.links(leaf[rail * tree.leaves + server // down], np.arange(p.gpus), "dac", p.gbps, p.latency_ns)
    first = wire_above(graph, tree, leaf, [(p.gbps, p.latency_ns)] * 2, p.rails)
    servers = np.arange(p.servers)
    places = [TreeNodes(servers * p.rails + r, servers // down, copy_of(tree, first, r)) for r in range(p.rails)]
    islands = Islands(p.gpus, p.rails)
    islands.add(graph, p.island_gbps / p.planes, p.latency_ns)
    return graph.build(
        spec_text("rail-only", p), "rail-only", p.planes,
        order(p),
        partial(island_routes, islands, partial(tree_routes, tree, places), True),
        p.switch_latency_ns, p.model_dump(),
    )  # fmt: skip


def symmetries(fabric: Fabric) -> Iterator[Ints]:
    """Yield the rotation of the servers within every leaf, and that of the rails."""
    p = Parameters.model_validate(dict(fabric.parameters))
    numbers = np.arange(len(fabric.nodes))
    down = p.down(p.depth)
    server = np.arange(p.servers)
    start = server // down * down
    turned = start + (server - start + 1) % np.minimum(down, p.servers - start)
    moved = numbers.copy()
    moved[: p.gpus] = (turned[:, None] * p.rails + np.arange(p.rails)).reshape(-1)
    island = len(fabric.nodes) - p.servers
    moved[island:] = island + turned
    yield moved
    rolled = numbers.copy()
    rolled[: p.gpus] = np.roll(numbers[: p.gpus].reshape(-1, p.rails), -1, axis=1).reshape(-1)
    for r in fabric.names[1:-1]:
        rolled[r.first : r.first + r.count] = np.roll(numbers[r.first : r.first + r.count], -r.count // p.rails)
    yield rolled
