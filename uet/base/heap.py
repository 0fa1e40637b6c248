"""A binary heap of timed items for kernels, in the table `heap` of whatever World they are given.

The caller keeps the number of entries. Ties go to the lower item, so the order is total.
"""

from __future__ import annotations

from typing import Any

from uet.base.jit import WorldLayout, kernel
from uet.base.tables import table

HEAP = table(
    "heap",
    """
    time_ps i8 ps when
    item i8 - what
    """,
)
heap_at = WorldLayout("any", HEAP).rows("heap")


@kernel
def _before(w: Any, i: int, j: int) -> bool:
    a, b = heap_at(w, i), heap_at(w, j)
    return a["time_ps"] < b["time_ps"] or (a["time_ps"] == b["time_ps"] and a["item"] < b["item"])


@kernel
def _swap(w: Any, i: int, j: int) -> None:
    a, b = heap_at(w, i), heap_at(w, j)
    time_ps, item = a["time_ps"], a["item"]
    a["time_ps"], a["item"] = b["time_ps"], b["item"]
    b["time_ps"], b["item"] = time_ps, item


@kernel
def push(w: Any, n: int, time_ps: int, item: int) -> None:
    """Add an entry to a heap of n."""
    entry = heap_at(w, n)
    entry["time_ps"], entry["item"] = time_ps, item
    i = n
    while i > 0 and _before(w, i, (i - 1) >> 1):
        _swap(w, i, (i - 1) >> 1)
        i = (i - 1) >> 1


@kernel
def pop(w: Any, n: int) -> None:
    """Remove the earliest entry, row 0, of a heap of n > 0."""
    _swap(w, 0, n - 1)
    i = 0
    while True:
        least, left = i, 2 * i + 1
        if left < n - 1 and _before(w, left, least):
            least = left
        if left + 1 < n - 1 and _before(w, left + 1, least):
            least = left + 1
        if least == i:
            return
        _swap(w, i, least)
        i = least
