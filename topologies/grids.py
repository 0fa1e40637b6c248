"""Nodes on a grid, numbered with the first dimension fastest."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


def coordinates(dims: Sequence[int]) -> Ints:
    """Return the coordinates of every node, [prod(dims), len(dims)]."""
    return np.stack(np.unravel_index(np.arange(prod(dims)), dims, order="F"), axis=1).astype(np.int64)


def number(places: Ints, dims: Sequence[int]) -> Ints:
    """Return the node numbers of coordinates [..., len(dims)]."""
    return np.asarray(places @ strides(dims))


def strides(dims: Sequence[int]) -> Ints:
    """Return how much a step along each dimension adds to a node's number."""
    return np.cumprod([1, *dims[:-1]])


def shifted(dims: Sequence[int], dimension: int, by: int = 1) -> Ints:
    """Return the permutation that moves every node round its ring in one dimension."""
    places = coordinates(dims)
    places[:, dimension] = (places[:, dimension] + by) % dims[dimension]
    return number(places, dims)


def packed(dims: Sequence[int]) -> tuple[Ints, list[tuple[int, int]]]:
    """Return every node's coordinates in one 31-bit number, and shift and mask of each dimension.

    Coordinate k is (number >> shift) & mask. Grids of up to 2**25 nodes and six dimensions fit.
    """
    fields, shift = [], 0
    for length in dims:
        bits = max((length - 1).bit_length(), 1)
        fields.append((shift, (1 << bits) - 1))
        shift += bits
    return coordinates(dims) @ (1 << np.array([s for s, _ in fields], np.int64)), fields
