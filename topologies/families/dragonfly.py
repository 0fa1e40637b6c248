"""`dragonfly`: groups of routers that are all linked to each other, and links between all groups.

g groups (default a h + 1) of a routers with p hosts, a - 1 local and h global links: a p g hosts, g a (a-1)/2
local and floor(g a h / 2) global links, dealt round-robin over the pairs of groups. Router diameter 3.
`routers_per_box` virtual routers of a group share a physical switch; the link inside it is a trace.
Hosts and local links are copper, global links optical. Group = group; global port k of a group sits on
its router k // h.
Sources: Kim, Dally, Scott, Abts, ISCA 2008; boxes as in the cost table of HammingMesh (SC22).
"""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from topologies.fabric import LINK_CLASSES, Fabric, FabricBuilder, Order, total_cables
from topologies.families.base import RouterModel, spec_text
from topologies.groups import deal
from topologies.routing.dragonfly_tables import dragonfly_routes

Ints = NDArray[np.int64]


class Parameters(RouterModel):
    """Keys of `dragonfly`."""

    p: int = Field(ge=1, description="hosts of a router")
    a: int = Field(ge=1, description="routers of a group")
    h: int = Field(ge=1, description="links of a router to other groups")
    g: int | None = Field(None, ge=1, description="groups; default: a * h + 1, one link between every two")
    routers_per_box: int = Field(1, ge=1, description="routers of a group that share a physical switch")

    @property
    def groups(self) -> int:
        """Groups."""
        return self.g or self.a * self.h + 1

    @property
    def ports_needed(self) -> int:
        """Ports of a physical switch outside it."""
        return self.routers_per_box * (self.p + self.a - self.routers_per_box + self.h)

    @model_validator(mode="after")
    def _rules(self) -> Parameters:
        most = self.a * self.h + 1
        if self.groups > most:
            raise ValueError(f"g={self.g} groups need a link to each other, but a * h + 1 = {most}; nearest: g={most}")
        if self.a % self.routers_per_box:
            legal = [n for n in range(1, self.a + 1) if self.a % n == 0]
            near = min(legal, key=lambda n: abs(n - self.routers_per_box))
            raise ValueError(f"routers_per_box={self.routers_per_box} must divide a={self.a}; nearest: {near}")
        self.ports(self.ports_needed)
        return self


def order(p: Parameters) -> Order:
    """Return what is bought over all planes: links inside a box are not."""
    local = p.groups * p.a * (p.a - p.routers_per_box) // 2
    between = p.groups * p.a * p.h // 2 if p.groups > 1 else 0
    cables = [("dac", p.a * p.groups * p.p + local), ("aoc", between)]
    return Order(p.a * p.groups // p.routers_per_box * p.planes, total_cables(cables, p.planes))


def build(p: Parameters) -> Fabric:
    """Return the Dragonfly; a router's ports lead to hosts, to its group in order, and to other groups."""
    n = p.a * p.groups
    home = np.arange(n * p.p) // p.p
    graph = FabricBuilder(n * p.p, home // p.a)
    router = graph.switches("router", n, 1, np.arange(n) // p.a)
    graph.links(np.arange(n * p.p), router[home], "dac", p.gbps, p.latency_ns)
    low, high = np.triu_indices(p.a, 1)
    start = np.arange(0, n, p.a)[:, None]
    boxed = np.tile(low // p.routers_per_box == high // p.routers_per_box, p.groups)
    kind = np.where(boxed, LINK_CLASSES.index("trace"), LINK_CLASSES.index("dac")).astype(np.uint8)
    local = router[(start + low).reshape(-1)], router[(start + high).reshape(-1)]
    graph.links(*local, kind, p.gbps, p.latency_ns)
    between = deal(p.groups, p.a * p.h)
    one = router[between.near * p.a + between.near_port // p.h]
    two = router[between.far * p.a + between.far_port // p.h]
    graph.links(one, two, "aoc", p.gbps, p.latency_ns, (between.near_port, between.far_port))
    return graph.build(
        spec_text("dragonfly", p), "dragonfly", p.planes, order(p),
        partial(dragonfly_routes, p.p, p.a, p.h, between), p.switch_latency_ns,
        p.model_dump() | {"radix": p.ports(p.ports_needed)},
    )  # fmt: skip
