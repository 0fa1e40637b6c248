"""The tables of the `torus` and `twisted_torus` rules."""

from __future__ import annotations

import numpy as np

from topologies.distances import Graph, hop_matrix
from topologies.grids import coordinates, packed
from topologies.routes import ROUTE_NODE, Routes
from topologies.routing.words import Words
from uet.base.tables import Records

TORUS_SENTENCE = (
    "the channel number grows on every wrap-around link; inside a number all steps down come before all steps up"
)
TWISTED_SENTENCE = "the channel number grows with every link of a path"


def torus_routes(dims: tuple[int, ...], nodes: Records, ports: Records) -> Routes:
    """Return the `torus` routes of a grid of hosts; `torus` documents the fields."""
    places, fields = packed(dims)
    header, port = [len(dims)], 0
    for length, field in zip(dims, fields, strict=True):
        header += [*field, length, port]
        port += 2 if length > 2 else length - 1
    rows = ROUTE_NODE.zeros(len(nodes))
    rows["first_port"] = nodes["first_port"]
    rows["a"], rows["b"] = places, coordinates(dims).sum(axis=1) % 2
    wraps = sum(length > 2 for length in dims)
    return Routes("torus", rows, Words(*header).table(), wraps + 1, TORUS_SENTENCE)


def twisted_routes(dims: tuple[int, ...], twist: tuple[int, int, int], nodes: Records, ports: Records) -> Routes:
    """Return the `twisted_torus` routes; `twisted_torus` documents the fields."""
    neighbour = ports["node"][ports["peer"]].reshape(-1, 6)
    graph = Graph(np.append(nodes["first_port"], len(ports)), neighbour.reshape(-1), len(nodes))
    hops = hop_matrix(graph, np.zeros(1, np.int64))[:, 0].astype(np.int64)
    nearer = hops[neighbour] == hops[:, None] - 1
    # one step up first is minimal where the node one step down from the destination is nearer, and vice versa
    steps = nearer[:, [1, 0, 3, 2, 5, 4]] @ (1 << np.arange(6))
    places, fields = packed(dims)
    words = Words(*dims, int(hops.max()), *twist, *(value for field in fields for value in field))
    words.append(hops * 64 + steps)
    rows = ROUTE_NODE.zeros(len(nodes))
    rows["first_port"] = nodes["first_port"]
    rows["a"] = places
    return Routes("twisted_torus", rows, words.table(), int(hops.max()), TWISTED_SENTENCE)
