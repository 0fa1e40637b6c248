"""Equivalent hosts: orbits under automorphisms, each verified before use.

Hosts with the same neighbours may change places in any fabric. Beside, a family module may define
`symmetries(fabric)`, which yields permutations of the nodes of one plane. One that does not map links to
links, as after failures, is left out; so whatever rests on the orbits is certified, and naming too few only
makes the orbits smaller.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from topologies.fabric import Fabric

Ints = NDArray[np.int64]


def host_orbits(fabric: Fabric) -> Ints:
    """Return the orbit of each host [n_hosts], numbered from 0 in the order of their first hosts."""
    return orbits(fabric.n_hosts, [p[: fabric.n_hosts] for p in verified(fabric, (twins(fabric), *named(fabric)))])


def orbits(n: int, permutations: Sequence[Ints]) -> Ints:
    """Return the orbit of each of n things under permutations, numbered from 0 in the order of their first members."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    things = np.arange(n)
    if not permutations:
        return things
    pairs = np.concatenate(permutations), np.tile(things, len(permutations))
    joined = coo_array((np.ones(len(pairs[0]), np.int8), pairs), shape=(n, n))
    label = connected_components(joined, directed=False)[1]
    _, first, which = np.unique(label, return_index=True, return_inverse=True)
    numbered: Ints = np.argsort(np.argsort(first))[which]
    return numbered


def twins(fabric: Fabric) -> Ints:
    """Return the permutation of the nodes that turns round every set of hosts with the same neighbours."""
    offsets, neighbours = fabric.adjacency
    owner = np.repeat(np.arange(len(fabric.nodes)), np.diff(offsets))
    mix = np.random.default_rng(0).integers(0, 2**63, len(fabric.nodes), np.uint64)  # a sum stands for a set
    key = np.zeros(len(fabric.nodes), np.uint64)
    np.add.at(key, owner, mix[neighbours])
    order = np.argsort(key[: fabric.n_hosts], kind="stable")
    starts = np.flatnonzero(np.diff(key[order], prepend=~key[order[0]]))
    sizes = np.diff(np.append(starts, len(order)))
    start, size = np.repeat(starts, sizes), np.repeat(sizes, sizes)
    turned = np.arange(len(fabric.nodes))
    turned[order] = order[start + (np.arange(len(order)) - start + 1) % size]
    return turned


def named(fabric: Fabric) -> Iterable[Ints]:
    """Return the permutations that the fabric's family names, unverified."""
    from topologies.registry import FAMILIES, family_module

    if fabric.family not in FAMILIES:
        return ()
    found: Iterable[Ints] = getattr(family_module(fabric.family), "symmetries", lambda fabric: ())(fabric)
    return found


def verified(fabric: Fabric, permutations: Iterable[Ints]) -> list[Ints]:
    """Return the permutations that keep hosts hosts and map the links onto the links of equal rate and class."""
    ends = np.stack([fabric.ports["node"][fabric.links[end]] for end in ("port_a", "port_b")]).astype(np.int64)
    kind = np.zeros(len(fabric.links), np.int64)
    for column in ("kind", "gbps", "latency_ps"):
        values, which = np.unique(fabric.links[column], return_inverse=True)
        kind = kind * len(values) + which
    wanted = _keys(ends, kind, len(fabric.nodes))
    numbers = np.arange(len(fabric.nodes))
    return [
        p
        for p in permutations
        if np.array_equal(np.sort(p), numbers)
        and np.all(p[: fabric.n_hosts] < fabric.n_hosts)
        and np.array_equal(_keys(p[ends], kind, len(fabric.nodes)), wanted)
    ]


def _keys(ends: Ints, kind: Ints, n: int) -> Ints:
    return np.sort((kind * n + ends.min(axis=0)) * n + ends.max(axis=0))
