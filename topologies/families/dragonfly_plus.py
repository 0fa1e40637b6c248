"""`dragonfly-plus`: groups that are two-level trees, and links between the spines of all groups.

g groups (default spines h + 1) of `leaves` leaves with p hosts, each linked to every one of the group's
`spines`, which have h global links: leaves p g hosts, g leaves spines links inside groups and
floor(g spines h / 2) between them, dealt round-robin over the pairs of groups. Two hosts are at most 5
links apart. Hosts hang on copper, all else is optical. Group = group; global port k of a group sits on
its spine k // h.
Source: Shpiner et al., Dragonfly+, HiPINEB 2017.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from pydantic import Field, model_validator

from topologies.fabric import Fabric, FabricBuilder, Order, total_cables
from topologies.families.base import RouterModel, spec_text
from topologies.groups import deal
from topologies.routing.dragonfly_tables import dragonfly_plus_routes


class Parameters(RouterModel):
    """Keys of `dragonfly-plus`."""

    p: int = Field(ge=1, description="hosts of a leaf")
    leaves: int = Field(ge=1, description="leaves of a group")
    spines: int = Field(ge=1, description="spines of a group")
    h: int = Field(ge=1, description="links of a spine to other groups")
    g: int | None = Field(None, ge=1, description="groups; default: spines * h + 1, one link between every two")

    @property
    def groups(self) -> int:
        """Groups."""
        return self.g or self.spines * self.h + 1

    @property
    def ports_needed(self) -> int:
        """Ports of the larger of leaf and spine."""
        return max(self.p + self.spines, self.leaves + self.h)

    @model_validator(mode="after")
    def _rules(self) -> Parameters:
        most = self.spines * self.h + 1
        if self.groups > most:
            raise ValueError(
                f"g={self.g} groups need a link to each other, but spines * h + 1 = {most}; nearest: g={most}"
            )
        self.ports(self.ports_needed)
        return self


def order(p: Parameters) -> Order:
    """Return what is bought over all planes."""
    inside = p.groups * p.leaves * p.spines
    between = p.groups * p.spines * p.h // 2 if p.groups > 1 else 0
    cables = [("dac", p.groups * p.leaves * p.p), ("aoc", inside + between)]
    return Order(p.groups * (p.leaves + p.spines) * p.planes, total_cables(cables, p.planes))


def build(p: Parameters) -> Fabric:
    """Return the Dragonfly+; a leaf's ports lead to hosts and spines, a spine's to leaves and other groups."""
    n_leaves, n_spines = p.leaves * p.groups, p.spines * p.groups
    home = np.arange(n_leaves * p.p) // p.p
    graph = FabricBuilder(len(home), home // p.leaves)
    leaf = graph.switches("leaf", n_leaves, 1, np.arange(n_leaves) // p.leaves)
    spine = graph.switches("spine", n_spines, 2, np.arange(n_spines) // p.spines)
    graph.links(np.arange(len(home)), leaf[home], "dac", p.gbps, p.latency_ns)
    low = np.repeat(np.arange(n_leaves), p.spines)
    high = low // p.leaves * p.spines + np.tile(np.arange(p.spines), n_leaves)
    graph.links(leaf[low], spine[high], "aoc", p.gbps, p.latency_ns)
    between = deal(p.groups, p.spines * p.h)
    one = spine[between.near * p.spines + between.near_port // p.h]
    two = spine[between.far * p.spines + between.far_port // p.h]
    graph.links(one, two, "aoc", p.gbps, p.latency_ns, (between.near_port, between.far_port))
    return graph.build(
        spec_text("dragonfly-plus", p), "dragonfly-plus", p.planes, order(p),
        partial(dragonfly_plus_routes, p.p, p.leaves, p.spines, p.h, between), p.switch_latency_ns,
        p.model_dump() | {"radix": p.ports(p.ports_needed)},
    )  # fmt: skip
