"""Reductions and copies on the buffers of a rank, compiled once per element type."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from uet.base.errors import BadInput
from uet.base.jit import Hook, WorldLayout
from uet.base.tables import table
from uet.schedule.model import OPERATION, REDUCE

CODES = {"uint8": "u1", "int32": "i4", "int64": "i8", "float32": "f4", "float64": "f8"}


def views(code: str) -> WorldLayout:
    """Return the layout that shows all ranks' buffers as elements of a numpy type code."""
    element = f"value {code} - element"
    return WorldLayout("views", table("data", element), table("scratch", element))


VIEWS = views("u1")
APPLY = Hook("apply", 2, 3)


def _make(code: str) -> tuple[Callable[..., int], np.dtype[Any]]:
    layout = views(code)
    data_at, scratch_at = layout.rows("data"), layout.rows("scratch")
    size = np.dtype(code).itemsize

    def apply(buffers: Any, op: Any, data_bytes: int, scratch_bytes: int, rank: int) -> int:
        target = (op["offset"] + rank * (scratch_bytes if op["buffer"] else data_bytes)) // size
        source = (op["source_offset"] + rank * (scratch_bytes if op["source_buffer"] else data_bytes)) // size
        for i in range(op["bytes"] // size):
            new = scratch_at(buffers, source + i) if op["source_buffer"] else data_at(buffers, source + i)
            old = scratch_at(buffers, target + i) if op["buffer"] else data_at(buffers, target + i)
            if op["kind"] == REDUCE:
                old["value"] += new["value"]
            else:
                old["value"] = new["value"]
        return 0

    return apply, layout.dtype


@cache
def apply_address(dtype: str) -> int:
    """Compile reduce and copy for elements of `dtype` and return the address. Raises BadInput for others."""
    name = np.dtype(dtype).name
    if name not in CODES:
        raise BadInput(f"real data cannot be added as elements of {name}; use one of {', '.join(CODES)}")
    function, layout = _make(CODES[name])
    return APPLY.address(function, layout, OPERATION.dtype)
