"""Closed forms of `hyperx` and of `full-mesh`, whose accelerators are the routers: exact for alltoall.

In every dimension of k routers what differs there goes straight, spread evenly over all links, so a link
carries p N/(N - 1) / k of an injection's unit each; cutting the dimension in two shows that no routing does
better. Source: Ahn et al., HyperX, SC09.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from solvers.bound import Bound
from solvers.design.forms.base import Forms, Wish, allreduce_unknown, bisection_of, shapes, steps
from topologies.families import full_mesh
from topologies.families.base import ceil_div
from topologies.families.hyperx import Parameters


def members(wish: Wish) -> Iterator[Parameters]:
    """Yield HyperX of one to three dimensions for every number of accelerators on a router."""
    for lane in wish.lanes:
        planes = wish.planes(lane, 1)
        if not planes:
            continue
        for hosts in steps(1, min(lane.radix - 1, wish.accelerators)):
            for dims in _router_shapes(wish, hosts, lane.radix - hosts):
                yield Parameters.model_validate(
                    {"dims": dims, "p": hosts, "radix": lane.radix, "planes": planes, "gbps": lane.gbps}
                )


def _router_shapes(wish: Wish, hosts: int, links: int) -> Iterator[tuple[int, ...]]:
    """Yield shapes of routers with room for the accelerators that need at most `links` links of a router."""
    least, most = ceil_div(wish.accelerators, hosts), wish.most // hosts
    for dimensions in (1, 2, 3):
        if least < 2**dimensions or (links / dimensions + 1) ** dimensions < least:
            continue
        for dims in shapes(least, most, dimensions, aspect=2):
            if dims[0] > 1 and sum(dims) - len(dims) <= links:
                yield dims


def forms(p: Parameters) -> Forms:
    """Return the bounds of a HyperX."""
    return grid_forms(p.dims, p.p, p.gbps * p.planes, 1.0)


def mesh_members(wish: Wish) -> Iterator[full_mesh.Parameters]:
    """Yield full meshes of one to four dimensions whose ports give the injection."""
    for lane in wish.rates():
        for dimensions in (1, 2, 3, 4):
            for dims in shapes(wish.accelerators, wish.most, dimensions, aspect=4):
                planes = wish.planes(lane, sum(dims) - dimensions)
                if planes and dims[0] > 1:
                    yield full_mesh.Parameters.model_validate({"dims": dims, "planes": planes, "gbps": lane.gbps})


def mesh_forms(p: full_mesh.Parameters) -> Forms:
    """Return the bounds of a full mesh."""
    ports = sum(p.dims) - len(p.dims)
    return grid_forms(p.dims, 1, ports * p.gbps * p.planes, 1.0 / ports)


def grid_forms(dims: tuple[int, ...], hosts_per_router: int, injection_gbps: float, link: float) -> Forms:
    """Return the bounds of a grid of fully linked lines; `link` is the rate of a link in injections."""
    hosts = hosts_per_router * prod(dims)
    shortest = min(k for k in dims if k > 1)
    theta = link * shortest / hosts_per_router * (hosts - 1) / hosts
    alltoall = Bound(theta, theta, "straight lines meet the cut of a dimension")
    cut = min((link * k / (2 * hosts_per_router) for k in dims if k % 2 == 0), default=1.0)
    return Forms(
        hosts, injection_gbps, alltoall, allreduce_unknown(hosts), bisection_of(alltoall, hosts, cut),
        prod(dims) if hosts_per_router > 1 else 0, hosts_per_router if hosts_per_router > 1 else 0,
    )  # fmt: skip
