"""`torus`: accelerators on a grid of one to six dimensions, linked to their neighbours round every ring.

prod(dims) hosts, no switches; a ring of length k > 2 has k links, one of length 2 a single link, so
there are len(dims) * hosts links if no dimension is shorter than 3. Diameter sum floor(k/2). Hosts are
numbered with the first dimension fastest. With `board` the links on a board are traces; links between
boards, and those round a ring, are optical cables. Group = board. `twisted` takes two shapes: in k,k,2k
each wrap of a short dimension shifts the long coordinate by k; in k,2k,2k the wrap of the short one
shifts both long coordinates by k. Sources: Dally and Towles, Principles and Practices, chapter 5;
Camara et al., Twisted Torus Topologies, IEEE TPDS 2010; HammingMesh (SC22) for boards and cables.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from math import prod
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from topologies.fabric import LINK_CLASSES, Fabric, FabricBuilder, Order, total_cables
from topologies.families.base import FamilyModel, dimensions, spec_text
from topologies.grids import coordinates, number, shifted
from topologies.halving import Halving
from topologies.routing.torus_tables import torus_routes, twisted_routes
from uet.base.values import Dims

Ints = NDArray[np.int64]


class Parameters(FamilyModel):
    """Keys of `torus`."""

    dims: Annotated[Dims, dimensions(1, 6)] = Field(description="length of each dimension")
    board: Dims | None = Field(None, description="accelerators of a board in each dimension; default: one")
    twisted: bool = Field(False, description="shift the long dimensions where a short one wraps")

    @property
    def sides(self) -> tuple[int, ...]:
        """Accelerators of a board in each dimension."""
        return self.board or (1,) * len(self.dims)

    @property
    def twist(self) -> tuple[int, int, int]:
        """How far a wrap of the first dimension shifts the second and third, and one of the second the third."""
        k = self.dims[0]
        if not self.twisted:
            return 0, 0, 0
        return (0, k, k) if self.dims[1] == k else (k, k, 0)

    @model_validator(mode="after")
    def _rules(self) -> Parameters:
        if len(self.sides) != len(self.dims):
            raise ValueError(f"board has {len(self.sides)} dimensions, but dims has {len(self.dims)}")
        for n, side in zip(self.dims, self.sides, strict=True):
            if n % side:
                near = sorted({n // side * side, -(-n // side) * side} - {0})
                raise ValueError(
                    f"a board of {side} does not divide a dimension of {n}; nearest: "
                    f"{' or '.join(map(str, near))} accelerators or a board of "
                    f"{max(d for d in range(1, side + 1) if n % d == 0)}"
                )
        k = self.dims[0]
        if self.twisted and (k < 2 or self.dims not in ((k, k, 2 * k), (k, 2 * k, 2 * k))):
            k = max(k, 2)
            raise ValueError(
                f"a twisted torus has the shape k,k,2k or k,2k,2k; nearest: {k}x{k}x{2 * k} or {k}x{2 * k}x{2 * k}"
            )
        return self


def order(p: Parameters) -> Order:
    """Return what is bought over all planes: one cable between the boards next to each other on every ring."""
    hosts, cables = prod(p.dims), 0
    for length, side in zip(p.dims, p.sides, strict=True):
        ring = length > 2 or p.twisted  # two accelerators have one link, not two
        cables += hosts // side if ring else hosts * (length // side - 1) // length
    return Order(0, total_cables([("aoc", cables)], p.planes))


def build(p: Parameters) -> Fabric:
    """Return the torus; a host's ports are, per dimension, the one down and the one up."""
    n, places = prod(p.dims), coordinates(p.dims)
    boards = [d // side for d, side in zip(p.dims, p.sides, strict=True)]
    graph = FabricBuilder(n, number(places // np.array(p.sides), boards))
    for k, length in enumerate(p.dims):
        first = np.arange(n) if length > 2 or p.twisted else np.flatnonzero(places[:, k] < length - 1)
        then = _upwards(p, places, k)[first]
        at = places[first, k]
        inside = ((at + 1) % p.sides[k] != 0) & (at < length - 1)
        kind = np.where(inside, LINK_CLASSES.index("trace"), LINK_CLASSES.index("aoc")).astype(np.uint8)
        graph.links(first, then, kind, p.gbps, p.latency_ns, (1, 0))
    routes = partial(twisted_routes, p.dims, p.twist) if p.twisted else partial(torus_routes, p.dims)
    return graph.build(
        spec_text("torus", p), "torus", p.planes, order(p), routes,
        p.switch_latency_ns, p.model_dump(),
    )  # fmt: skip


def _upwards(p: Parameters, places: Ints, dimension: int) -> Ints:
    """Return every host's neighbour one step up, over the wrap and its twist."""
    there = places.copy()
    there[:, dimension] += 1
    wraps = there[:, dimension] == p.dims[dimension]
    there[wraps, dimension] = 0
    if p.twisted and dimension < 2:
        shift = np.array([0, *p.twist[:2]] if dimension == 0 else [0, 0, p.twist[2]])
        there[wraps] = (there[wraps] + shift) % np.array(p.dims)
    return number(there, p.dims)


def symmetries(fabric: Fabric) -> Iterator[Ints]:
    """Yield the shifts along each dimension, by a board where there are boards."""
    p = Parameters.model_validate({k: fabric.parameters[k] for k in Parameters.model_fields})
    for k, side in enumerate(p.sides):
        if not p.twisted:
            yield shifted(p.dims, k, side)
            continue
        step = shift = _upwards(p, coordinates(p.dims), k)
        for _ in range(side - 1):
            shift = step[shift]
        yield shift


def halving(fabric: Fabric) -> Halving | None:
    """Return what two halves exchange if the longest dimension k is even and nothing twisted: 2/k of all hosts' links.

    Cut across that dimension, every ring along it is cut twice (one of length 2 once).
    """
    p = Parameters.model_validate({k: fabric.parameters[k] for k in Parameters.model_fields})
    longest = max(p.dims)
    if p.twisted or longest % 2:
        return None
    links = fabric.n_hosts * (2 if longest > 2 else 1) / longest
    share = links * p.gbps * p.planes / (fabric.n_hosts / 2 * fabric.injection_gbps)
    return Halving(share, share)
