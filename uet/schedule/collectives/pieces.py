"""How vectors are cut into blocks of whole elements."""

from __future__ import annotations

import numpy as np

from uet.base.errors import BadInput
from uet.schedule.model import Index


def blocks(n_bytes: int, n: int, dtype: str) -> Index:
    """Return n + 1 offsets [bytes]: block i is [offsets[i], offsets[i + 1]), whole elements of `dtype`.

    The first blocks get one element more where the elements do not divide by n. Raises BadInput if
    `n_bytes` is not a whole number of elements.
    """
    element_bytes = np.dtype(dtype).itemsize
    if n_bytes % element_bytes:
        raise BadInput(
            f"size={n_bytes} is not a whole number of {dtype} elements of {element_bytes} bytes; "
            f"change size or dtype (uint8 takes any size)"
        )
    return cut(np.int64(0), np.int64(n_bytes), n, dtype)


def cut(start: Index | np.int64, stop: Index | np.int64, n: int, dtype: str) -> Index:
    """Return the offsets of n blocks of every piece [start, stop), shape [..., n + 1]; see `blocks`."""
    element_bytes = np.dtype(dtype).itemsize
    base, rest = np.divmod((stop - start) // element_bytes, n)
    numbers = np.arange(n + 1, dtype=np.int64)
    inside = numbers * np.expand_dims(base, -1) + np.minimum(numbers, np.expand_dims(rest, -1))
    return np.asarray(np.expand_dims(start, -1) + inside * element_bytes)


def rounds(n: int) -> int:
    """Return the base-2 logarithm of n, rounded up: rounds in which information can reach n ranks."""
    return (n - 1).bit_length()


def check_power_of_two(name: str, n: int, others: str) -> None:
    """Raise BadInput unless n is a power of two."""
    if n & (n - 1):
        raise BadInput(f"{name} needs a power of two of ranks, not {n}; use {others}")
