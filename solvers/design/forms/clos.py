"""Closed forms of sized trees (family `clos`), whose wiring `solvers.clos_trees` knows the throughput of.

Alltoall: what leaves a leaf or a pod, met by the routings of `solvers.clos_verify`. Allreduce: a ring, leaf by
leaf, is traffic of at most one accelerator of a leaf, and any traffic within a leaf's share is carried.
"""

from __future__ import annotations

from math import inf

from solvers.bound import Bound
from solvers.clos_verify import routed
from solvers.design.forms.base import Forms, bisection_of, ring_peak
from topologies.families.base import ceil_div
from topologies.families.clos import Parameters, build, shape


def forms(p: Parameters) -> Forms:
    """Return the bounds of a tree, the lower ones left out."""
    tree, n, injection = shape(p), p.hosts, p.gbps * p.planes
    names = (p.leaf_switch, p.spine_switch, p.core_switch)[: p.levels]
    counts = (tree.leaves, tree.spines, tree.cores)
    parts = tuple((name, count * p.planes) for name, count in zip(names, counts, strict=False))
    peak = ring_peak(n)
    if tree.leaves == 1:
        inside, whole, ring = (Bound(x, x, "below one switch") for x in (inf, 1.0, peak))
        return Forms(n, injection, inside, ring, whole, 1, n, parts=parts)
    rate = p.up_gbps or p.gbps
    theta = _crossing(min(p.down, n), tree.up, n)
    if tree.cores:
        theta = min(theta, _crossing(min(tree.pod_leaves * p.down, n), tree.pod_spines * tree.spine_up, n))
    alltoall = Bound(0.0, theta * rate / p.gbps, "what leaves a leaf or a pod")
    halves = min(1.0, ceil_div(tree.leaves, 2) * tree.up * rate / (n / 2 * p.gbps))
    return Forms(
        n, injection, alltoall, Bound(0.0, peak, "the ports of every host"), bisection_of(alltoall, n, halves),
        tree.leaves, p.down, tree.leaves * tree.up, rate, parts,
    )  # fmt: skip


def proven(p: Parameters) -> Forms:
    """Return the bounds with the lower ones that routing by hand proves."""
    known = forms(p)
    if known.leaves == 1:
        return known
    uniform, any_traffic = routed(build(p))
    upper, peak = known.alltoall.upper, known.allreduce.upper
    last = p.hosts - (known.leaves - 1) * p.down
    ring = peak * min(1.0, last * any_traffic)
    return Forms(
        known.hosts, known.injection_gbps,
        Bound(upper if uniform >= upper * (1 - 1e-9) else uniform, upper, "routed by hand, and what leaves a leaf"),
        Bound(ring, peak, "a ring, leaf by leaf"),
        Bound(min(any_traffic, known.bisection.upper), known.bisection.upper, "any traffic below, a cut above"),
        known.leaves, known.hosts_per_leaf, known.leaf_links, known.up_gbps, known.parts,
    )  # fmt: skip


def _crossing(inside: int, links: int, hosts: int) -> float:
    """Return the uniform traffic, in injections, that `links` at the rate of a host let out of `inside` hosts."""
    return links * (hosts - 1) / (inside * (hosts - inside)) if inside < hosts else inf
