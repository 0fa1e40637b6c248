"""Find a PDC or an inbox row by what packets carry: an open-addressing hash table.

The table's size is a power of two and at least twice the number of entries it ever holds.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from uet.base.jit import kernel
from uet.base.rng import mix64
from uet.transport.state import directory_at


@kernel
def pdc_key(endpoint: int, peer: int, pdcid: int) -> int:
    """Return the key of a PDC that `peer` opened to `endpoint` with its own identifier."""
    return ((endpoint + 1) << 40) | (peer << 16) | pdcid


@kernel
def own_key(endpoint: int, peer: int, mode: int) -> int:
    """Return the key of the PDC of a delivery mode that `endpoint` opened to `peer`; endpoints are below 2**20."""
    return (mode << 61) | pdc_key(endpoint, peer, 0)


@kernel
def inbox_key(pdc: int, message_id: int) -> int:
    """Return the key of a message being received; negative, so that it never equals a PDC's key."""
    return -((pdc << 16) | message_id) - 1


@kernel
def _home(e: Any, key: int) -> int:
    return np.int64(mix64(np.uint64(key)) & np.uint64(e["n_directory"] - 1))


@kernel
def lookup(e: Any, key: int) -> int:
    """Return the row stored under `key`, -1 if there is none."""
    mask = e["n_directory"] - 1
    i = _home(e, key)
    while True:
        entry = directory_at(e, i)
        if entry["key"] == key:
            return entry["row"]
        if entry["key"] == 0:
            return -1
        i = (i + 1) & mask


@kernel
def insert(e: Any, key: int, row: int) -> None:
    """Store `row` under a key that is not in the table."""
    mask = e["n_directory"] - 1
    i = _home(e, key)
    while directory_at(e, i)["key"] != 0:
        i = (i + 1) & mask
    entry = directory_at(e, i)
    entry["key"], entry["row"] = key, row


@kernel
def remove(e: Any, key: int) -> None:
    """Remove a key that is in the table; later entries of the run move up, so no gaps remain."""
    mask = e["n_directory"] - 1
    hole = _home(e, key)
    while directory_at(e, hole)["key"] != key:
        hole = (hole + 1) & mask
    i = (hole + 1) & mask
    while directory_at(e, i)["key"] != 0:
        mover = directory_at(e, i)
        home = _home(e, mover["key"])
        if ((i - home) & mask) >= ((i - hole) & mask):
            target = directory_at(e, hole)
            target["key"], target["row"] = mover["key"], mover["row"]
            hole = i
        i = (i + 1) & mask
    directory_at(e, hole)["key"] = 0
