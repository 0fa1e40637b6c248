"""The cabling list: every cable of the order with both ends, its part and its length.

The list is as long as the order. Cables of the graph come first, plane by plane. What an order has
beyond the graph (leaves are bought fully cabled, even the last, half empty one) follows as 'reserve':
one end on a free port of such a leaf, the other still open; what fits no free port is 'stock'.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from topologies.boxes import BUNDLED, outside_links, outside_ports
from topologies.fabric import LINK_CLASSES, Fabric
from topologies.fitting import cheapest_cable, class_gbps, fitting_cable, pieces
from topologies.racks import Layout, RackModel, lay_out
from uet.base.errors import BadInput, CheckFailed
from uet.base.tables import Records, table

if TYPE_CHECKING:
    from topologies.catalogue.catalogue import Catalogue, Part

RULES = ("published", "rack")
OPEN = -1  # the device or port of an end that is not plugged in

CABLE = table(
    "cable",
    """
    plane i4 - plane it belongs to, -1 if in stock
    device_a i4 - device of the end named first: host, or n_hosts + plane * boxes + box; -1 open
    port_a i4 - its port, counted from 1; 0 open
    device_b i4 - device of the other end; -1 open
    port_b i4 - its port; 0 open
    kind u1 - class of the published rule, index into LINK_CLASSES
    part i4 - index into the list's parts
    gbps f8 Gb/s rate
    length_m f8 m from end to end, slack included
    """,
)
COLUMNS = (
    "cable", "use", "plane", "part", "kind", "gbps", "length_m",
    "from_rack", "from_device", "from_port", "to_rack", "to_device", "to_port",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class CablingList:
    """All cables of a fabric in `cables` (rows of CABLE), their parts, and where their ends stand."""

    fabric: Fabric
    rule: str
    layout: Layout
    parts: tuple[Part, ...]
    cables: Records

    def __len__(self) -> int:
        """Cables, over all planes."""
        return len(self.cables)

    @property
    def counts(self) -> dict[str, int]:
        """Cables by class of the part chosen."""
        total: dict[str, int] = {}
        for part, count in zip(self.parts, self.part_counts, strict=True):
            total[part.kind] = total.get(part.kind, 0) + count
        return total

    @property
    def part_counts(self) -> list[int]:
        """Cables of each of the parts."""
        return [int(n) for n in np.bincount(self.cables["part"], minlength=len(self.parts))]

    @property
    def pieces(self) -> list[int]:
        """How many of each part are bought: fewer than cables where slow ones share a divisible part."""
        pairs, counts = np.unique(self.cables[["part", "gbps"]], return_counts=True)
        bought = [0] * len(self.parts)
        for (part, gbps), count in zip(pairs.tolist(), counts.tolist(), strict=True):
            bought[part] += pieces(self.parts[part], gbps, count)
        return bought

    @cached_property
    def too_short(self) -> int:
        """How many cables are of a part that does not reach (the published rule knows no lengths)."""
        reach = np.array([p.reach_m or 0.0 for p in self.parts])
        return int((reach[self.cables["part"]] < self.cables["length_m"]).sum()) if self.parts else 0

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield one mapping of COLUMNS per cable; open ends have empty fields."""
        for number, c in enumerate(self.cables.tolist()):
            plane, device_a, port_a, device_b, port_b, _, part, gbps, length_m = c
            yield {
                "cable": number,
                "use": "stock" if device_a == OPEN else "reserve" if device_b == OPEN else "link",
                "plane": plane if plane >= 0 else "",
                "part": self.parts[part].name,
                "kind": self.parts[part].kind,
                "gbps": gbps,
                "length_m": length_m,
                **self._end("from", device_a, port_a),
                **self._end("to", device_b, port_b),
            }

    def _end(self, side: str, device: int, port: int) -> dict[str, Any]:
        place: tuple[Any, Any, Any] = ("", "", "")
        if device != OPEN:
            place = (self.layout.rack_name(int(self.layout.rack[device])), self.device_name(device), port)
        return dict(zip((f"{side}_rack", f"{side}_device", f"{side}_port"), place, strict=True))

    def device_name(self, device: int) -> str:
        """Return the name of a host or box; boxes of several planes carry the plane, as in p1.leaf3."""
        if device < self.layout.n_hosts:
            return self.fabric.node_name(device)
        plane, box = divmod(device - self.layout.n_hosts, self.layout.boxes.count)
        name = self.layout.boxes.names[box]
        return f"p{plane}.{name}" if self.fabric.planes > 1 else name

    def write_csv(self, path: str | Path) -> None:
        """Write the list with a header line of COLUMNS. Raises BadInput when the file cannot be written."""
        import csv

        try:
            with Path(path).open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, COLUMNS)
                writer.writeheader()
                writer.writerows(self.rows())
        except OSError as error:
            raise BadInput(f"{path}: cannot be written ({error.strerror}); choose another path") from None

    def as_dict(self) -> dict[str, Any]:
        """Return the summary: number of cables, by class, metres, racks, and how many are too short."""
        return {
            "rule": self.rule,
            "cables": len(self),
            "by_kind": self.counts,
            "total_m": float(self.cables["length_m"].sum()),
            "longest_m": float(self.cables["length_m"].max(initial=0)),
            "too_short": self.too_short,
            "reserve": int(((self.cables["device_b"] == OPEN) & (self.cables["device_a"] != OPEN)).sum()),
            "stock": int((self.cables["device_a"] == OPEN).sum()),
            "host_racks": self.layout.host_racks,
            "network_racks": self.layout.network_racks,
        }


def cable_list(
    fabric: Fabric,
    catalogue: Catalogue,
    rule: str | None = None,
    model: RackModel | None = None,
    layout: Layout | None = None,
) -> CablingList:
    """Return the cabling list of a fabric, with parts by rule 'published' (class) or 'rack' (reach).

    None takes the catalogue's own rule. `layout` says where everything stands, as `lay_out` does for `model`
    by default. Raises BadInput when no part fits, CheckFailed when the graph
    has more cables of a class than the order.
    """
    rule = rule or catalogue.cabling
    if rule not in RULES:
        raise BadInput(f"cabling rule '{rule}' is unknown; legal: {', '.join(RULES)}")
    layout = layout or lay_out(fabric, model)
    cables = ordered_cables(fabric, layout)
    measure(layout, cables)
    parts = _choose(fabric, catalogue, rule, cables)
    return CablingList(fabric, rule, layout, parts, cables)


def ordered_cables(fabric: Fabric, layout: Layout) -> Records:
    """Return all cables of the order with their ends, still without part and length, wherever devices stand."""
    graph = _graph_cables(fabric, layout)
    return np.concatenate([graph, *_order_rest(fabric, layout, graph)])


def _graph_cables(fabric: Fabric, layout: Layout) -> Records:
    """Return the cables of the graph, over all planes, without part and length."""
    link = fabric.links[outside_links(fabric)]
    numbers, per_device = _port_numbers(fabric, layout)
    rows = CABLE.zeros(len(link) * fabric.planes).reshape(fabric.planes, len(link))
    for plane in range(fabric.planes):
        mine, devices = rows[plane], _devices(fabric, layout, plane)
        mine["kind"], mine["gbps"], mine["plane"] = link["kind"], link["gbps"], plane
        for end in ("a", "b"):
            port = link[f"port_{end}"]
            device = devices[fabric.ports["node"][port]]
            earlier_planes = np.where(device < fabric.n_hosts, plane * per_device[device], 0)
            mine[f"device_{end}"], mine[f"port_{end}"] = device, numbers[port] + earlier_planes
    return rows.reshape(-1)


def _devices(fabric: Fabric, layout: Layout, plane: int) -> NDArray[np.int64]:
    """Return the device of every node in a plane, [n_nodes]."""
    box = fabric.n_hosts + plane * layout.boxes.count + layout.boxes.of_switch
    return np.concatenate([np.arange(fabric.n_hosts), box])


def _port_numbers(fabric: Fabric, layout: Layout) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return each port's number on its device, from 1, [n_ports], and the ports used by plane 0's devices."""
    outside = np.flatnonzero(outside_ports(fabric))
    device = _devices(fabric, layout, 0)[fabric.ports["node"][outside]]
    by_device = np.argsort(device, kind="stable")
    used = np.bincount(device, minlength=fabric.n_hosts + layout.boxes.count)
    first = np.repeat(np.cumsum(used) - used, used)
    numbers = np.zeros(len(fabric.ports), np.int64)
    numbers[outside[by_device]] = np.arange(len(outside)) - first + 1
    return numbers, np.concatenate([used, np.tile(used[fabric.n_hosts :], fabric.planes - 1)])


def _order_rest(fabric: Fabric, layout: Layout, cables: Records) -> list[Records]:
    """Return what the order has beyond the graph's `cables`: on free ports of its leaves, or in stock."""
    rest = []
    for kind, ordered in fabric.order.cables.items():
        if kind in BUNDLED:
            continue
        mine = cables[cables["kind"] == LINK_CLASSES.index(kind)]
        extra = ordered - len(mine)
        if extra < 0:
            raise CheckFailed(f"{fabric.spec}: the graph has {len(mine)} {kind} cables, its order only {ordered}")
        rows = CABLE.zeros(extra)
        rows["kind"], rows["gbps"] = LINK_CLASSES.index(kind), class_gbps(fabric, kind)
        rows["plane"] = rows["device_a"] = rows["device_b"] = OPEN
        device, port = _free_leaf_ports(fabric, layout, mine, cables)
        n = min(extra, len(device))
        rows["device_a"][:n], rows["port_a"][:n] = device[:n], port[:n]
        rows["plane"][:n] = (device[:n] - fabric.n_hosts) // layout.boxes.count
        rest.append(rows)
    return rest


def _free_leaf_ports(
    fabric: Fabric, layout: Layout, mine: Records, cables: Records
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return (device, port) of the ports that leaves lack, in cables of a class, to be as full as the fullest leaf."""
    devices = fabric.n_hosts + fabric.planes * layout.boxes.count
    leaves = np.concatenate([np.zeros(fabric.n_hosts, bool), np.tile(layout.boxes.level <= 1, fabric.planes)])
    of_class, used = np.zeros(devices, np.int64), np.zeros(devices, np.int64)
    for end in ("device_a", "device_b"):
        of_class += np.bincount(mine[end], minlength=devices)
        used += np.bincount(cables[end], minlength=devices)
    lacking = np.where(leaves, of_class.max(where=leaves, initial=0) - of_class, 0)
    device = np.repeat(np.arange(devices), lacking)
    nth = np.arange(len(device)) - np.repeat(np.cumsum(lacking) - lacking, lacking)
    return device, used[device] + nth + 1


def measure(layout: Layout, cables: Records) -> None:
    """Fill in `length_m`: a reserve cable is as long as the longest of its class at its leaf, stock as the longest."""
    plugged = cables["device_b"] != OPEN
    ends = cables[plugged]
    cables["length_m"][plugged] = layout.lengths_m(ends["device_a"], ends["device_b"])
    for kind in np.unique(cables["kind"][~plugged]):
        mine = cables["kind"] == kind
        longest = np.zeros(len(layout.rack) + 1)  # the last entry is that of no device: stock
        for end in ("device_a", "device_b"):
            np.maximum.at(longest, cables[end][mine & plugged], cables["length_m"][mine & plugged])
        longest[-1] = longest.max()
        cables["length_m"][mine & ~plugged] = longest[cables["device_a"][mine & ~plugged]]


def _choose(fabric: Fabric, catalogue: Catalogue, rule: str, cables: Records) -> tuple[Part, ...]:
    """Fill in `part` by the rule and return the parts in use."""
    parts: list[Part] = []
    wanted = "kind" if rule == "published" else "length_m"
    keys, which = np.unique(cables[[wanted, "gbps"]], return_inverse=True)
    index = np.zeros(len(keys), np.int64)
    for k, key in enumerate(keys):
        if rule == "published":
            kind = LINK_CLASSES[key["kind"]]
            part = fitting_cable(catalogue, kind, class_gbps(fabric, kind))
        else:
            part = cheapest_cable(catalogue, float(key["gbps"]), float(key["length_m"]))
        if part not in parts:
            parts.append(part)
        index[k] = parts.index(part)
    cables["part"] = index[which]
    return tuple(parts)
