"""`full-mesh`: accelerators on a grid, each linked to every other one of its line in every dimension.

prod(dims) hosts, no switches, hosts * sum(k - 1) / 2 links, degree sum(k - 1), diameter = number of
dimensions longer than 1. The first two dimensions lie in a rack and are copper, the others optical.
Hosts are numbered with the first dimension fastest; group = rack. Source: UB-Mesh (arXiv 2503.20377),
an 8x8x4x4 pod.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from math import prod
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from topologies.fabric import Fabric, FabricBuilder, Order, total_cables
from topologies.families.base import FamilyModel, dimensions, spec_text
from topologies.families.hyperx import line_links
from topologies.grids import shifted
from topologies.halving import Halving
from topologies.routing.hyperx_tables import hyperx_routes
from uet.base.values import Dims

Ints = NDArray[np.int64]
_IN_A_RACK = 2  # dimensions


class Parameters(FamilyModel):
    """Keys of `full-mesh`."""

    dims: Annotated[Dims, dimensions(1, 6)] = Field(description="accelerators in each dimension")


def _kind(dimension: int) -> str:
    return "dac" if dimension < _IN_A_RACK else "aoc"


def order(p: Parameters) -> Order:
    """Return what is bought over all planes."""
    n = prod(p.dims)
    return Order(0, total_cables([(_kind(k), n * (d - 1) // 2) for k, d in enumerate(p.dims)], p.planes))


def build(p: Parameters) -> Fabric:
    """Return the full mesh; a host's ports go dimension by dimension, by coordinate."""
    n = prod(p.dims)
    graph = FabricBuilder(n, np.arange(n) // prod(p.dims[:_IN_A_RACK]))
    for k in range(len(p.dims)):
        a, b = line_links(p.dims, k)
        graph.links(a, b, _kind(k), p.gbps, p.latency_ns)
    return graph.build(
        spec_text("full-mesh", p), "full-mesh", p.planes, order(p),
        partial(hyperx_routes, p.dims, 0), p.switch_latency_ns, p.model_dump(),
    )  # fmt: skip


def symmetries(fabric: Fabric) -> Iterator[Ints]:
    """Yield the shifts along each dimension."""
    dims = tuple(fabric.parameters["dims"])
    for k in range(len(dims)):
        yield shifted(dims, k)


def halving(fabric: Fabric) -> Halving | None:
    """Return what two halves exchange if the shortest line of k > 1 accelerators is even: k/4 links of each.

    As in a HyperX, the best border crosses the shortest lines.
    """
    dims: tuple[int, ...] = tuple(fabric.parameters["dims"])
    shortest = min((k for k in dims if k > 1), default=0)
    if shortest == 0 or shortest % 2:
        return None
    share = shortest / 2 / (sum(dims) - len(dims))
    return Halving(share, share)
