"""Sets of ports as bits in the words of a routing table."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from topologies.bits import member, ones
from topologies.routing.next_hop import pack, pick, word_at
from uet.base.jit import kernel


@kernel
def bits_at(r: Any, word: int) -> np.uint64:
    """Return the 32 bits of a word."""
    return np.uint64(np.int64(word_at(r, word)["value"]) & 0xFFFFFFFF)


@kernel
def choose_port(r: Any, word: int, n_words: int, first: int, vc: int, choice: int) -> int:
    """Return the packed choice from the set in words `word`.., port number first + bit; -1 if it is empty."""
    size = 0
    for k in range(n_words):
        size += ones(bits_at(r, word + k))
    left = pick(choice, size)
    chosen, rank, base = np.uint64(0), 0, 0
    for k in range(n_words):
        ports = bits_at(r, word + k)
        count = ones(ports)
        here = 0 <= left < count
        chosen = ports if here else chosen
        rank = left if here else rank
        base = 32 * k if here else base
        left -= count
    return pack(first + base + member(chosen, rank), vc, size) if size else -1


@kernel
def coordinate(r: Any, packed: int, word: int) -> int:
    """Return the coordinate that shift and mask in words `word`, `word` + 1 cut out of packed ones."""
    return (np.int64(packed) >> word_at(r, word)["value"]) & word_at(r, word + 1)["value"]


@kernel
def differing(r: Any, one: int, other: int, dimensions: int, word: int, step: int) -> np.uint64:
    """Return the set of dimensions in which packed coordinates differ; shifts and masks as in `coordinate`,
    those of dimension k at `word` + k * `step`.
    """
    found = np.uint64(0)
    changed = np.int64(one) ^ np.int64(other)
    for k in range(dimensions):
        differs = coordinate(r, changed, word + k * step) != 0
        found |= np.uint64(1 if differs else 0) << np.uint64(k)
    return found


def pack_sets(members: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return sets as signed 32-bit words: [..., n_ports] of booleans to [..., ceil(n_ports / 32)]."""
    *shape, n = members.shape
    padded = np.zeros((*shape, -(-n // 32) * 32), bool)
    padded[..., :n] = members
    packed = np.packbits(padded, axis=-1, bitorder="little").view("<i4")
    return packed.astype(np.int64)
