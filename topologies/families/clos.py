"""`clos`: a tree whose every count is free: tapers, planes, rates and switch parts differ from level to level.

leaves = ceil(hosts / down), each with `up` up-links, dealt round-robin to `spines`. With `cores` there are
pods of `pod_leaves` leaves and `spines` spines, and every spine has `spine_up` up-links, in bundles to the
cores / spines cores that serve its place in the pods. So a tree is even, every leaf having as many links to
each spine as the others, where `spines` divides `up`.
Every leaf is bought fully cabled: leaves * down copper cables; all links above are optical cables.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from pydantic import Field, model_validator

from topologies.fabric import Fabric, FabricBuilder, Order, total_cables
from topologies.families.base import FamilyModel, ceil_div, spec_text
from topologies.routing.up_down_tables import tree_routes
from topologies.trees import Tree, TreeNodes, wire_above

_PART = "part of the catalogue; default: the cheapest that fits"


class Parameters(FamilyModel):
    """Keys of `clos`."""

    hosts: int = Field(ge=1, description="accelerators")
    down: int = Field(ge=1, description="leaf ports to hosts")
    up: int = Field(0, ge=0, description="up-links of a leaf; 0: a single leaf")
    spines: int = Field(0, ge=0, description="spines; of one pod, if there are cores")
    pod_leaves: int = Field(0, ge=0, description="leaves of a pod, if there are cores")
    spine_up: int = Field(0, ge=0, description="up-links of a spine, if there are cores")
    cores: int = Field(0, ge=0, description="cores, equally many for each place of a spine in its pod")
    up_gbps: float | None = Field(None, gt=0, description="rate of the links between switches; default: gbps")
    leaf_switch: str = Field("", description=f"leaves: {_PART}")
    spine_switch: str = Field("", description=f"spines: {_PART}")
    core_switch: str = Field("", description=f"cores: {_PART}")

    @property
    def leaves(self) -> int:
        """Leaves of one plane."""
        return ceil_div(self.hosts, self.down)

    @property
    def levels(self) -> int:
        """Levels of switches."""
        return 1 + bool(self.spines) + bool(self.cores)

    @model_validator(mode="after")
    def _rules(self) -> Parameters:
        if (self.leaves > 1 or self.spines) and not (self.up and self.spines):
            raise ValueError(f"{self.leaves} leaves need both up and spines, not up={self.up},spines={self.spines}")
        three = (self.pod_leaves, self.spine_up, self.cores)
        if any(three) and not (all(three) and self.spines):
            raise ValueError("a level of cores needs all of spines, pod_leaves, spine_up and cores; set them or none")
        if self.cores and (self.cores % self.spines or self.spine_up * self.spines % self.cores):
            raise ValueError(
                f"cores={self.cores} must be a multiple of spines={self.spines}, and cores / spines divide "
                f"spine_up={self.spine_up}; nearest: cores={self.spines * self.spine_up}"
            )
        if self.cores and self.up % self.spines:
            raise ValueError(
                f"up={self.up} must be a multiple of spines={self.spines} below cores; "
                f"nearest: up={ceil_div(self.up, self.spines) * self.spines}"
            )
        return self


def shape(p: Parameters) -> Tree:
    """Return the tree of one plane."""
    if not p.cores:
        return Tree(p.leaves, p.up, p.leaves, p.spines, p.spines)
    pods = ceil_div(p.leaves, p.pod_leaves)
    bundle = p.spine_up * p.spines // p.cores
    return Tree(
        p.leaves, p.up, p.pod_leaves, p.spines, pods * p.spines, p.cores, bundle=bundle, spine_up=p.spine_up
    )  # fmt: skip


def build(p: Parameters) -> Fabric:
    """Return the tree; hosts fill the leaves in order. Group = leaf or, if there are cores, pod."""
    tree = shape(p)
    host_leaf = np.arange(p.hosts) // p.down
    groups = tree.leaf_pod if tree.cores else np.arange(tree.leaves)
    graph = FabricBuilder(p.hosts, groups[host_leaf])
    leaf = graph.switches("leaf", tree.leaves, 1, groups)
    graph.links(leaf[host_leaf], np.arange(p.hosts), "dac", p.gbps, p.latency_ns)
    rate = (p.up_gbps or p.gbps, p.latency_ns)
    at = TreeNodes(np.arange(p.hosts), host_leaf, wire_above(graph, tree, leaf, [rate, rate]))
    return graph.build(
        spec_text("clos", p), "clos", p.planes, order(p), partial(tree_routes, tree, (at,)),
        p.switch_latency_ns, p.model_dump(),
    )  # fmt: skip


def order(p: Parameters) -> Order:
    """Return what is bought over all planes."""
    tree = shape(p)
    cables = [("dac", tree.leaves * p.down), ("aoc", tree.leaves * tree.up + tree.spines * tree.spine_up)]
    parts = {"leaf": p.leaf_switch, "agg" if tree.cores else "spine": p.spine_switch, "core": p.core_switch}
    return Order((tree.leaves + tree.spines + tree.cores) * p.planes, total_cables(cables, p.planes), parts)
