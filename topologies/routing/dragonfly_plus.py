"""Minimal routing on a Dragonfly+: up to a spine, over one link between groups, down to the leaf.

A leaf offers every spine with a link to the destination's group (every spine, for another leaf of its own
group); a spine offers all its links to that group. The set is every minimal next hop. Every path goes up,
across and down, so one channel suffices.

Fields of ROUTE_NODE:
    level  0 host, 1 leaf, 2 spine
    a      group, b number among its group's leaves or spines (of a host: of its leaf)
    d      of a host: port on its leaf, else the first port upwards of a leaf or outwards of a spine
    c      spines of a group, for a leaf
Words 0..3: groups, words of a leaf's set, words of a spine's set, first word of the table of pairs; then per
ordered pair of groups the first word of its sets: one of spines, for leaves, and one of ports for each spine.

Memory: 32 bytes a node, 4 bytes per ordered pair of groups and 4 bytes per word of a set; pairs at equal
distance in the numbering share their sets.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from topologies.routing.bitset import choose_port
from topologies.routing.next_hop import node_at, pack, pick, word_at
from uet.base.jit import kernel


@kernel
def next_hop(r: Any, node: int, destination: int, vc: int, choice: int) -> int:
    """Return the packed next hop from `node` towards host `destination`; -1 if there is none."""
    here, there = node_at(r, node), node_at(r, destination)
    level, first = here["level"], np.int64(here["first_port"])
    if node == destination:
        return -1
    if level == 0:
        return pack(first, vc, 1)
    same_group = here["a"] == there["a"]
    if level == 2 and same_group:
        return pack(first + there["b"], vc, 1)
    if same_group and here["b"] == there["b"]:
        return pack(first + there["d"], vc, 1)
    first += here["d"]
    if same_group:
        size = np.int64(here["c"])
        return pack(first + pick(choice, size), vc, size)
    pair = word_at(r, 3)["value"] + here["a"] * word_at(r, 0)["value"] + there["a"]
    word, leaf_words = word_at(r, pair)["value"], np.int64(word_at(r, 1)["value"])
    if level == 1:
        return choose_port(r, word, leaf_words, first, vc, choice)
    spine_words = np.int64(word_at(r, 2)["value"])
    return choose_port(r, word + leaf_words + here["b"] * spine_words, spine_words, first, vc, choice)
