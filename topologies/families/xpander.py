"""`xpander`: switches joined as a random lift of the complete graph.

degree + 1 groups of switches / (degree + 1) switches each; every two groups are joined by a random
perfect matching. switches * hosts_per_switch hosts, switches * degree / 2 links between switches.
Source: Valadarsky et al., Xpander, CoNEXT 2016, section 3; lifts of Bilu and Linial 2006.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from topologies.fabric import Fabric, Order
from topologies.families.base import RouterModel
from topologies.families.routers import router_fabric, router_order

Ints = NDArray[np.int64]


class Parameters(RouterModel):
    """Keys of `xpander`."""

    switches: int = Field(ge=3, description="switches, a multiple of degree + 1")
    degree: int = Field(ge=2, description="links of a switch to switches")
    hosts_per_switch: int = Field(ge=1, description="hosts of a switch")
    seed: int = Field(1, ge=0, description="seed of the random wiring")

    @model_validator(mode="after")
    def _rules(self) -> Parameters:
        groups = self.degree + 1
        if self.switches % groups:
            below = self.switches // groups * groups
            offers = " or ".join(str(n) for n in (below, below + groups) if n)
            raise ValueError(
                f"switches={self.switches} must be a multiple of degree + 1 = {groups}; nearest: switches={offers}"
            )
        self.ports(self.degree + self.hosts_per_switch)
        return self


def lift(groups: int, copies: int, seed: int) -> tuple[Ints, Ints]:
    """Return the ends of the links of a connected lift; copy k of group i is i * copies + k."""
    rng = np.random.default_rng(seed)
    one, two = np.triu_indices(groups, 1)
    near = np.repeat(one * copies, copies) + np.tile(np.arange(copies), len(one))
    while True:
        matching = rng.permuted(np.tile(np.arange(copies), (len(one), 1)), axis=1)
        far = (two[:, None] * copies + matching).reshape(-1)
        if _connected(groups * copies, near, far):
            return near, far


def _connected(n: int, a: Ints, b: Ints) -> bool:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    return bool(connected_components(coo_array((np.ones(len(a)), (a, b)), shape=(n, n)), directed=False)[0] == 1)


def order(p: Parameters) -> Order:
    """Return what is bought over all planes."""
    return router_order(p.switches, p.hosts_per_switch, p.switches * p.degree // 2, p.planes)


def build(p: Parameters) -> Fabric:
    """Return the Xpander; group = the switch's group."""
    groups = p.degree + 1
    copies = p.switches // groups
    return router_fabric(
        "xpander", p, p.hosts_per_switch, lift(groups, copies, p.seed), p.degree + p.hosts_per_switch,
        n_routers=p.switches, group=np.arange(p.switches) // copies,
    )  # fmt: skip
