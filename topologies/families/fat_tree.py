"""`fat-tree`: one to three levels, tapered at the leaf, 1:1 above, full or partial.

leaves = ceil(hosts / down), U = leaves * up up-links. Two levels: ceil(U / radix) spines. Three
levels: ceil(U / (radix/2)) aggregation switches in pods of radix/2 leaves and ceil(U / radix) cores.
Every leaf is bought fully cabled: leaves * down copper cables, U optical cables per level above. A
full tree has 2 (radix/2)^L hosts and (2L-1) (radix/2)^(L-1) switches (Al-Fares et al., SIGCOMM 2008);
counts for tapered and partial trees as in the cost table of HammingMesh (Hoefler et al., SC22).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from topologies.fabric import Fabric, FabricBuilder, Order, total_cables
from topologies.families.base import SwitchedModel, ceil_div, spec_text
from topologies.halving import Halving, tree_halving
from topologies.routing.up_down_tables import tree_routes
from topologies.trees import Tree, TreeNodes, clos, most_leaves, wire_above

Ints = NDArray[np.int64]


class Parameters(SwitchedModel):
    """Keys of `fat-tree`."""

    hosts: int | None = Field(None, ge=1, description="accelerators; default: as many as the tree carries")
    levels: int = Field(2, ge=1, le=3, description="levels of switches")
    down: int | None = Field(None, ge=1, description="leaf ports to hosts; default: radix/2, or what up leaves")
    up: int | None = Field(None, ge=1, description="leaf ports to the next level; default: what down leaves")

    @property
    def leaf_down(self) -> int:
        """Leaf ports that face hosts."""
        if self.levels == 1:
            return self.down or self.radix
        if self.down is None:
            return self.radix // 2 if self.up is None else self.radix - self.up
        return self.down

    @property
    def leaf_up(self) -> int:
        """Leaf ports that face the next level; 0 in a tree of one level."""
        if self.levels == 1:
            return 0
        return self.radix - self.leaf_down if self.up is None else self.up

    @property
    def n_hosts(self) -> int:
        """Hosts, given or as many as fit."""
        return self.hosts or most_leaves(self.radix, self.levels) * self.leaf_down

    @model_validator(mode="after")
    def _rules(self) -> Parameters:
        if self.levels == 1 and self.up is not None:
            raise ValueError(f"up={self.up} needs a level above the leaf; drop up or set levels=2")
        if self.levels == 3 and self.radix % 2:
            raise ValueError(
                f"radix={self.radix} must be even to split 1:1 above the leaf; "
                f"nearest: {self.radix - 1} or {self.radix + 1}"
            )
        least_up = 1 if self.levels > 1 else 0
        if self.leaf_down < 1 or self.leaf_up < least_up or self.leaf_down + self.leaf_up > self.radix:
            raise ValueError(
                f"a leaf needs down + up <= radix with both at least 1, but down={self.leaf_down} and "
                f"up={self.leaf_up} with radix={self.radix}; nearest: {_nearest_split(self)}"
            )
        most = most_leaves(self.radix, self.levels) * self.leaf_down
        if self.n_hosts > most:
            raise ValueError(f"hosts={self.hosts} is more than the {most} that this tree carries; {_remedy(self)}")
        return self


def _nearest_split(p: Parameters) -> str:
    if p.levels == 1:
        return f"down={p.radix}"
    down = min(p.leaf_down, p.radix - 1)
    return f"down={down},up={p.radix - down}"


def _remedy(p: Parameters) -> str:
    """Return the nearest legal hosts, depth and radix (with the same taper) for too many hosts."""
    offers = [f"hosts={most_leaves(p.radix, p.levels) * p.leaf_down}"]
    down = p.radix // 2 if p.levels == 1 else p.leaf_down
    deeper = (n for n in range(p.levels + 1, 4) if most_leaves(p.radix, n) * down >= p.n_hosts)
    offers += [f"levels={n}" for n in list(deeper)[:1]]
    radix = p.radix + 1
    while most_leaves(radix, p.levels) * (radix * p.leaf_down // p.radix) < p.n_hosts or radix % 2:
        radix += 1
    return f"nearest: {', '.join(offers)} or radix={radix} with the same taper"


def shape(p: Parameters) -> Tree:
    """Return the tree of one plane."""
    return clos(ceil_div(p.n_hosts, p.leaf_down), p.leaf_up, p.radix, p.levels)


def order(p: Parameters) -> Order:
    """Return what is bought over all planes."""
    tree = shape(p)
    cables = [("dac", tree.leaves * p.leaf_down), ("aoc", tree.leaves * tree.up * (p.levels - 1))]
    return Order((tree.leaves + tree.spines + tree.cores) * p.planes, total_cables(cables, p.planes))


def build(p: Parameters) -> Fabric:
    """Return the fat tree; hosts fill the leaves in order."""
    tree = shape(p)
    host_leaf = np.arange(p.n_hosts) // p.leaf_down
    pods = tree.leaf_pod if tree.cores else np.arange(tree.leaves)  # the subtree below the top level
    graph = FabricBuilder(p.n_hosts, pods[host_leaf])
    leaf = graph.switches("leaf", tree.leaves, 1, pods)
    graph.links(leaf[host_leaf], np.arange(p.n_hosts), "dac", p.gbps, p.latency_ns)
    at = TreeNodes(np.arange(p.n_hosts), host_leaf, wire_above(graph, tree, leaf, [(p.gbps, p.latency_ns)] * 2))
    return graph.build(
        spec_text("fat-tree", p), "fat-tree", p.planes, order(p), partial(tree_routes, tree, (at,)),
        p.switch_latency_ns, p.model_dump(),
    )  # fmt: skip


def symmetries(fabric: Fabric) -> Iterator[Ints]:
    """Yield the rotations of the full leaves of every pod and, if all pods reach the cores alike, of the full pods."""
    p = Parameters.model_validate(dict(fabric.parameters))
    tree, full = shape(p), p.n_hosts // p.leaf_down
    leaf, spine, in_pod = np.arange(tree.leaves), np.arange(tree.spines), tree.pod_leaves or tree.leaves
    start = leaf - leaf % in_pod
    turning = np.clip(full - start, 1, in_pod)
    yield _moved(fabric, p, np.where(leaf < full, start + (leaf - start + 1) % turning, leaf), spine)
    pods, per_pod = full // in_pod, int((tree.spine_links[0] < tree.pod_spines).sum()) // tree.bundle
    if tree.cores and pods and per_pod % tree.cores == 0:
        yield _moved(fabric, p, _rotated(leaf, in_pod, pods), _rotated(spine, tree.pod_spines, pods))


def _rotated(numbers: Ints, step: int, pods: int) -> Ints:
    """Move what belongs to the first `pods` pods, `step` to a pod, one pod on."""
    return np.where(numbers < pods * step, (numbers + step) % (pods * step), numbers)


def _moved(fabric: Fabric, p: Parameters, leaf: Ints, spine: Ints) -> Ints:
    """Return the permutation of all nodes that takes leaves, with their hosts, and spines there."""
    moved = np.arange(len(fabric.nodes))
    host_leaf, place = np.divmod(np.arange(p.n_hosts), p.leaf_down)
    moved[: p.n_hosts] = leaf[host_leaf] * p.leaf_down + place
    moved[p.n_hosts : p.n_hosts + len(leaf)] = p.n_hosts + leaf
    moved[p.n_hosts + len(leaf) :][: len(spine)] = p.n_hosts + len(leaf) + spine
    return moved


def halving(fabric: Fabric) -> Halving | None:
    """Return the bounds on what two halves exchange."""
    p = Parameters.model_validate(dict(fabric.parameters))
    return tree_halving(shape(p), p.n_hosts, p.leaf_down, 1.0)
