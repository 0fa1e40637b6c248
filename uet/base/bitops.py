"""Operations on 64-bit words for kernels."""

from __future__ import annotations

import numpy as np

from uet.base.jit import kernel

ONE, ZERO, FULL = np.uint64(1), np.uint64(0), np.uint64(0xFFFFFFFFFFFFFFFF)
_S1, _S2, _S4, _S56 = np.uint64(1), np.uint64(2), np.uint64(4), np.uint64(56)
_M1, _M2, _M4 = np.uint64(0x5555555555555555), np.uint64(0x3333333333333333), np.uint64(0x0F0F0F0F0F0F0F0F)
_BYTES = np.uint64(0x0101010101010101)


@kernel
def count(bits: np.uint64) -> int:
    """Return how many bits are set."""
    x = bits - ((bits >> _S1) & _M1)
    x = (x & _M2) + ((x >> _S2) & _M2)
    x = (x + (x >> _S4)) & _M4
    return np.int64((x * _BYTES) >> _S56)


@kernel
def trailing_zeros(bits: np.uint64) -> int:
    """Return the index of the lowest set bit; 64 for none."""
    low = bits & (~bits + ONE)
    return count(low - ONE)


@kernel
def low_bits(n: int) -> np.uint64:
    """Return a word with the n lowest bits set (all for n >= 64, none for n <= 0)."""
    if n >= 64:
        return FULL
    if n <= 0:
        return ZERO
    return (ONE << np.uint64(n)) - ONE
