"""What the families of directly linked routers have in common: hosts on each router, links between them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from topologies.fabric import LINK_CLASSES, Fabric, FabricBuilder, Order, RoutePlan, total_cables
from topologies.families.base import RouterModel, spec_text
from topologies.routing.table_build import table_routes

Ints = NDArray[np.int64]
Kinds = str | NDArray[np.uint8]


def router_fabric(
    family: str,
    p: RouterModel,
    hosts_per_router: int,
    links: tuple[Ints, Ints],
    ports_needed: int,
    *,
    n_routers: int,
    kind: Kinds = "aoc",
    group: ArrayLike = -1,
    boxes: int | None = None,
    plan: RoutePlan = table_routes,
) -> Fabric:
    """Return a fabric of routers: host h hangs on router h // hosts_per_router, `links` join routers.

    A router's first ports lead to its hosts, then come its links in their order. `kind` is the class of
    all links or one index into LINK_CLASSES each; hosts hang on copper. `boxes` physical switches are
    bought per plane, one per router if None.
    """
    n_hosts = hosts_per_router * n_routers
    home = np.arange(n_hosts) // hosts_per_router
    groups = np.broadcast_to(np.asarray(group), n_routers)
    graph = FabricBuilder(n_hosts, groups[home])
    router = graph.switches("router", n_routers, 1, groups)
    graph.links(np.arange(n_hosts), router[home], "dac", p.gbps, p.latency_ns)
    graph.links(router[links[0]], router[links[1]], kind, p.gbps, p.latency_ns)
    counts = {"dac": n_hosts * p.planes}
    used = np.full(len(links[0]), LINK_CLASSES.index(kind)) if isinstance(kind, str) else kind
    for index, count in zip(*np.unique(used, return_counts=True), strict=True):
        if LINK_CLASSES[index] != "trace":
            counts[LINK_CLASSES[index]] = counts.get(LINK_CLASSES[index], 0) + int(count) * p.planes
    return graph.build(
        spec_text(family, p), family, p.planes, Order((boxes or n_routers) * p.planes, counts), plan,
        p.switch_latency_ns, p.model_dump() | {"radix": p.ports(ports_needed)},
    )  # fmt: skip


def router_order(routers: int, hosts_per_router: int, links: int, planes: int) -> Order:
    """Return what is bought over all planes for routers in boxes of their own with optical links."""
    return Order(routers * planes, total_cables([("dac", routers * hosts_per_router), ("aoc", links)], planes))
