"""Which switches of the graph share a box: virtual routers and small lines are bought as one switch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from topologies.fabric import LINK_CLASSES, Fabric, NameRange
from uet.base.errors import CheckFailed

BUNDLED = ("trace", "nvlink")
"""Link classes that come with the accelerators' boards and islands: not ordered as cables."""
CABLE_CLASSES = tuple(kind for kind in LINK_CLASSES if kind not in BUNDLED)


@dataclass(frozen=True, eq=False)
class Boxes:
    """The boxes of one plane. `of_switch` [n_switches] is the box of each switch, -1 inside an island."""

    of_switch: NDArray[np.int64]
    level: NDArray[np.int64]  # [count] level of the box's switches
    names: tuple[str, ...]  # [count] its switches' names, joined by +

    @property
    def count(self) -> int:
        """Boxes in one plane."""
        return len(self.level)


def outside_links(fabric: Fabric) -> NDArray[np.bool_]:
    """Return which links are cables of the scale-out network, [n_links]: neither trace nor island link."""
    return ~np.isin(fabric.links["kind"], [LINK_CLASSES.index(kind) for kind in BUNDLED])


def outside_ports(fabric: Fabric) -> NDArray[np.bool_]:
    """Return which ports have a cable of the scale-out network, [n_ports]."""
    return outside_links(fabric)[fabric.ports["link"]]


def boxes(fabric: Fabric) -> Boxes:
    """Return the boxes of one plane; their number is that of the order, or CheckFailed is raised.

    Switches of one name (leaves, spines, ...) have a box each, or share one: as many as the family's
    `routers_per_box` says or as their ports fit the radix, whichever makes the number ordered.
    """
    used = np.bincount(fabric.ports["node"][outside_ports(fabric)], minlength=len(fabric.nodes))
    ordered = fabric.order.switches // fabric.planes
    ways = [_ways(fabric, r, used) for r in fabric.names[1:]]
    for chosen in product(*ways):
        if sum(map(len, chosen)) == ordered:
            return _number(fabric, [box for name in chosen for box in name])
    most = sum(len(way[0]) for way in ways)
    raise CheckFailed(f"{fabric.spec}: {most} switches of a plane cannot be the {ordered} boxes of its order")


def _ways(fabric: Fabric, names: NameRange, used: NDArray[np.int64]) -> list[list[list[int]]]:
    """Return the ways to put the switches of one name into boxes, each a list of boxes of node numbers."""
    ports = {int(n): int(used[n]) for n in range(names.first, names.first + names.count) if used[n]}
    radix, together = int(fabric.parameters.get("radix", 0)), int(fabric.parameters.get("routers_per_box", 1))
    ways = [
        _fill(dict.fromkeys(ports, 1), 1),
        _fill(dict.fromkeys(ports, 1), together),
        _fill(ports, max([radix, *ports.values()])),
    ]
    return [way for k, way in enumerate(ways) if way not in ways[:k]]


def _fill(sizes: Mapping[int, int], capacity: int) -> list[list[int]]:
    """Put neighbours into boxes while their sizes fit the capacity."""
    filled: list[list[int]] = []
    room = 0
    for node, size in sizes.items():
        if size > room:
            filled.append([])
            room = capacity
        room -= size
        filled[-1].append(node)
    return filled


def _number(fabric: Fabric, members: list[list[int]]) -> Boxes:
    of_switch = np.full(fabric.n_switches, -1, np.int64)
    for box, nodes in enumerate(members):
        of_switch[np.array(nodes) - fabric.n_hosts] = box
    level = fabric.nodes["level"][[nodes[0] for nodes in members]].astype(np.int64)
    return Boxes(of_switch, level, tuple("+".join(map(fabric.node_name, nodes)) for nodes in members))
