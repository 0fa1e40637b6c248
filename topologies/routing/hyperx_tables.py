"""The tables of the `hyperx` rule."""

from __future__ import annotations

import numpy as np

from topologies.grids import packed
from topologies.routes import ROUTE_NODE, Routes
from topologies.routing.words import Words
from uet.base.tables import Records

SENTENCE = "the channel number is that of the dimensions already right and grows with every link between routers"


def hyperx_routes(dims: tuple[int, ...], hosts_per_router: int, nodes: Records, ports: Records) -> Routes:
    """Return the `hyperx` routes; `hosts_per_router` 0 means that hosts are the routers."""
    dims = tuple(k for k in dims if k > 1) or (1,)
    starts = hosts_per_router + np.cumsum([0, *(k - 1 for k in dims[:-1])])
    places, fields = packed(dims)
    words = Words(len(dims), *(value for field, start in zip(fields, starts, strict=True) for value in (*field, start)))
    rows = ROUTE_NODE.zeros(len(nodes))
    rows["first_port"] = nodes["first_port"]
    n_hosts = len(places) * hosts_per_router
    home, hanging = np.divmod(np.arange(n_hosts), max(hosts_per_router, 1))
    rows["a"] = np.concatenate([places[home], places])
    rows["index"] = np.concatenate([home, np.arange(len(places))])
    rows["level"][n_hosts:] = 1
    rows["d"][:n_hosts] = hanging
    return Routes("hyperx", rows, words.table(), len(dims), SENTENCE)
