"""Equivalent hosts: orbits under the automorphisms that a family names, each verified before use.

A family module may define `symmetries(fabric)`, which yields permutations of the nodes of one plane.
One that does not map links to links, as after failures, is left out; so whatever rests on the orbits
is certified, and naming too few only makes the orbits smaller.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from topologies.fabric import Fabric

Ints = NDArray[np.int64]


def host_orbits(fabric: Fabric) -> Ints:
    """Return the orbit of each host [n_hosts], numbered from 0 in the order of their first hosts."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    hosts = np.arange(fabric.n_hosts)
    images = [p[: fabric.n_hosts] for p in verified(fabric, named(fabric))]
    if not images:
        return hosts
    pairs = np.concatenate(images), np.tile(hosts, len(images))
    joined = coo_array((np.ones(len(pairs[0]), np.int8), pairs), shape=(fabric.n_hosts,) * 2)
    label = connected_components(joined, directed=False)[1]
    _, first, which = np.unique(label, return_index=True, return_inverse=True)
    orbits: Ints = np.argsort(np.argsort(first))[which]
    return orbits


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
