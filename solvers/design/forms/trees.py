"""Closed forms of folded Clos trees: `fat-tree` and `rail`.

Alltoall. Above: what leaves a leaf, theta <= up (n - 1) / (h (n - h)) for h hosts on n. Below, on two
levels: with a_ls the share of leaf l's up-links that lead to spine s and t_s its mean over all hosts, let
leaf i send to leaf j by way of s the share a_is + a_js - t_s. Shares are not negative while every leaf
reaches every spine well enough, they sum to 1, and the load of every link follows; if all bundles are
equal both bounds agree. On three levels with full pods the same holds between pods and cores, and inside
the pods up-links are used evenly. Bisection: with equal bundles any demand that leaves no leaf with more
than its up-links fits, so that every half gets min(1, up/h). Allreduce: a ring, leaf by leaf, crosses
each link at most once in each direction.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import inf

import numpy as np

from solvers.bound import Bound
from solvers.design.forms.base import Forms, Wish, bisection_of, ring_peak, steps
from solvers.network import Floats
from topologies.fabric import Order, total_cables
from topologies.families.base import ceil_div
from topologies.families.fat_tree import Parameters, shape
from topologies.trees import Tree, most_leaves


def members(wish: Wish) -> Iterator[Parameters]:
    """Yield trees of one to three levels: every split of the leaf's ports that carries the accelerators."""
    n = wish.accelerators
    for lane in wish.lanes:
        planes, radix = wish.planes(lane, 1), lane.radix
        if not planes:
            continue
        common = {"radix": radix, "planes": planes, "gbps": lane.gbps}
        if n <= radix:
            yield Parameters.model_validate({"hosts": n, "levels": 1, **common})
        for levels in (2, 3):
            if levels == 3 and radix % 2:
                continue
            least = max(ceil_div(n, most_leaves(radix, levels)), 1 if levels == 2 else radix // 4)
            leaves = {ceil_div(n, down) for down in steps(least, radix - 1)} - {1}
            for down in sorted({ceil_div(n, count) for count in leaves}):  # fewer hosts on as many leaves are better
                for up in steps(1, min(radix - down, down)):
                    yield Parameters.model_validate({"hosts": n, "levels": levels, "down": down, "up": up, **common})


def forms(p: Parameters) -> Forms:
    """Return the bounds of a fat tree, the lower ones of alltoall and bisection left out."""
    return tree_forms(shape(p), p.leaf_down, p.n_hosts, p.gbps * p.planes)


def proven(p: Parameters) -> Forms:
    """Return all bounds of a fat tree."""
    return proven_tree(shape(p), p.leaf_down, p.n_hosts, p.gbps * p.planes)


def tree_forms(tree: Tree, down: int, hosts: int, injection_gbps: float) -> Forms:
    """Return the upper bounds of a tree with `down` hosts on every leaf, but perhaps the last, and its allreduce."""
    ring = Bound(ring_peak(hosts), ring_peak(hosts), "a ring, leaf by leaf")
    if tree.leaves == 1:
        inside = Bound(inf, inf, "below one switch")
        return Forms(hosts, injection_gbps, inside, ring, Bound(1.0, 1.0, "below one switch"), 1, hosts)
    alltoall = Bound(0.0, tree.up / (down * (hosts - down) / (hosts - 1)), "what leaves a leaf")
    halves = min(1.0, ceil_div(tree.leaves, 2) * tree.up / (hosts / 2))
    return Forms(
        hosts, injection_gbps, alltoall, ring, bisection_of(alltoall, hosts, halves), tree.leaves, down,
        tree.leaves * tree.up,
    )  # fmt: skip


def proven_tree(tree: Tree, down: int, hosts: int, injection_gbps: float) -> Forms:
    """Return the bounds of `tree_forms` with lower ones."""
    known = tree_forms(tree, down, hosts, injection_gbps)
    if tree.leaves == 1:
        return known
    upper, halves = known.alltoall.upper, known.bisection.upper
    lower = (_three_levels(tree, down) if tree.cores else _two_levels(tree, down)) * (hosts - 1)
    alltoall = Bound(
        upper if lower >= upper * (1 - 1e-9) else lower,
        upper,
        "even shares of up-links below, what leaves a leaf above",
    )
    bisection = bisection_of(alltoall, hosts, halves)
    if _even(tree):
        least = max(bisection.lower, min(1.0, tree.up / down, halves))
        bisection = Bound(least, halves, "any admissible demand below, a cut above")
    return replace(known, alltoall=alltoall, bisection=bisection)


def first_stage(p: Parameters, accelerators: int) -> Order:
    """Return what a first stage orders: its leaves with all their links, whole pods, and all of the top level."""
    tree, down = shape(p), p.leaf_down
    leaves = ceil_div(accelerators, down)
    spines = ceil_div(leaves, tree.pod_leaves) * tree.pod_spines if tree.cores else tree.spines
    cables = [("dac", leaves * down), ("aoc", leaves * tree.up * (p.levels - 1))]
    switches = leaves + min(spines, tree.spines) + tree.cores
    return Order(switches * p.planes, total_cables(cables, p.planes))


def _even(tree: Tree) -> bool:
    """Tell whether every leaf has as many links to each spine of its pod, and every pod to each core."""
    if tree.cores and tree.leaves % tree.pod_leaves:
        return False
    per_pod = tree.pod_spines if tree.cores else tree.spines
    if tree.up % per_pod:
        return False
    return not tree.cores or len(np.unique(_pod_links(tree))) == 1


def _two_levels(tree: Tree, down: int) -> float:
    """Return the flow between every two hosts, in links, that even shares of up-links carry."""
    leaf, spine = tree.leaf_links
    links = np.zeros((tree.leaves, tree.spines))
    np.add.at(links, (leaf, spine), 1)
    load = _shared_load(links, down)
    return float((links[load > 0] / load[load > 0]).min()) if load.size else 0.0


def _shared_load(links: Floats, weight: float) -> Floats:
    """Return the load of every bundle for a unit flow between hosts, [subtrees, tops]; empty if a share is negative.

    `weight` hosts hang on every subtree; `links` [subtrees, tops] is the size of each bundle.
    """
    share = links / links.sum(axis=1, keepdims=True)
    mean = share.mean(axis=0)
    if (2 * share.min(axis=0) < mean - 1e-12).any():
        return np.zeros(0)
    total = weight * len(links)
    load: Floats = weight * ((total - 2 * weight) * share + weight * mean)
    return load


def _pod_links(tree: Tree) -> Floats:
    spine, core = tree.spine_links
    links = np.zeros((tree.pods, tree.cores))
    np.add.at(links, (tree.spine_pod[spine], core), 1)
    return links


def _three_levels(tree: Tree, down: int) -> float:
    """Return the same for three levels; 0 where a pod is not full."""
    if tree.leaves % tree.pod_leaves or tree.up != tree.pod_spines or tree.spine_taper != (1, 1):
        return 0.0
    links, in_pod = _pod_links(tree), tree.pod_leaves * down
    outside = in_pod * (tree.pods - 1)
    if tree.pods == 1:
        return tree.up / (down * (in_pod - down))
    load = _shared_load(links, in_pod)
    if not load.size:
        return 0.0
    mean = in_pod * outside / links.sum(axis=1, keepdims=True)
    uneven = float((load / links / mean).max())
    return tree.up / (down * (outside * uneven + in_pod - down))
