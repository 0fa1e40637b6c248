"""How a vector is cut into blocks of whole elements."""

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
    base, rest = divmod(n_bytes // element_bytes, n)
    numbers = np.arange(n + 1, dtype=np.int64)
    return (numbers * base + np.minimum(numbers, rest)) * element_bytes
