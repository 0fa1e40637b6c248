"""Closed forms of `rail`: a nonblocking tree; server s has its accelerator r on leaf r of its segment."""

from __future__ import annotations

from collections.abc import Iterator

from solvers.design.forms.base import Forms, Wish
from solvers.design.forms.trees import proven_tree, tree_forms
from topologies.families.base import ceil_div
from topologies.families.rail import Parameters, shape
from topologies.trees import most_leaves


def members(wish: Wish) -> Iterator[Parameters]:
    """Yield the rail-optimised trees of two and three levels, for servers whose accelerators form an island."""
    if wish.island < 2:
        return
    gpus = ceil_div(wish.accelerators, wish.island) * wish.island
    for lane in wish.lanes:
        planes = wish.planes(lane, 1)
        if not planes or lane.radix % 2:
            continue
        for levels in (2, 3):
            if gpus <= most_leaves(lane.radix, levels) // wish.island * wish.island * (lane.radix // 2):
                yield Parameters.model_validate(
                    {"gpus": gpus, "rails": wish.island, "levels": levels, "radix": lane.radix, "planes": planes,
                     "gbps": lane.gbps}
                )  # fmt: skip


def forms(p: Parameters) -> Forms:
    """Return the bounds of a rail-optimised tree without the help of the islands, some lower ones left out.

    Every leaf is taken to be as full as the fullest one.
    """
    return tree_forms(shape(p), min(p.down, p.gpus // p.rails), p.gpus, p.gbps * p.planes)


def proven(p: Parameters) -> Forms:
    """Return all bounds."""
    return proven_tree(shape(p), min(p.down, p.gpus // p.rails), p.gpus, p.gbps * p.planes)
