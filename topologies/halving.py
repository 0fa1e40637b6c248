"""Bisection in closed form: the bandwidth between two halves of a machine, for families whose wiring tells it.

Bandwidths are over half of all injections. A family module may define `halving(fabric)`; what it says is
about the undamaged fabric.
"""

from __future__ import annotations

from typing import NamedTuple

from topologies.fabric import Fabric
from topologies.trees import Tree


class Halving(NamedTuple):
    """Bounds on the least bandwidth between two halves; equal if the closed form is exact.

    `straight`: only of halves with a straight border between boards, digits or the like, which is what
    is published for these families; halves of other shapes may exchange less.
    """

    lower: float
    upper: float
    straight: bool = False


def closed_halving(fabric: Fabric) -> Halving | None:
    """Return what the family of a fabric knows about its halves, None if nothing."""
    from topologies.registry import FAMILIES, family_module

    if fabric.family not in FAMILIES:
        return None
    found: Halving | None = getattr(family_module(fabric.family), "halving", lambda fabric: None)(fabric)
    return found


def tree_halving(tree: Tree, hosts: int, down: float, up: float) -> Halving | None:
    """Return the bounds of a tree whose leaves have `down` hosts of rate 1 and up-links of rate `up`.

    With u = tree.up * up and m = floor(leaves / 2): a half that holds k whole leaves and cuts off e hosts
    beside needs e >= hosts/2 - down k, and each of its leaves cuts u where every up-link is spread evenly,
    so at least hosts/2 - (down - u) m is cut, and m full leaves on one side reach that. Where leaves have
    unequal numbers of links to spines, the lower bound counts what all spines have. None for trees of three
    levels with partial pods.
    """
    if not tree.up:
        return Halving(1.0, 1.0)
    if tree.cores and (tree.leaves % tree.pod_leaves or tree.pod_leaves * tree.up % tree.cores):
        return None
    even = tree.up - tree.up % tree.pod_spines
    pairs, half = tree.leaves // 2, hosts / 2
    lower = (half - max(down - even * up, 0.0) * pairs) / half
    exact = even == tree.up or down <= even * up
    return Halving(lower, lower if exact else 1.0)
