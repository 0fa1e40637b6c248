"""`rail`: rail-optimised tree: leaf r of a segment serves GPU r of every server of the segment.

gpus / rails servers, `down` servers to a segment and `rails` leaves for each; above the leaves a tree of
two or three levels as in `fat-tree`: spines = ceil(U / radix), or ceil(U / (radix/2)) and ceil(U / radix)
cores, U = leaves * up up-links. GPU r of server s is host s * rails + r. Two hosts of one rail and segment
are 2 links apart, others of the segment 4. Group = segment. Sources: NVIDIA DGX SuperPOD reference
architecture; Wang et al., Rail-only (arXiv 2307.12169), section 2.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from pydantic import Field, model_validator

from topologies.fabric import Fabric, FabricBuilder, Order, total_cables
from topologies.families.base import FamilyModel, SwitchedModel, ceil_div, spec_text
from topologies.halving import Halving, tree_halving
from topologies.routing.up_down_tables import tree_routes
from topologies.trees import Tree, TreeNodes, clos, most_leaves, wire_above


class Parameters(SwitchedModel):
    """Keys of `rail`."""

    gpus: int = Field(ge=1, description="accelerators, a multiple of rails")
    rails: int = Field(8, ge=1, description="accelerators of a server, each on its own rail")
    levels: int = Field(2, ge=2, le=3, description="levels of switches")
    spines: int | None = Field(None, ge=1, description="switches of the second of two levels; default: just enough")

    @property
    def down(self) -> int:
        """Leaf ports to servers; as many lead up."""
        return self.radix // 2

    @property
    def leaves(self) -> int:
        """Leaves, `rails` for each segment."""
        return ceil_div(self.gpus // self.rails, self.down) * self.rails

    @model_validator(mode="after")
    def _rules(self) -> Parameters:
        check_servers(self.gpus, self.rails)
        if self.radix % 2:
            raise ValueError(f"radix={self.radix} must be even; nearest: {self.radix - 1} or {self.radix + 1}")
        most = most_leaves(self.radix, self.levels) // self.rails * self.rails * self.down
        if self.gpus > most:
            deeper = "levels=3" if self.levels == 2 else "a higher radix"
            raise ValueError(
                f"gpus={self.gpus} is more than the {most} that these levels join; nearest: gpus={most} or {deeper}"
            )
        least = ceil_div(self.leaves * self.down, self.radix)
        if self.spines is not None and (self.levels != 2 or not least <= self.spines <= self.down):
            raise ValueError(
                f"spines={self.spines} must be {least} to {self.down} on levels=2, so that every leaf reaches each"
            )
        return self


def check_servers(gpus: int, rails: int) -> None:
    """Raise ValueError unless the GPUs fill whole servers."""
    if gpus % rails:
        near = " or ".join(str(n) for n in (gpus // rails * rails, ceil_div(gpus, rails) * rails) if n)
        raise ValueError(f"gpus={gpus} must be a multiple of rails={rails}; nearest: gpus={near}")


def shape(p: Parameters) -> Tree:
    """Return the tree of one plane."""
    if p.spines is not None:
        return Tree(p.leaves, p.down, p.leaves, p.spines, p.spines)
    return clos(p.leaves, p.down, p.radix, p.levels)


def tree_order(tree: Tree, gpus: int, planes: int) -> Order:
    """Return what is bought over all planes for a tree over rails."""
    ups = len(tree.leaf_links[0]) + len(tree.spine_links[0])
    switches = (tree.leaves + tree.spines + tree.cores) * planes
    return Order(switches, total_cables([("dac", gpus), ("aoc", ups)], planes))


def order(p: Parameters) -> Order:
    """Return what is bought over all planes."""
    return tree_order(shape(p), p.gpus, p.planes)


def build(p: Parameters) -> Fabric:
    """Return the rail-optimised tree."""
    return rail_fabric("rail", p, p.gpus, p.rails, p.down, shape(p), p.gbps)


def rail_fabric(family: str, p: FamilyModel, gpus: int, rails: int, down: int, tree: Tree, host_gbps: float) -> Fabric:
    """Return a tree over rails with `down` servers to a segment; host links of `host_gbps`, others of gbps."""
    server, rail = np.divmod(np.arange(gpus), rails)
    segment = server // down
    host_leaf = segment * rails + rail
    graph = FabricBuilder(gpus, segment)
    leaf = graph.switches("leaf", tree.leaves, 1, np.arange(tree.leaves) // rails)
    graph.links(leaf[host_leaf], np.arange(gpus), "dac", host_gbps, p.latency_ns)
    at = TreeNodes(np.arange(gpus), host_leaf, wire_above(graph, tree, leaf, [(p.gbps, p.latency_ns)] * 2))
    return graph.build(
        spec_text(family, p), family, p.planes, tree_order(tree, gpus, p.planes), partial(tree_routes, tree, (at,)),
        p.switch_latency_ns, p.model_dump(),
    )  # fmt: skip


def halving(fabric: Fabric) -> Halving | None:
    """Return the bounds on what two halves exchange."""
    p = Parameters.model_validate(dict(fabric.parameters))
    return tree_halving(shape(p), p.gpus, p.down, 1.0)
