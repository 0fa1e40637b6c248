"""Chassis: which hosts come in one box, because traces or island links join them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from topologies.boxes import outside_links
from topologies.fabric import Fabric


def chassis(fabric: Fabric) -> NDArray[np.int64]:
    """Return the chassis of every host, [n_hosts]: hosts joined by traces or island links share one.

    Chassis are numbered in the order of their first hosts, so the boards of a grid row by row.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    inside = fabric.links[~outside_links(fabric)]
    a, b = (fabric.ports["node"][inside[end]] for end in ("port_a", "port_b"))
    joined = coo_array((np.ones(len(inside)), (a, b)), shape=(len(fabric.nodes),) * 2)
    label = connected_components(joined, directed=False)[1][: fabric.n_hosts]
    _, first, which = np.unique(label, return_index=True, return_inverse=True)
    numbers: NDArray[np.int64] = np.argsort(np.argsort(first))[which]
    return numbers
