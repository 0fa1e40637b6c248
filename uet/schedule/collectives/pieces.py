"""How vectors are cut into blocks of whole elements."""

from __future__ import annotations

import math

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


MESSAGE_BYTES, MOST_CHUNKS = 32 * 2**10, 8
"""Least bytes of a chunk and most chunks where nobody says how many."""


def chunk_count(chunks: int | None, message_bytes: int, most: int = MOST_CHUNKS) -> int:
    """Return into how many chunks that follow each other a message is cut; None: a good number up to `most`.

    While one chunk is on its way the next is sent, which hides latency. Raises BadInput for fewer than one.
    """
    if chunks is None:
        return min(max(message_bytes // MESSAGE_BYTES, 1), most)
    if chunks < 1:
        raise BadInput(f"chunks={chunks} must be at least 1")
    return chunks


def rounds(n: int) -> int:
    """Return the base-2 logarithm of n, rounded up: rounds in which information can reach n ranks."""
    return (n - 1).bit_length()


def grid_of(n: int, grid: tuple[int, ...] | None, dimensions: int | None = None) -> tuple[int, ...]:
    """Return the sides of the grid that holds n ranks, the first dimension fastest; by default the most square one.

    Raises BadInput if `grid` does not hold n ranks or has other than `dimensions` sides.
    """
    if grid is None:
        columns = max(d for d in range(1, math.isqrt(n) + 1) if n % d == 0)
        return columns, n // columns
    if math.prod(grid) != n or dimensions not in (None, len(grid)):
        square = "x".join(map(str, grid_of(n, None)))
        raise BadInput(
            f"grid={'x'.join(map(str, grid))} does not hold {n} ranks; write columns x rows, such as {square}"
        )
    return grid


def island_of(n: int, island: int) -> int:
    """Return `island`, the ranks of an island; BadInput naming the nearest ones if it does not divide n ranks."""
    if island < 1 or n % island:
        legal = [d for d in range(1, n + 1) if n % d == 0]
        near = sorted(sorted(legal, key=lambda d: abs(d - island))[:3])
        raise BadInput(f"island={island} does not divide the {n} ranks; choose {', '.join(map(str, near))}")
    return island
