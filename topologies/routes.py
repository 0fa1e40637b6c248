"""Routes: which ports lead towards a host, shared by simulator, testbed and metrics.

A rule is one kernel with the fixed signature of `topologies.routing.next_hop.NEXT_HOP`:

    next_hop(r, node, destination, vc, choice) -> int64

`r` is a `ROUTE` world (a table of per-node integers and a table of words, both the family's own).
The result packs one member of the minimal next-hop set: the port in bits 0..31, the virtual channel
to use on the next link in bits 32..39, and the size of the set in bits 40..55. Member number
`choice * size >> 32` is taken, so callers pass 32 hashed bits and parallel paths spread evenly;
`candidates` enumerates the set exactly. -1 means that no port leads there.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import Any

from uet.base.tables import Records, table

ROUTE_NODE = table(
    "route_node",
    """
    level i4 - family's level of this node, 0 host
    first_port i4 - first port of the node
    index i4 - number within its level
    a i4 - family's own
    b i4 - family's own
    c i4 - family's own
    d i4 - family's own
    e i4 - family's own
    """,
)
WORD = table("word", "value i4 - family's own")


@dataclass(frozen=True)
class Routes:
    """A routing kernel, by name, and its tables; nothing is compiled before somebody asks."""

    rule: str  # module of topologies.routing that defines `next_hop`
    nodes: Records
    words: Records
    virtual_channels: int
    deadlock_freedom: str  # one sentence: why no cycle of channel waits can form

    @property
    def memory_bytes(self) -> int:
        """Bytes the routing tables take, for one plane."""
        return int(self.nodes.nbytes + self.words.nbytes)

    @cached_property
    def world(self) -> Any:
        """The tables as a World, for kernels."""
        from topologies.routing.next_hop import ROUTE
        from uet.base.jit import World

        return World(ROUTE, {"route_node": self.nodes, "word": self.words})

    @cached_property
    def address(self) -> int:
        """The address of the compiled next-hop kernel."""
        from topologies.routing.next_hop import NEXT_HOP, ROUTE

        module = import_module(f"topologies.routing.{self.rule}")
        return int(NEXT_HOP.address(module.next_hop, ROUTE.dtype))
