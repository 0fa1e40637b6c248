"""`slimfly`: routers of the McKay-Miller-Siran graph over GF(q), two hops apart, p hosts each.

q = 4w + d is a prime power with d in -1, 0, 1; 2 q^2 routers of degree k' = (3q - d)/2, hence
q^2 (3q - d)/2 links; router diameter 2. Default p = ceil(k'/2). Router (s, x, y) is s q^2 + x q + y;
(0, x, y) meets (0, x, y') if y - y' is in X, (1, m, c) meets (1, m, c') if c - c' is in X', and
(0, x, y) meets (1, m, c) if y = m x + c. Source: Besta and Hoefler, Slim Fly, SC14, section II-B;
generator sets of McKay, Miller and Siran (1998) and Hafner (2004).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import Field as Key
from pydantic import model_validator

from topologies.fabric import Fabric, Order
from topologies.families.base import RouterModel, ceil_div
from topologies.families.routers import router_fabric, router_order
from topologies.galois import Field, field, nearest_legal, prime_power

Ints = NDArray[np.int64]


def legal_q(q: int) -> bool:
    """Tell whether q is a prime power with remainder 0, 1 or 3 modulo 4."""
    return q >= 3 and q % 4 != 2 and prime_power(q) is not None


class Parameters(RouterModel):
    """Keys of `slimfly`."""

    q: int = Key(ge=3, description="size of the finite field, a prime power")
    p: int | None = Key(None, ge=1, description="hosts of a router; default: half its degree, rounded up")

    @property
    def degree(self) -> int:
        """Links of a router to routers."""
        return (3 * self.q - (0, 1, 0, -1)[self.q % 4]) // 2

    @property
    def hosts_per_router(self) -> int:
        """Hosts of a router."""
        return self.p or ceil_div(self.degree, 2)

    @model_validator(mode="after")
    def _rules(self) -> Parameters:
        if not legal_q(self.q):
            raise ValueError(
                f"q={self.q} must be a prime power of the form 4w-1, 4w or 4w+1; "
                f"nearest: q={nearest_legal(self.q, legal_q, 3)}"
            )
        self.ports(self.degree + self.hosts_per_router)
        return self


def generator_sets(gf: Field) -> tuple[Ints, Ints]:
    """Return X and X', each closed under negation: powers of a primitive element."""
    q, power = gf.q, gf.powers
    if q % 4 == 3:
        w = (q + 1) // 4
        low = np.r_[np.arange(0, 2 * w - 1, 2), np.arange(2 * w - 1, 4 * w - 2, 2)]
        return power[low], power[(low + 1) % (q - 1)]
    even = np.arange(0, q - q % 2, 2)
    return power[even], power[(even + 1) % (q - 1)]


def router_links(q: int) -> tuple[Ints, Ints]:
    """Return the ends of all links between routers, each link once."""
    gf = field(q)
    element = np.arange(q)
    ends = []
    for side, generators in enumerate(generator_sets(gf)):
        x, y, g = (a.reshape(-1) for a in np.meshgrid(element, element, np.unique(generators), indexing="ij"))
        other = gf.add[y, g]
        once = y < other
        row = side * q * q + x * q
        ends.append(np.stack([row + y, row + other])[:, once])
    x, m, c = (a.reshape(-1) for a in np.meshgrid(element, element, element, indexing="ij"))
    y = gf.add[gf.multiply[m, x], c]
    ends.append(np.stack([x * q + y, q * q + m * q + c]))
    a, b = np.concatenate(ends, axis=1)
    return a, b


def order(p: Parameters) -> Order:
    """Return what is bought over all planes."""
    return router_order(2 * p.q * p.q, p.hosts_per_router, p.q * p.q * p.degree, p.planes)


def build(p: Parameters) -> Fabric:
    """Return the Slim Fly; group = (s, x), the q routers of a row."""
    n = 2 * p.q * p.q
    return router_fabric(
        "slimfly", p, p.hosts_per_router, router_links(p.q), p.degree + p.hosts_per_router,
        n_routers=n, group=np.arange(n) // p.q,
    )  # fmt: skip
