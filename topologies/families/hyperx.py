"""`hyperx`: routers on a grid, each linked to every other one of its line in every dimension, p hosts each.

prod(dims) routers, p prod(dims) hosts, routers * sum(k - 1) / 2 links between routers; the router
diameter is the number of dimensions longer than 1. Routers are numbered with the first dimension
fastest. Group = the router's line along the first dimension. Source: Ahn et al., HyperX, SC09.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from math import prod
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from topologies.fabric import Fabric, Order
from topologies.families.base import RouterModel, dimensions
from topologies.families.routers import router_fabric, router_order
from topologies.grids import coordinates, shifted, strides
from topologies.halving import Halving
from topologies.routing.hyperx_tables import hyperx_routes
from uet.base.values import Dims

Ints = NDArray[np.int64]


class Parameters(RouterModel):
    """Keys of `hyperx`."""

    dims: Annotated[Dims, dimensions(1, 6)] = Field(description="routers in each dimension")
    p: int = Field(ge=1, description="hosts of a router")

    @property
    def degree(self) -> int:
        """Links of a router to routers."""
        return sum(self.dims) - len(self.dims)

    @model_validator(mode="after")
    def _rules(self) -> Parameters:
        self.ports(self.p + self.degree)
        return self


def line_links(dims: tuple[int, ...], dimension: int) -> tuple[Ints, Ints]:
    """Return the ends of all links along one dimension, ordered so that ports follow the coordinate."""
    low, high = np.triu_indices(dims[dimension], 1)
    start = np.flatnonzero(coordinates(dims)[:, dimension] == 0)
    stride = strides(dims)[dimension]
    return (start[:, None] + low * stride).reshape(-1), (start[:, None] + high * stride).reshape(-1)


def order(p: Parameters) -> Order:
    """Return what is bought over all planes."""
    n = prod(p.dims)
    return router_order(n, p.p, n * p.degree // 2, p.planes)


def build(p: Parameters) -> Fabric:
    """Return the HyperX; after its hosts a router's ports go dimension by dimension, by coordinate."""
    ends = [line_links(p.dims, k) for k in range(len(p.dims))]
    a, b = (np.concatenate(side) for side in zip(*ends, strict=True))
    n = prod(p.dims)
    return router_fabric(
        "hyperx", p, p.p, (a, b), p.p + p.degree, n_routers=n, group=np.arange(n) // p.dims[0],
        plan=partial(hyperx_routes, p.dims, p.p),
    )  # fmt: skip


def symmetries(fabric: Fabric) -> Iterator[Ints]:
    """Yield the shifts of routers along each dimension, and that of the hosts of every router."""
    dims, p = tuple(fabric.parameters["dims"]), int(fabric.parameters["p"])
    n = prod(dims)
    for k in range(len(dims)):
        shift = shifted(dims, k)
        yield np.concatenate([(shift[:, None] * p + np.arange(p)).reshape(-1), n * p + shift])
    hosts = np.arange(n * p).reshape(n, p)
    yield np.concatenate([np.roll(hosts, 1, axis=1).reshape(-1), n * p + np.arange(n)])


def halving(fabric: Fabric) -> Halving | None:
    """Return what two halves exchange if the shortest line of k > 1 routers is even: k/4 links of every router.

    Initial segments along the longest lines keep the most links inside (Lindsey, Amer. Math. Monthly
    1964), so the best border crosses the shortest ones; no more than the hosts' own links.
    """
    shortest = min((k for k in fabric.parameters["dims"] if k > 1), default=0)
    if shortest == 0 or shortest % 2:
        return None
    share = min(1.0, shortest / (2 * int(fabric.parameters["p"])))
    return Halving(share, share)
