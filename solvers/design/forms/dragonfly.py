"""Bounds of `dragonfly` and `dragonfly-plus`: what leaves a group or leaf, and distances between routers.

Nothing is known below without building them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from solvers.bound import Bound
from solvers.design.forms.base import Forms, Wish, allreduce_unknown, bisection_of, by_distance, steps
from topologies.families import dragonfly_plus
from topologies.families.base import ceil_div
from topologies.families.dragonfly import Parameters

RATIOS = (0.25, 0.5, 0.75, 1.0, 1.5)
"""Links between groups for each accelerator of a router that are tried."""


def members(wish: Wish) -> Iterator[Parameters]:
    """Yield Dragonflies with groups of every size that the ports allow and some ratios of links between groups."""
    for lane in wish.lanes:
        planes = wish.planes(lane, 1)
        for p in steps(1, lane.radix // 2) if planes else ():
            for h in sorted({max(1, round(p * ratio)) for ratio in RATIOS}):
                for a in _group_sizes(lane.radix - p - h + 1, p):
                    groups = _groups(wish, a * p, a * h + 1)
                    if groups:
                        yield Parameters.model_validate(
                            {"p": p, "a": a, "h": h, "g": groups} | _common(lane.radix, planes, lane.gbps)
                        )


def plus_members(wish: Wish) -> Iterator[dragonfly_plus.Parameters]:
    """Yield Dragonfly+ for every number of accelerators on a leaf and three sizes of groups."""
    for lane in wish.lanes:
        planes = wish.planes(lane, 1)
        half = lane.radix // 2
        for p in steps(1, lane.radix - 1) if planes else ():
            spines = min(lane.radix - p, half)
            for leaves in sorted({half, max(half // 2, 1), min(2 * half - 1, half + half // 2)}):
                h = lane.radix - leaves
                groups = _groups(wish, leaves * p, spines * h + 1) if h > 0 else 0
                if groups:
                    yield dragonfly_plus.Parameters.model_validate(
                        {"p": p, "leaves": leaves, "spines": spines, "h": h, "g": groups}
                        | _common(lane.radix, planes, lane.gbps)
                    )


def _common(radix: int, planes: int, gbps: float) -> dict[str, Any]:
    return {"radix": radix, "planes": planes, "gbps": gbps}


def _group_sizes(most: int, p: int) -> list[int]:
    """Return some numbers of routers in a group, up to what the ports allow."""
    wanted = {p, 2 * p, 3 * p, most, 3 * most // 4, most // 2}
    return sorted(a for a in wanted if 2 <= a <= most)


def _groups(wish: Wish, in_group: int, most: int) -> int:
    groups = ceil_div(wish.accelerators, in_group)
    return groups if 2 <= groups <= most and groups * in_group <= wish.most else 0


def forms(p: Parameters) -> Forms:
    """Return the bounds of a Dragonfly."""
    hosts, group = p.p * p.a * p.groups, p.p * p.a
    between = p.a * p.h / (group * (hosts - group) / (hosts - 1))
    near = [p.a - 1 + p.h, 2 * p.h * (p.a - 1) + p.h * (p.h - 1)]  # routers one and two links away, at most
    far = by_distance(p.a - 1 + p.h, p.p, p.a * p.groups, near)
    alltoall = Bound(0.0, min(between, far), "what leaves groups, and distances")
    half = p.groups // 2
    cut = half * half * ceil_div(p.a * p.h, p.groups - 1) / (hosts / 2) if p.groups % 2 == 0 else 1.0
    return Forms(
        hosts, p.gbps * p.planes, alltoall, allreduce_unknown(hosts), bisection_of(alltoall, hosts, cut),
        p.a * p.groups, p.p,
    )  # fmt: skip


def plus_forms(p: dragonfly_plus.Parameters) -> Forms:
    """Return the bounds of a Dragonfly+."""
    group = p.p * p.leaves
    hosts = group * p.groups
    between = p.spines * p.h / (group * (hosts - group) / (hosts - 1))
    leaf = p.spines / (p.p * (hosts - p.p) / (hosts - 1))
    alltoall = Bound(0.0, min(between, leaf), "what leaves groups and leaves")
    return Forms(
        hosts, p.gbps * p.planes, alltoall, allreduce_unknown(hosts), bisection_of(alltoall, hosts),
        p.leaves * p.groups, p.p,
    )  # fmt: skip
