"""The tables of the `up_down` rule for a tree that sits in a fabric."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from topologies.routes import ROUTE_NODE, Routes
from topologies.routing.words import Words, running_offsets
from topologies.trees import Tree, TreeNodes
from uet.base.tables import Records

Ints = NDArray[np.int64]
UP_DOWN_SENTENCE = "every path goes up and then down, so waits run from lower to higher links and never back"


def tree_routes(tree: Tree, places: Sequence[TreeNodes], nodes: Records, ports: Records) -> Routes:
    """Return the `up_down` routes of equal trees; `up_down` documents the fields."""
    rows = ROUTE_NODE.zeros(len(nodes))
    rows["first_port"], rows["level"] = nodes["first_port"], nodes["level"]
    restricted = _restricted_pod(tree)
    words = Words(restricted, 0, 0)
    for at in places:
        _fill_hosts(rows, tree, at, ports)
        leaf = slice(at.first[0], at.first[0] + tree.leaves)
        rows["index"][leaf], rows["b"][leaf] = np.arange(tree.leaves), tree.leaf_pod
        rows["a"][leaf], rows["c"][leaf] = nodes["n_ports"][leaf] - tree.up, tree.up
        if tree.spines:
            _fill_spines(rows, words, tree, at, nodes)
        if tree.cores:
            _fill_cores(rows, words, tree, at)
        if restricted >= 0:
            _fill_restricted(rows, words, tree, at)
    return Routes("up_down", rows, words.table(), 1, UP_DOWN_SENTENCE)


def _fill_hosts(rows: Records, tree: Tree, at: TreeNodes, ports: Records) -> None:
    leaf, pod = at.host_leaf, tree.leaf_pod[at.host_leaf]
    rows["a"][at.hosts] = leaf - pod * (tree.pod_leaves or tree.leaves)
    rows["b"][at.hosts], rows["c"][at.hosts] = pod, leaf
    far = ports["peer"][rows["first_port"][at.hosts]]
    rows["d"][at.hosts] = far - rows["first_port"][at.first[0] + leaf]


def _fill_spines(rows: Records, words: Words, tree: Tree, at: TreeNodes, nodes: Records) -> None:
    """Down-link offsets by leaf of the pod: word a + i .. a + i + 1 delimit the ports to leaf i."""
    spine = slice(at.first[1], at.first[1] + tree.spines)
    leaf, above = tree.leaf_links
    child = leaf - tree.leaf_pod[leaf] * tree.pod_leaves
    offsets = running_offsets(above, child, tree.spines, tree.pod_leaves)
    rows["b"][spine], rows["a"][spine] = tree.spine_pod, words.append_rows(offsets)
    down = offsets[:, -1]
    rows["e"][spine], rows["c"][spine] = down, nodes["n_ports"][spine] - down


def _fill_cores(rows: Records, words: Words, tree: Tree, at: TreeNodes) -> None:
    """Down-link offsets by pod."""
    core = slice(at.first[2], at.first[2] + tree.cores)
    spine, above = tree.spine_links
    rows["a"][core] = words.append_rows(running_offsets(above, tree.spine_pod[spine], tree.cores, tree.pods))


def _restricted_pod(tree: Tree) -> int:
    """Return the pod that has fewer up-links than there are cores, or -1; only the last one can."""
    if not tree.cores or tree.pods < 2:
        return -1
    last = np.count_nonzero(tree.spine_pod[tree.spine_links[0]] == tree.pods - 1)
    return tree.pods - 1 if last < tree.cores else -1


def _fill_restricted(rows: Records, words: Words, tree: Tree, at: TreeNodes) -> None:
    """List, for leaves and spines of the other pods, the up-links that lead to the restricted pod.

    Word d holds how many there are and d + 1.. their numbers among the node's up-links.
    """
    spine, core = tree.spine_links
    reaches = np.zeros(tree.cores, bool)
    reaches[core[tree.spine_pod[spine] == tree.pods - 1]] = True
    useful = _ranks_within(spine, reaches[core], tree.spines)
    rows["d"][at.first[1] : at.first[1] + tree.spines] = words.append_rows(useful)
    leaf, above = tree.leaf_links
    useful = _ranks_within(leaf, useful[above, 0] > 0, tree.leaves)
    rows["d"][at.first[0] : at.first[0] + tree.leaves] = words.append_rows(useful)


def _ranks_within(owner: Ints, wanted: NDArray[np.bool_], n_owners: int) -> Ints:
    """Return per owner the count of wanted links and their ranks among its links, in owner order."""
    counts = np.bincount(owner, minlength=n_owners)
    rank = np.arange(len(owner)) - (np.cumsum(counts) - counts)[owner]
    kept = np.bincount(owner[wanted], minlength=n_owners)
    slot = np.arange(int(wanted.sum())) - (np.cumsum(kept) - kept)[owner[wanted]]
    ranks = np.zeros((n_owners, 1 + int(kept.max(initial=0))), np.int64)
    ranks[:, 0] = kept
    ranks[owner[wanted], 1 + slot] = rank[wanted]
    return ranks
