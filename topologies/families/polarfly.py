"""`polarfly`: routers of the Erdos-Renyi polarity graph over GF(q), two hops apart, p hosts each.

q is a prime power; the q^2 + q + 1 routers are the points of the projective plane, linked where their
dot product is 0: q (q + 1)^2 / 2 links, degree q + 1, and q for the q + 1 routers orthogonal to
themselves. Router diameter 2, close to the Moore bound. Default p = ceil((q + 1)/2).
Source: Lakhotia et al., PolarFly, SC22, sections III and IV; Erdos and Renyi 1962, Brown 1966.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from topologies.fabric import Fabric, Order
from topologies.families.base import RouterModel, ceil_div
from topologies.families.routers import router_fabric, router_order
from topologies.galois import field, nearest_legal, prime_power

Ints = NDArray[np.int64]


def legal_q(q: int) -> bool:
    """Tell whether q is a prime power."""
    return prime_power(q) is not None


class Parameters(RouterModel):
    """Keys of `polarfly`."""

    q: int = Field(ge=2, description="size of the finite field, a prime power")
    p: int | None = Field(None, ge=1, description="hosts of a router; default: half its degree, rounded up")

    @property
    def hosts_per_router(self) -> int:
        """Hosts of a router."""
        return self.p or ceil_div(self.q + 1, 2)

    @model_validator(mode="after")
    def _rules(self) -> Parameters:
        if not legal_q(self.q):
            raise ValueError(f"q={self.q} must be a prime power; nearest: q={nearest_legal(self.q, legal_q, 2)}")
        self.ports(self.q + 1 + self.hosts_per_router)
        return self


def points(q: int) -> Ints:
    """Return the points of the projective plane as vectors whose first non-zero entry is 1, [q^2+q+1, 3]."""
    y, z = np.divmod(np.arange(q * q), q)
    affine = np.stack([np.ones(q * q, np.int64), y, z], axis=1)
    line = np.stack([np.zeros(q, np.int64), np.ones(q, np.int64), np.arange(q)], axis=1)
    return np.concatenate([affine, line, [[0, 0, 1]]])


def router_links(q: int) -> tuple[Ints, Ints]:
    """Return the ends of all links between routers, each link once."""
    gf, point = field(q), points(q)
    dot = np.zeros((len(point), len(point)), np.int64)
    for k in range(3):
        dot = gf.add[dot, gf.multiply[point[:, None, k], point[None, :, k]]]
    a, b = np.nonzero(np.triu(dot == 0, 1))
    return a, b


def order(p: Parameters) -> Order:
    """Return what is bought over all planes."""
    return router_order(p.q * p.q + p.q + 1, p.hosts_per_router, p.q * (p.q + 1) ** 2 // 2, p.planes)


def build(p: Parameters) -> Fabric:
    """Return the PolarFly; routers in the order of their vectors."""
    return router_fabric(
        "polarfly", p, p.hosts_per_router, router_links(p.q), p.q + 1 + p.hosts_per_router,
        n_routers=p.q * p.q + p.q + 1,
    )  # fmt: skip
