"""Small fabrics with known wiring, made by hand, for tests of prices, racks and cables."""

from __future__ import annotations

import numpy as np

from topologies.fabric import Fabric, FabricBuilder, Order
from topologies.routes import ROUTE_NODE, WORD, Routes


def no_routes() -> Routes:
    return Routes("none", ROUTE_NODE.zeros(0), WORD.zeros(0), 1, "nothing is routed")


def star(order: Order, gbps: float = 400, hosts: int = 1024, planes: int = 16, radix: int = 64) -> Fabric:
    """A fabric whose graph is beside the point: hosts in stars of `radix`, with the given order."""
    build = FabricBuilder(hosts)
    switches = build.switches("leaf", -(-hosts // radix), 1)
    build.links(range(hosts), [switches[h // radix] for h in range(hosts)], "dac", gbps, 25)
    return build.build("star", "star", planes, order, no_routes(), parameters={"radix": radix})


def tree(hosts: int, down: int, up: int, planes: int = 1, radix: int = 64) -> Fabric:
    """A two-level tree whose leaves are ordered fully cabled, though the last one may be half empty."""
    build = FabricBuilder(hosts)
    leaves = build.switches("leaf", -(-hosts // down), 1)
    spines = build.switches("spine", -(-len(leaves) * up // radix), 2)
    build.links(range(hosts), leaves[np.arange(hosts) // down], "dac", 400, 25)
    uplinks = np.arange(len(leaves) * up)
    build.links(leaves[uplinks // up], spines[uplinks % len(spines)], "aoc", 400, 100)
    order = Order(
        planes * (len(leaves) + len(spines)),
        {"dac": planes * len(leaves) * down, "aoc": planes * len(uplinks)},
    )
    return build.build(f"tree {hosts}", "tree", planes, order, no_routes(), parameters={"radix": radix})


def shared_boxes(lines: int, ports: int, per_box: int, radix: int = 64) -> Fabric:
    """Lines of `ports` hosts, each line a switch of the graph, `per_box` of them bought as one box."""
    build = FabricBuilder(lines * ports, host_group=np.repeat(np.arange(lines), ports))
    switches = build.switches("row", lines, 1)
    build.links(range(lines * ports), np.repeat(switches, ports), "dac", 400, 25)
    order = Order(-(-lines // per_box), {"dac": lines * ports})
    return build.build("lines", "lines", 1, order, no_routes(), parameters={"radix": radix, "routers_per_box": 2})


def ring(hosts: int, board: int, planes: int = 1) -> Fabric:
    """A ring of hosts without switches: traces inside a board, optical cables between boards."""
    build = FabricBuilder(hosts, host_group=np.arange(hosts) // board)
    h = np.arange(hosts)
    between = h[(h + 1) % board == 0]
    inside = np.setdiff1d(h, between)
    build.links(inside, inside + 1, "trace", 400, 1)
    build.links(between, (between + 1) % hosts, "aoc", 400, 100)
    order = Order(0, {"aoc": planes * len(between)})
    return build.build("ring", "ring", planes, order, no_routes())


def torus(dims: tuple[int, ...], planes: int = 1) -> Fabric:
    """A torus without switches, every link an optical cable; the first dimension is numbered fastest."""
    hosts = np.arange(int(np.prod(dims))).reshape(dims, order="F")
    build = FabricBuilder(hosts.size)
    n = 0
    for axis, size in enumerate(dims):
        if size > 1:
            build.links(hosts.reshape(-1), np.roll(hosts, -1, axis=axis).reshape(-1), "aoc", 400, 100)
            n += hosts.size
    order = Order(0, {"aoc": planes * n})
    return build.build("torus", "torus", planes, order, no_routes(), parameters={"dims": dims})


def islands(count: int, size: int, leaf_down: int, up: int) -> Fabric:
    """Islands of hosts behind one island switch each, and a two-level tree over all hosts."""
    hosts = count * size
    build = FabricBuilder(hosts, host_group=np.arange(hosts) // size)
    inner = build.switches("nvswitch", count, 1)
    leaves = build.switches("leaf", -(-hosts // leaf_down), 1)
    spine = build.switches("spine", 1, 2)
    h = np.arange(hosts)
    build.links(h, inner[h // size], "nvlink", 7200, 50)
    build.links(h, leaves[h // leaf_down], "dac", 400, 25)
    build.links(np.repeat(leaves, up), spine[0], "aoc", 400, 100)
    order = Order(len(leaves) + 1, {"dac": hosts, "aoc": len(leaves) * up, "nvlink": hosts})
    return build.build("islands", "nvlink-islands", 1, order, no_routes(), parameters={"radix": 64})
