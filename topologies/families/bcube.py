"""`bcube`: hosts with k + 1 ports, digit i of a host's number leading to a switch of level i.

n^(k+1) hosts, (k + 1) n^k switches of n ports, (k + 1) n^(k+1) host links; any two hosts are at most k + 1
switches apart, 2 (k + 1) links. Digit 0 is the fastest; a switch of level i joins the hosts that agree in
all other digits. Group = the level-0 switch. Source: Guo et al., BCube, SIGCOMM 2009, section 3.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from topologies.fabric import Fabric, FabricBuilder, Order, total_cables
from topologies.families.base import RouterModel, spec_text
from topologies.grids import coordinates, number, packed, shifted
from topologies.halving import Halving
from topologies.routes import ROUTE_NODE, Routes
from topologies.routing.words import Words
from uet.base.tables import Records

Ints = NDArray[np.int64]
SENTENCE = "the channel number is that of the digits already right and grows from switch to switch"


class Parameters(RouterModel):
    """Keys of `bcube`."""

    n: int = Field(ge=2, description="ports of a switch")
    k: int = Field(1, ge=0, le=9, description="levels minus one")

    @model_validator(mode="after")
    def _rules(self) -> Parameters:
        if self.n ** (self.k + 1) > 10**7:
            raise ValueError(f"n={self.n} and k={self.k} make {self.n ** (self.k + 1)} hosts; the most are 10000000")
        self.ports(self.n)
        return self


def _without(places: Ints, level: int, n: int) -> Ints:
    """Return the number that the digits other than `level` spell."""
    others = np.delete(places, level, axis=1)
    return number(others, (n,) * others.shape[1]) if others.shape[1] else np.zeros(len(places), np.int64)


def build(p: Parameters) -> Fabric:
    """Return the BCube; port i of a host leads to level i, port j of a switch to the host with digit j."""
    levels, per_level = p.k + 1, p.n**p.k
    places = coordinates((p.n,) * levels)
    graph = FabricBuilder(len(places), _without(places, 0, p.n))
    for level in range(levels):
        switch = graph.switches(f"level{level}switch", per_level, level + 1)
        graph.links(np.arange(len(places)), switch[_without(places, level, p.n)], "dac", p.gbps, p.latency_ns)
    order = Order(levels * per_level * p.planes, total_cables([("dac", levels * len(places))], p.planes))
    return graph.build(
        spec_text("bcube", p), "bcube", p.planes, order, partial(_routes, p.n, levels),
        p.switch_latency_ns, p.model_dump() | {"radix": p.ports(p.n)},
    )  # fmt: skip


def _routes(n: int, levels: int, nodes: Records, ports: Records) -> Routes:
    places, fields = packed((n,) * levels)
    words = Words(levels, *(value for field in fields for value in field))
    rows = ROUTE_NODE.zeros(len(nodes))
    rows["first_port"] = nodes["first_port"]
    hosts = n**levels
    rows["a"][:hosts] = places
    rows["level"][hosts:] = 1
    rows["a"][hosts:] = np.repeat(1 + 2 * np.arange(levels), n ** (levels - 1))
    return Routes("bcube", rows, words.table(), levels, SENTENCE)


def symmetries(fabric: Fabric) -> Iterator[Ints]:
    """Yield the increments of every digit."""
    n, levels = int(fabric.parameters["n"]), int(fabric.parameters["k"]) + 1
    dims, per_level = (n,) * levels, n ** (levels - 1)
    for digit in range(levels):
        switches = []
        for level in range(levels):
            place = digit - (digit > level)
            same = digit == level or levels == 1
            moved = np.arange(per_level) if same else shifted((n,) * (levels - 1), place)
            switches.append(n**levels + level * per_level + moved)
        yield np.concatenate([shifted(dims, digit), *switches])


def halving(fabric: Fabric) -> Halving | None:
    """Return what halves by one digit exchange if n is even: one of the k + 1 links of every host."""
    if int(fabric.parameters["n"]) % 2:
        return None
    share = 1 / (int(fabric.parameters["k"]) + 1)
    return Halving(share, share, straight=fabric.parameters["k"] > 0)
