"""What the closed forms of all families share: the wish they answer, the bounds they give, simple bounds.

A family's file has `members(wish)`, which yields checked parameters of fabrics that carry the accelerators,
and `forms(p)`, which bounds a member's bandwidth without building it. Bandwidths are in injections, as those
of `solvers.bandwidth`; a lower bound of 0 says that the form knows none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf, prod

from solvers.bound import Bound
from topologies.families.base import ceil_div

FINE = 64
"""Most values that are tried of one parameter; a larger range is tried in steps."""


@dataclass(frozen=True)
class Lane:
    """A way to use a switch: `radix` ports of `gbps`."""

    gbps: float
    radix: int


@dataclass(frozen=True)
class Wish:
    """What members must carry: accelerators, each with `injection_gbps` over all planes.

    `lanes`: the switch ports that can be bought. `island`: accelerators of a server that NVLink joins, 1 if
    none. `board`: most accelerators on a board of traces. `excess`: share of accelerators that a member may
    have more than wanted.
    """

    accelerators: int
    injection_gbps: float
    lanes: tuple[Lane, ...]
    island: int = 1
    board: int = 16
    excess: float = 0.05

    @property
    def most(self) -> int:
        """Most accelerators a member may have."""
        return int(self.accelerators * (1 + self.excess))

    def planes(self, lane: Lane, ports: int) -> int:
        """Return how many planes give an accelerator its injection with `ports` ports in each, 0 if no number does."""
        count = self.injection_gbps / (lane.gbps * ports)
        return round(count) if abs(count - round(count)) < 1e-9 else 0

    def rates(self) -> list[Lane]:
        """Return one lane for each rate, for fabrics without switches."""
        best: dict[float, Lane] = {}
        for lane in self.lanes:
            best.setdefault(lane.gbps, lane)
        return list(best.values())


@dataclass(frozen=True)
class Forms:
    """Bounds of one member, and for its cabling, of a plane: `leaves` boxes have at most `hosts_per_leaf` hosts
    each (0 where that is not so), and `leaf_links` links lead from them to switches of a higher level, at
    `up_gbps` if not at the rate of the hosts. `parts`: parts of switches and how many over all planes, where the
    member says which.
    """

    hosts: int
    injection_gbps: float
    alltoall: Bound
    allreduce: Bound
    bisection: Bound
    leaves: int = 0
    hosts_per_leaf: int = 0
    leaf_links: int = 0
    up_gbps: float | None = None
    parts: tuple[tuple[str, int], ...] = ()


def steps(low: int, high: int) -> range:
    """Return at most about `FINE` values from low to high."""
    return range(low, high + 1, max(1, (high - low + 1) // FINE))


def ring_peak(hosts: int) -> float:
    """Return the most that any allreduce reaches: what leaves a host must be 2 (n - 1)/n vectors."""
    return hosts / (2 * (hosts - 1)) if hosts > 1 else inf


def allreduce_unknown(hosts: int) -> Bound:
    """Return the bound that holds for every fabric."""
    return Bound(0.0, ring_peak(hosts), "the ports of every host")


def bisection_of(alltoall: Bound, hosts: int, cut: float = 1.0) -> Bound:
    """Return bounds on the bisection, over hosts/2 injections: an alltoall crosses every one of them; `cut` is one."""
    lower = min(1.0, cut, alltoall.lower * hosts / (2 * (hosts - 1))) if alltoall.lower < inf else 1.0
    return Bound(lower, max(lower, min(1.0, cut)), "alltoall across it below, one cut above")


def by_distance(degree: float, hosts_per_router: int, routers: int, most_near: Sequence[int]) -> float:
    """Return the upper bound on alltoall that distances give routers of `degree` links.

    `most_near[k]` routers are at most k + 1 links away; each farther one at least one link more.
    """
    left, total = routers - 1, 0
    for k, near in enumerate(most_near, start=1):
        here = min(left, near)
        total, left = total + k * here, left - here
    total += (len(most_near) + 1) * left
    hosts = hosts_per_router * routers
    crossing = hosts_per_router * total * hosts_per_router / (hosts - 1) if hosts > 1 else 0
    return degree / crossing if crossing else inf


def shapes(total: int, most: int, dimensions: int, step: int = 1, aspect: int = 4) -> Iterator[tuple[int, ...]]:
    """Yield ascending shapes of so many dimensions, all multiples of `step`, with `total` to `most` places.

    No side is more than `aspect` times the shortest one; the last side is as short as the others allow.
    """
    yield from _shapes(total, most, dimensions, step, aspect, ())


def _shapes(
    total: int, most: int, left: int, step: int, aspect: int, sides: tuple[int, ...]
) -> Iterator[tuple[int, ...]]:
    done, side = prod(sides), sides[-1] if sides else step
    if left == 1:
        side = max(ceil_div(ceil_div(total, done), step) * step, side)
        if side * done <= most and (not sides or side <= aspect * sides[0]):
            yield (*sides, side)
        return
    while done * side**left <= most:
        if done * side * (aspect * (sides[0] if sides else side)) ** (left - 1) >= total:
            yield from _shapes(total, most, left - 1, step, aspect, (*sides, side))
        side += step
