"""Counter-based randomness: one stream per entity, no state beyond a counter.

`draw(seed, stream, counter)` is a pure function, so adding an entity never shifts the numbers of
another and any number of threads sees the same values. The mixer is splitmix64 (Steele, Lea,
Flood 2014, "Fast splittable pseudorandom number generators"), applied once per argument.
"""

from __future__ import annotations

import numpy as np

from uet.base.jit import kernel

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_M1 = np.uint64(0xBF58476D1CE4E5B9)
_M2 = np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S32 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(32)


@kernel
def mix64(x: np.uint64) -> np.uint64:
    """Return the splitmix64 finalizer of `x`: a bijection on 64-bit words."""
    z = x + _GOLDEN
    z = (z ^ (z >> _S30)) * _M1
    z = (z ^ (z >> _S27)) * _M2
    return z ^ (z >> _S31)


@kernel
def draw(seed: int, stream: int, counter: int) -> np.uint64:
    """Return 64 random bits for (seed, stream, counter)."""
    return mix64(mix64(mix64(np.uint64(seed)) ^ np.uint64(stream)) ^ np.uint64(counter))


@kernel
def strikes(seed: int, stream: int, counter: int, threshold: int) -> bool:
    """Tell whether an event of probability threshold / 2**32 happens at (seed, stream, counter)."""
    return np.int64(draw(seed, stream, counter) >> _S32) < threshold


@kernel
def below(bits: np.uint64, n: int) -> np.int64:
    """Map 64 random bits to 0..n-1 by multiply and shift (n < 2**31; bias below n / 2**32)."""
    return np.int64(((bits >> _S32) * np.uint64(n)) >> _S32)
