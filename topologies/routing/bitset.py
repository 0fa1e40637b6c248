"""Sets of ports as bits in the words of a routing table: sizes, members, choices."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from topologies.routing.next_hop import pack, pick, word_at
from uet.base.jit import kernel


@kernel
def ones(x: int) -> int:
    """Return how many of the low 32 bits are set."""
    x -= (x >> 1) & 0x55555555
    x = (x & 0x33333333) + ((x >> 2) & 0x33333333)
    x = (x + (x >> 4)) & 0x0F0F0F0F
    return ((x * 0x01010101) >> 24) & 0xFF


@kernel
def member(x: int, k: int) -> int:
    """Return the position of the k-th set bit (from 0) of the low 32 bits, by halving."""
    position = 0
    for width in (16, 8, 4, 2, 1):
        below = ones(x & ((1 << width) - 1))
        if k >= below:
            k -= below
            x >>= width
            position += width
    return position


@kernel
def choose_port(r: Any, word: int, n_words: int, first: int, vc: int, choice: int) -> int:
    """Return the packed choice from the set in words `word`.., port number first + bit; -1 if it is empty."""
    size = 0
    for k in range(n_words):
        size += ones(np.int64(word_at(r, word + k)["value"]) & 0xFFFFFFFF)
    left = pick(choice, size)
    for k in range(n_words):
        ports = np.int64(word_at(r, word + k)["value"]) & 0xFFFFFFFF
        count = ones(ports)
        if left < count:
            return pack(first + 32 * k + member(ports, left), vc, size)
        left -= count
    return -1


def pack_sets(members: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return sets as signed 32-bit words: [..., n_ports] of booleans to [..., ceil(n_ports / 32)]."""
    *shape, n = members.shape
    padded = np.zeros((*shape, -(-n // 32) * 32), bool)
    padded[..., :n] = members
    packed = np.packbits(padded, axis=-1, bitorder="little").view("<i4")
    return packed.astype(np.int64)
