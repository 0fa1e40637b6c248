"""Up and down in a tree: down if the destination lies below this switch, else over any up-link.

Fields of ROUTE_NODE: `level` 0 host, 1 leaf, 2 spine, 3 core, and
    host   a leaf's number within its pod, b pod, c leaf, d its port on the leaf
    leaf   index its number, a ports facing hosts, b pod, c up-links, d list for the restricted pod
    spine  a word of its down-link offsets by leaf, b pod, c up-links, d as leaf, e down-links
    core   a word of its down-link offsets by pod
Several equal trees, each for some of the hosts, may share the tables.
Word 0 names the restricted pod, which not every core reaches, or -1; words 1 and 2 belong to `islands`.

Memory: 32 bytes a node and 4 bytes per (spine, leaf of its pod) and (core, pod); trees with a
restricted pod 4 bytes more per up-link. The set is every minimal next hop.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from topologies.routing.next_hop import node_at, pack, pick, word_at
from uet.base.jit import kernel


@kernel
def next_hop(r: Any, node: int, destination: int, vc: int, choice: int) -> int:
    """Return the packed next hop from `node` towards host `destination`; -1 if there is none."""
    here, there = node_at(r, node), node_at(r, destination)
    level, first = here["level"], np.int64(here["first_port"])
    if level == 0:
        return -1 if node == destination else pack(first, vc, 1)
    if level == 1 and here["index"] == there["c"]:
        return pack(first + there["d"], vc, 1)
    if level == 3:
        return _down(r, first, here["a"] + there["b"], vc, choice)
    if level == 2 and here["b"] == there["b"]:
        return _down(r, first, here["a"] + there["a"], vc, choice)
    first += here["a"] if level == 1 else here["e"]
    if there["b"] != word_at(r, 0)["value"] or here["b"] == there["b"]:
        size = np.int64(here["c"])
        return pack(first + pick(choice, size), vc, size) if size else -1
    size = np.int64(word_at(r, here["d"])["value"])
    if size == 0:
        return -1
    return pack(first + word_at(r, here["d"] + 1 + pick(choice, size))["value"], vc, size)


@kernel
def _down(r: Any, first: int, word: int, vc: int, choice: int) -> int:
    """Return one of the parallel links to the child whose offset stands in `word`."""
    start = np.int64(word_at(r, word)["value"])
    size = word_at(r, word + 1)["value"] - start
    return pack(first + start + pick(choice, size), vc, size) if size else -1
