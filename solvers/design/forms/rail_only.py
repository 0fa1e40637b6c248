"""Bounds of `rail-only`: what leaves a server through its NICs; the islands forward between rails.

An allreduce may use the island first: of a server's s accelerators each needs to send but a part of the
vector. Nothing is known below without building it.
"""

from __future__ import annotations

from collections.abc import Iterator

from solvers.bound import Bound
from solvers.design.forms.base import Forms, Wish, bisection_of
from topologies.families.base import ceil_div
from topologies.families.rail_only import Parameters


def members(wish: Wish) -> Iterator[Parameters]:
    """Yield the rail-only fabric for every way to use a switch, for servers whose accelerators form an island."""
    if wish.island < 2:
        return
    gpus = ceil_div(wish.accelerators, wish.island) * wish.island
    for lane in wish.lanes:
        planes = wish.planes(lane, 1)
        if planes and lane.radix % 2 == 0:
            p = {"gpus": gpus, "rails": wish.island, "radix": lane.radix, "planes": planes, "gbps": lane.gbps}
            if gpus // wish.island <= lane.radix**3 // 4:
                yield Parameters.model_validate(p)


def forms(p: Parameters) -> Forms:
    """Return the bounds of a rail-only fabric."""
    outside = p.gpus - p.rails
    alltoall = Bound(0.0, (p.gpus - 1) / outside if outside else float("inf"), "what leaves a server")
    peak = p.rails * p.gpus / (2 * outside) if outside else float("inf")
    allreduce = Bound(0.0, peak, "what leaves a server")
    return Forms(p.gpus, p.gbps * p.planes, alltoall, allreduce, bisection_of(alltoall, p.gpus))
