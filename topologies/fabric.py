"""`Fabric`: the one model of a network for all families.

Tables hold ONE plane; `planes` says how many identical copies the hosts are attached to. Hosts are
nodes 0..n_hosts-1, switches follow. Every link has two ports, one at each end; the ports of a node
are numbered contiguously, in the order in which its links were added, so that a family can state
its routing by arithmetic. Counts and costs of the whole fabric are in `Order`, since what is bought
may differ from the graph (leaves are bought fully cabled, virtual routers share a box).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from topologies.routes import Routes
from uet.base.errors import BadInput
from uet.base.tables import Records, table

if TYPE_CHECKING:
    import networkx as nx

RoutePlan = Callable[[Records, Records], Routes]
"""Makes the routes from the finished node and port tables, when somebody asks for them."""

HOST, SWITCH = 0, 1

LINK_CLASSES = ("trace", "dac", "aec", "aoc", "optic", "nvlink")
"""Cable classes by index: PCB trace (free), copper, active copper, active optical, pluggable, NVLink."""

NODE = table(
    "node",
    """
    kind u1 - 0 host, 1 switch
    level u1 - 0 host, 1 leaf or router, 2 spine, 3 core, 4 island switch
    group i4 - family's grouping: pod, board, rail, island; -1 none
    first_port i4 - number of its first port
    n_ports i4 - how many ports it uses
    """,
)
PORT = table(
    "port",
    """
    node i4 - node the port sits on
    link i4 - link the port belongs to
    peer i4 - port at the other end
    """,
)
LINK = table(
    "link",
    """
    port_a i4 - port at the end named first
    port_b i4 - port at the other end
    kind u1 - index into LINK_CLASSES
    gbps f8 Gb/s rate in each direction
    latency_ps i8 ps propagation
    """,
)


@dataclass(frozen=True)
class NameRange:
    """Nodes first..first+count-1 are called prefix0, prefix1, ..."""

    prefix: str
    first: int
    count: int


@dataclass(frozen=True)
class Order:
    """What is bought, over all planes: physical switches and cables by class (published rule).

    `parts` names the catalogue's part for switches by their name (leaf, spine, ...), an empty text standing
    for the cheapest that fits them; without it all switches are of one part.
    """

    switches: int
    cables: Mapping[str, int]
    parts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Fabric:
    """An immutable network: tables of one plane, the number of planes, names, order and routes."""

    spec: str
    family: str
    nodes: Records
    ports: Records
    links: Records
    n_hosts: int
    planes: int
    names: tuple[NameRange, ...]
    order: Order
    route_plan: RoutePlan
    switch_latency_ps: int = 0
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def routes(self) -> Routes:
        """Which ports lead where; the tables are built on first use."""
        return self.route_plan(self.nodes, self.ports)

    @property
    def n_switches(self) -> int:
        """Switches in the graph of one plane (virtual ones counted one by one)."""
        return len(self.nodes) - self.n_hosts

    @cached_property
    def injection_gbps(self) -> float:
        """Sum of one host's scale-out port rates over all planes (the mean, if hosts differ).

        Island links count only in a fabric that has no others.
        """
        mine = self.links[self.ports["link"][self.ports["node"] < self.n_hosts]]
        outward = mine["kind"] != LINK_CLASSES.index("nvlink")
        rates = mine["gbps"][outward if outward.any() else slice(None)]
        return float(rates.sum()) / self.n_hosts * self.planes

    def node_name(self, node: int) -> str:
        """Return the name of a node, such as host12 or leaf3."""
        for r in self.names:
            if r.first <= node < r.first + r.count:
                return f"{r.prefix}{node - r.first}"
        raise IndexError(node)

    def node_number(self, name: str) -> int:
        """Return the number of the node called `name`; BadInput if there is none."""
        for r in self.names:
            digits = name.removeprefix(r.prefix)
            if digits != name and digits.isdigit() and int(digits) < r.count:
                return r.first + int(digits)
        shapes = ", ".join(f"{r.prefix}0..{r.prefix}{r.count - 1}" for r in self.names)
        raise BadInput(f"no node is called '{name}' in {self.spec}; nodes are {shapes}")

    @cached_property
    def adjacency(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """CSR neighbour lists (offsets [n_nodes + 1], neighbours [n_ports]) in port order."""
        offsets = np.concatenate([[0], np.cumsum(self.nodes["n_ports"])]).astype(np.int32)
        return offsets, self.ports["node"][self.ports["peer"]].astype(np.int32)

    def link_classes(self) -> dict[str, int]:
        """Return how many links of each class the graph has, over all planes."""
        kinds, counts = np.unique(self.links["kind"], return_counts=True)
        return {LINK_CLASSES[k]: int(c) * self.planes for k, c in zip(kinds, counts, strict=True)}

    def to_networkx(self) -> nx.MultiGraph[str]:
        """Return one plane as a networkx MultiGraph with names, kinds, rates, latencies and classes."""
        import networkx as nx

        graph: nx.MultiGraph[str] = nx.MultiGraph(spec=self.spec, planes=self.planes)
        names = [self.node_name(i) for i in range(len(self.nodes))]
        for name, row in zip(names, self.nodes, strict=True):
            kind = "host" if row["kind"] == HOST else "switch"
            graph.add_node(name, kind=kind, level=int(row["level"]), group=int(row["group"]))
        end = self.ports["node"]
        for row in self.links:
            graph.add_edge(
                names[end[row["port_a"]]],
                names[end[row["port_b"]]],
                link_class=LINK_CLASSES[row["kind"]],
                gbps=float(row["gbps"]),
                latency_ns=int(row["latency_ps"]) / 1000,
            )
        return graph


class FabricBuilder:
    """Collects nodes and links in bulk; `build` numbers the ports."""

    def __init__(self, n_hosts: int, host_group: ArrayLike = -1) -> None:
        """Start with `n_hosts` hosts; `host_group` is one group or one per host."""
        self.n_hosts = n_hosts
        self._nodes: list[Records] = []
        self._names: list[NameRange] = []
        self._count = 0
        self._links: list[Records] = []
        self._ends: list[NDArray[np.int64]] = []
        self._places: list[NDArray[np.int64]] = []
        self._add("host", n_hosts, HOST, 0, host_group)

    @classmethod
    def of(cls, fabric: Fabric, host_group: ArrayLike | None = None, link_rate: ArrayLike = 1.0) -> FabricBuilder:
        """Start with the nodes and links of a fabric, its ports in their order; more may be added.

        `link_rate` is the share of its rate that a link keeps, of all links or [n_links]; 0 leaves it out.
        """
        nodes, end = fabric.nodes, fabric.ports["node"]
        builder = cls(fabric.n_hosts, nodes["group"][: fabric.n_hosts] if host_group is None else host_group)
        for r in fabric.names[1:]:
            part = nodes[r.first : r.first + r.count]
            builder.switches(r.prefix, r.count, part["level"], part["group"])
        rate = np.broadcast_to(np.asarray(link_rate, float), len(fabric.links))
        links = fabric.links[rate > 0]
        a, b = links["port_a"], links["port_b"]
        gbps = links["gbps"] * rate[rate > 0]
        builder.links(end[a], end[b], links["kind"], gbps, links["latency_ps"] / 1000, (a, b))
        return builder

    def _add(self, prefix: str, count: int, kind: int, level: ArrayLike, group: ArrayLike) -> NDArray[np.int64]:
        rows = NODE.zeros(count)
        rows["kind"], rows["level"], rows["group"] = kind, level, group
        self._nodes.append(rows)
        self._names.append(NameRange(prefix, self._count, count))
        self._count += count
        return np.arange(self._count - count, self._count)

    def switches(self, prefix: str, count: int, level: ArrayLike, group: ArrayLike = -1) -> NDArray[np.int64]:
        """Add `count` switches called prefix0.. and return their node numbers, shape [count]."""
        return self._add(prefix, count, SWITCH, level, group)

    def links(
        self,
        a: ArrayLike,
        b: ArrayLike,
        kind: str | NDArray[np.uint8],
        gbps: ArrayLike,
        latency_ns: ArrayLike,
        places: tuple[ArrayLike, ArrayLike] = (0, 0),
    ) -> None:
        """Add one link per pair (a[i], b[i]); the order of calls and pairs is the order of a node's ports.

        `kind` is a class name, or one index into LINK_CLASSES per link; rates and latencies likewise.
        `places` order the ports of a node within this call otherwise: by the place of the link's a or b end.
        """
        ends = np.stack(np.broadcast_arrays(np.asarray(a), np.asarray(b)), axis=-1).reshape(-1, 2)
        rows = LINK.zeros(len(ends))
        rows["kind"], rows["gbps"] = LINK_CLASSES.index(kind) if isinstance(kind, str) else kind, gbps
        rows["latency_ps"] = np.rint(np.asarray(latency_ns) * 1000)
        self._ends.append(ends.astype(np.int64))
        self._places.append(np.stack([np.broadcast_to(place, len(ends)) for place in places], axis=-1))
        self._links.append(rows)

    def build(
        self,
        spec: str,
        family: str,
        planes: int,
        order: Order,
        routes: Routes | RoutePlan,
        switch_latency_ns: float = 0,
        parameters: Mapping[str, Any] | None = None,
    ) -> Fabric:
        """Number the ports and freeze the tables."""
        nodes, links = np.concatenate(self._nodes), np.concatenate(self._links)
        ends = np.concatenate(self._ends)
        flat = ends.reshape(-1)  # end 2l is the a-side of link l, end 2l+1 its b-side
        call = np.repeat(np.arange(len(self._ends)), [2 * len(part) for part in self._ends])
        by_node = np.lexsort((np.concatenate(self._places).reshape(-1), call, flat))
        port_of_end = np.empty(len(flat), np.int32)
        port_of_end[by_node] = np.arange(len(flat), dtype=np.int32)
        links["port_a"], links["port_b"] = port_of_end[0::2], port_of_end[1::2]
        ports = PORT.zeros(len(flat))
        ports["node"], ports["link"] = flat[by_node], by_node // 2
        ports["peer"] = port_of_end[by_node ^ 1]
        nodes["n_ports"] = np.bincount(flat, minlength=len(nodes))
        nodes["first_port"] = np.cumsum(nodes["n_ports"]) - nodes["n_ports"]
        for rows in (nodes, ports, links):
            rows.flags.writeable = False
        plan = _Constant(routes) if isinstance(routes, Routes) else routes
        return Fabric(
            spec, family, nodes, ports, links, self.n_hosts, planes, tuple(self._names), order, plan,
            round(switch_latency_ns * 1000), dict(parameters or {}),
        )  # fmt: skip


@dataclass(frozen=True)
class _Constant:
    """A route plan that is already carried out."""

    routes: Routes

    def __call__(self, nodes: Records, ports: Records) -> Routes:
        return self.routes


def total_cables(per_plane: Sequence[tuple[str, int]], planes: int) -> dict[str, int]:
    """Sum (class, count) pairs of one plane into counts over all planes, dropping zeros and traces."""
    total: dict[str, int] = {}
    for kind, count in per_plane:
        if count and kind != "trace":
            total[kind] = total.get(kind, 0) + count * planes
    return total
