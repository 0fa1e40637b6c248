"""Arithmetic on 64-bit sets for kernels."""

from __future__ import annotations

import numpy as np

from uet.base.jit import kernel

_PAIRS, _FOURS, _EIGHTS = np.uint64(0x5555555555555555), np.uint64(0x3333333333333333), np.uint64(0x0F0F0F0F0F0F0F0F)
_SUM = np.uint64(0x0101010101010101)


@kernel
def ones(x: np.uint64) -> int:
    """Return how many bits are set in `x`; compilers know this form and use the processor's instruction."""
    x -= (x >> np.uint64(1)) & _PAIRS
    x = (x & _FOURS) + ((x >> np.uint64(2)) & _FOURS)
    x = (x + (x >> np.uint64(4))) & _EIGHTS
    return np.int64((x * _SUM) >> np.uint64(56))  # type: ignore[return-value]


@kernel
def member(x: np.uint64, k: int) -> int:
    """Return the position of the k-th set bit (from 0) of the low 32 bits, by halving and without branches."""
    position = 0
    for width in (16, 8):
        below = ones(x & ((np.uint64(1) << np.uint64(width)) - np.uint64(1)))
        step = width if k >= below else 0
        k -= below if k >= below else 0
        x >>= np.uint64(step)
        position += step
    return position + member_of_few(x, k)


@kernel
def member_of_few(x: np.uint64, k: int) -> int:
    """Return the position of the k-th set bit (from 0) of the low 8 bits."""
    position = 0
    for width in (4, 2, 1):
        below = ones(x & ((np.uint64(1) << np.uint64(width)) - np.uint64(1)))
        step = width if k >= below else 0
        k -= below if k >= below else 0
        x >>= np.uint64(step)
        position += step
    return position
