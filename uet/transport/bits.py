"""Sets of packet numbers in a sliding window, 64 members per word.

A set over a window of `w` packets (a power of two) takes w / 64 consecutive words, one at least;
number n lives in bit n mod w (n mod 64 in a single word), so numbers less than w apart never collide.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from uet.base.bitops import ONE, ZERO, trailing_zeros
from uet.base.jit import kernel
from uet.transport.state import word_at


@kernel
def words_for(window: int) -> int:
    """Return how many words a set over a window takes."""
    return (window + 63) >> 6


@kernel
def bit_index(first: int, window: int, number: int) -> int:
    """Return the word row that holds `number`."""
    return first + ((number & (window - 1)) >> 6)


@kernel
def has(e: Any, first: int, window: int, number: int) -> bool:
    """Tell whether `number` is a member."""
    bits = word_at(e, bit_index(first, window, number))["bits"]
    return (bits >> np.uint64(number & 63)) & ONE != ZERO


@kernel
def add(e: Any, first: int, window: int, number: int) -> None:
    """Make `number` a member."""
    word = word_at(e, bit_index(first, window, number))
    word["bits"] = word["bits"] | (ONE << np.uint64(number & 63))


@kernel
def discard(e: Any, first: int, window: int, number: int) -> None:
    """Make `number` no member."""
    word = word_at(e, bit_index(first, window, number))
    word["bits"] = word["bits"] & ~(ONE << np.uint64(number & 63))


@kernel
def read64(e: Any, first: int, window: int, number: int) -> np.uint64:
    """Return the membership of number .. number + 63 as one word, bit 0 = `number`."""
    shift = np.uint64(number & 63)
    low = word_at(e, bit_index(first, window, number))["bits"] >> shift
    if shift == ZERO:
        return low
    high = word_at(e, bit_index(first, window, number + 64))["bits"]
    return low | (high << (np.uint64(64) - shift))


@kernel
def next_member(e: Any, first: int, window: int, number: int, end: int) -> int:
    """Return the lowest member in [number, end), or `end`; end - number must not exceed the window."""
    n = number
    while n < end:
        bits = read64(e, first, window, n)
        if bits != ZERO:
            found = n + trailing_zeros(bits)
            return min(found, end)
        n += 64
    return end
