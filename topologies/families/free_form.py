"""`free-form`: switches joined by any cables, as a search over graphs leaves them.

`graph` says who is joined: for every switch but the last a list of the higher-numbered switches that its cables
lead to, one character each (0-9, a-z, A-Z for switches 0 to 61), the lists separated by dots; a character that
stands twice is two cables. `123.2.3` joins switch 0 with 1, 2 and 3, switch 1 with 2, and switch 2 with 3.
"""

from __future__ import annotations

import string

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from topologies.fabric import Fabric, Order
from topologies.families.base import RouterModel
from topologies.families.routers import router_fabric, router_order

Ints = NDArray[np.int64]
LETTERS = string.digits + string.ascii_lowercase + string.ascii_uppercase


class Parameters(RouterModel):
    """Keys of `free-form`."""

    switches: int = Field(ge=2, le=len(LETTERS), description="switches")
    hosts_per_switch: int = Field(ge=1, description="hosts of a switch")
    graph: str = Field(description="who is joined: higher-numbered neighbours of each switch, as 123.2.3")

    @model_validator(mode="after")
    def _rules(self) -> Parameters:
        lists = self.graph.split(".")
        if len(lists) != self.switches - 1:
            raise ValueError(f"graph has {len(lists)} lists for {self.switches} switches; write {self.switches - 1}")
        for a, others in enumerate(lists):
            legal = LETTERS[a + 1 : self.switches]
            wrong = next((c for c in others if c not in legal), None)
            if wrong is not None:
                raise ValueError(f"graph joins switch {a} with '{wrong}'; legal there: {legal}")
        self.ports(int(cables(self).sum(axis=1).max()) + self.hosts_per_switch)
        return self


def cables(p: Parameters) -> Ints:
    """Return the number of cables between every two switches [switches, switches]."""
    found = np.zeros((p.switches, p.switches), np.int64)
    for a, others in enumerate(p.graph.split(".")):
        for c in others:
            found[a, LETTERS.index(c)] += 1
    return found + found.T


def graph_text(joined: Ints) -> str:
    """Return the key `graph` of the cables between every two switches [switches, switches]."""
    n = len(joined)
    return ".".join("".join(LETTERS[b] * int(joined[a, b]) for b in range(a + 1, n)) for a in range(n - 1))


def order(p: Parameters) -> Order:
    """Return what is bought over all planes."""
    return router_order(p.switches, p.hosts_per_switch, int(cables(p).sum()) // 2, p.planes)


def build(p: Parameters) -> Fabric:
    """Return the fabric."""
    joined = cables(p)
    low, high = np.nonzero(np.triu(joined))
    count = joined[low, high]
    return router_fabric(
        "free-form", p, p.hosts_per_switch, (np.repeat(low, count), np.repeat(high, count)),
        int(joined.sum(axis=1).max()) + p.hosts_per_switch, n_routers=p.switches,
    )  # fmt: skip
