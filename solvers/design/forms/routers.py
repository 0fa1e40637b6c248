"""Bounds of router graphs: Slim Fly, PolarFly, Jellyfish, Xpander.

Alltoall, above: the sum of the shortest distances that so many routers of this degree can have; for the
graphs of diameter two it is the true one. Below, nothing is known without building them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from solvers.bound import Bound
from solvers.design.forms.base import Forms, Lane, Wish, allreduce_unknown, bisection_of, by_distance, steps
from topologies.families import free_form, jellyfish, polarfly, slimfly, xpander
from topologies.families.base import FamilyModel, ceil_div


def slimfly_members(wish: Wish) -> Iterator[slimfly.Parameters]:
    """Yield Slim Flies with every number of accelerators on a router that carries the accelerators."""
    for lane, planes in _lanes(wish):
        for q in range(3, lane.radix):
            if slimfly.legal_q(q):
                degree = slimfly.Parameters.model_validate({"q": q}).degree
                for p in _per_router(wish, 2 * q * q, lane.radix - degree):
                    yield slimfly.Parameters.model_validate({"q": q, "p": p, **_common(lane, planes)})


def polarfly_members(wish: Wish) -> Iterator[polarfly.Parameters]:
    """Yield PolarFlies likewise."""
    for lane, planes in _lanes(wish):
        for q in range(2, lane.radix):
            if polarfly.legal_q(q):
                for p in _per_router(wish, q * q + q + 1, lane.radix - q - 1):
                    yield polarfly.Parameters.model_validate({"q": q, "p": p, **_common(lane, planes)})


def jellyfish_members(wish: Wish) -> Iterator[jellyfish.Parameters]:
    """Yield random graphs for every number of accelerators on a switch, all other ports being links."""
    for lane, planes in _lanes(wish):
        for p in steps(1, lane.radix - 3):
            switches, degree = ceil_div(wish.accelerators, p), lane.radix - p
            degree = min(degree, switches - 1)
            switches += degree * switches % 2
            if degree > 1 and switches * p <= max(wish.most, wish.accelerators + p):
                yield jellyfish.Parameters.model_validate(
                    {"switches": switches, "degree": degree, "hosts_per_switch": p, **_common(lane, planes)}
                )


def xpander_members(wish: Wish) -> Iterator[xpander.Parameters]:
    """Yield lifts of complete graphs likewise."""
    for lane, planes in _lanes(wish):
        for p in steps(1, lane.radix - 3):
            degree = lane.radix - p
            switches = ceil_div(ceil_div(wish.accelerators, p), degree + 1) * (degree + 1)
            if switches * p <= wish.most and switches > degree + 1:
                yield xpander.Parameters.model_validate(
                    {"switches": switches, "degree": degree, "hosts_per_switch": p, **_common(lane, planes)}
                )


def _lanes(wish: Wish) -> Iterator[tuple[Lane, int]]:
    for lane in wish.lanes:
        planes = wish.planes(lane, 1)
        if planes:
            yield lane, planes


def _common(lane: Lane, planes: int) -> dict[str, Any]:
    return {"radix": lane.radix, "planes": planes, "gbps": lane.gbps}


def _per_router(wish: Wish, routers: int, free: int) -> range:
    """Return the one number of accelerators on a router that fits, if it is near what is wanted."""
    p = ceil_div(wish.accelerators, routers)
    return range(p, p + (p <= free and p * routers <= wish.most))


def slimfly_forms(p: slimfly.Parameters) -> Forms:
    """Return the bounds of a Slim Fly."""
    return _forms(p, p.hosts_per_router, 2 * p.q * p.q, p.degree, [p.degree])


def polarfly_forms(p: polarfly.Parameters) -> Forms:
    """Return the bounds of a PolarFly, whose degree is q + 1 but for the q + 1 routers of degree q."""
    routers = p.q * p.q + p.q + 1
    degree = p.q * (p.q + 1) ** 2 / routers
    return _forms(p, p.hosts_per_router, routers, degree, [p.q + 1])


def random_forms(p: jellyfish.Parameters | xpander.Parameters) -> Forms:
    """Return the bounds of a random regular graph, by the most routers at each distance."""
    near, k = [p.degree], p.degree * (p.degree - 1)
    while sum(near) < p.switches and len(near) < 6:
        near.append(k)
        k *= p.degree - 1
    return _forms(p, p.hosts_per_switch, p.switches, p.degree, near)


def free_forms(p: free_form.Parameters) -> Forms:
    """Return the bounds of a free-form fabric, by the cables of its least joined switch."""
    least, h = int(free_form.cables(p).sum(axis=1).min()), p.hosts_per_switch
    hosts = h * p.switches
    alltoall = Bound(0.0, least * (hosts - 1) / (h * (hosts - h)), "what leaves a switch")
    return Forms(
        hosts, p.gbps * p.planes, alltoall, allreduce_unknown(hosts), bisection_of(alltoall, hosts), p.switches, h
    )  # fmt: skip


def _forms(p: FamilyModel, hosts_per_router: int, routers: int, degree: float, near: list[int]) -> Forms:
    hosts = hosts_per_router * routers
    alltoall = Bound(0.0, by_distance(degree, hosts_per_router, routers, near), "distances")
    return Forms(
        hosts, p.gbps * p.planes, alltoall, allreduce_unknown(hosts), bisection_of(alltoall, hosts), routers,
        hosts_per_router,
    )  # fmt: skip
