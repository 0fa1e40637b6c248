"""Closed forms of `torus`: exact for alltoall, and for bisection if the longest dimension is even.

Alltoall: in dimension order, alike in both directions, every link of a dimension of length k carries the
mean distance in it, k/4 or (k^2 - 1)/(4k) of all N places; cutting the longest ring in half shows that no
routing does better. Allreduce: reduce-scatter along one dimension after the other, 2 d parts at once, as
`solvers.collectives.torus`. Bisection: across the longest dimension. Source: Dally and Towles, Principles
and Practices of Interconnection Networks, chapter 5.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

import numpy as np

from solvers.bound import Bound
from solvers.design.forms.base import Forms, Wish, bisection_of, ring_peak, shapes
from topologies.families.torus import Parameters

SIDES = {2: (1, 2, 4), 3: (1, 2), 4: (1, 2)}
"""Sides of a board by the number of dimensions."""


def members(wish: Wish) -> Iterator[Parameters]:
    """Yield tori of two to four dimensions, none much longer than another, with boards of each legal size."""
    for lane in wish.rates():
        for dimensions, sides in SIDES.items():
            planes = wish.planes(lane, 2 * dimensions)
            if not planes:
                continue
            for side in sides:
                if side**dimensions <= wish.board:
                    yield from _of_shape(wish, dimensions, side, {"planes": planes, "gbps": lane.gbps})


def _of_shape(wish: Wish, dimensions: int, side: int, common: dict[str, float]) -> Iterator[Parameters]:
    for dims in shapes(wish.accelerators, wish.most, dimensions, side):
        if dims[0] > 2:
            yield Parameters.model_validate({"dims": dims, "board": (side,) * dimensions, **common})


def forms(p: Parameters) -> Forms:
    """Return the bounds of a torus without twist."""
    hosts = prod(p.dims)
    ports = [min(k - 1, 2) for k in p.dims]
    mean = [k / 4 if k % 2 == 0 else (k * k - 1) / (4 * k) for k in p.dims]
    theta = min(n / sum(ports) / (m * hosts / (hosts - 1)) for n, m in zip(ports, mean, strict=True) if n)
    alltoall = Bound(theta, theta, "dimension order meets the cut of the longest ring")
    # cut in the middle a ring of k > 2 loses two links, one of 2 a single one
    cut = min((2 * n / k / sum(ports) for k, n in zip(p.dims, ports, strict=True) if k % 2 == 0), default=1.0)
    bisection = bisection_of(alltoall, hosts, cut)
    return Forms(hosts, sum(ports) * p.gbps * p.planes, alltoall, _allreduce(p.dims, ports, hosts), bisection)


def _allreduce(dims: tuple[int, ...], ports: list[int], hosts: int) -> Bound:
    """Return the bounds by the torus algorithm, whose two directions have a link each, and by every host's ports."""
    peak = ring_peak(hosts)
    if min(ports) < 2:
        return Bound(0.0, peak, "the ports of every host")
    d, along = len(dims), np.zeros(len(dims))
    for first in range(d):
        left = 1.0 / (2 * d)
        for k in np.roll(np.arange(d), -first).tolist():
            along[k] += 2 * left * (dims[k] - 1) / dims[k]
            left /= dims[k]
    lower = min(peak, 1 / sum(ports) / float(along.max()))
    return Bound(
        peak if peak - lower <= 1e-9 * peak else lower, peak, "torus algorithm below, every host's ports above"
    )
