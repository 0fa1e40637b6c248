"""How values travel: as words, or quantized to a few bits with a scale per bucket; sparse ones with an index each.

A bucket of values x becomes round(x / s) with s = max |x| / (2**(q - 1) - 1), a whole number of q bits, and s as
a 4-byte float. m values are w m bytes, or ceil(m q / 8) + 4 ceil(m / bucket); sparse ones 4 m bytes more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uet.base.errors import BadInput

Bytes = NDArray[np.uint8]
Values = NDArray[np.float32]
Indices = NDArray[np.int32]

INDEX_BYTES = SCALE_BYTES = 4
WORDS = {2: np.float16, 4: np.float32, 8: np.float64}


@dataclass(frozen=True)
class Sparse:
    """The non-zero elements of a vector: where they stand, ascending, and their values; both of shape [m]."""

    indices: Indices
    values: Values

    def between(self, start: int, stop: int) -> Sparse:
        """Return the elements that stand in [start, stop)."""
        low, high = np.searchsorted(self.indices, (start, stop))
        return Sparse(self.indices[low:high], self.values[low:high])

    def dense(self, n: int) -> Values:
        """Return the vector of n elements."""
        vector = np.zeros(n, np.float32)
        vector[self.indices] = self.values
        return vector


def top_k(vector: Values, k: int) -> Sparse:
    """Return the k elements of largest magnitude."""
    chosen = np.sort(np.argpartition(-np.abs(vector), min(k, len(vector)) - 1)[:k]).astype(np.int32)
    return Sparse(chosen, vector[chosen])


def add(parts: list[Sparse]) -> Sparse:
    """Return the sum of sparse vectors; where several have an element it stands once (fill-in makes it longer)."""
    places, where = np.unique(np.concatenate([p.indices for p in parts]), return_inverse=True)
    sums = np.bincount(where, np.concatenate([p.values for p in parts]), len(places))
    return Sparse(places.astype(np.int32), sums.astype(np.float32))


@dataclass(frozen=True)
class Coding:
    """Values as words of `word_bytes`, or of `bits` each with a scale for every `bucket` of them."""

    word_bytes: int = 4
    bits: int | None = None
    bucket: int = 1024

    def __post_init__(self) -> None:
        """Raise BadInput for widths that do not exist."""
        if self.word_bytes not in WORDS:
            raise BadInput(f"words of {self.word_bytes} bytes are no numbers; use {', '.join(map(str, WORDS))}")
        if self.bits is not None and not 2 <= self.bits <= 16:
            raise BadInput(f"{self.bits} bits are no width to quantize to; use 2 to 16")
        if self.bucket < 1:
            raise BadInput(f"a bucket of {self.bucket} values is none; use at least 1")

    def value_bytes(self, m: int) -> int:
        """Return the bytes of m values."""
        if self.bits is None:
            return self.word_bytes * m
        return -(-m * self.bits // 8) + SCALE_BYTES * -(-m // self.bucket)

    def pair_bytes(self, m: int) -> int:
        """Return the bytes of m values with their indices."""
        return INDEX_BYTES * m + self.value_bytes(m)

    def encode(self, values: Values) -> Bytes:
        """Return values as bytes."""
        if self.bits is None:
            return values.astype(WORDS[self.word_bytes]).view(np.uint8)
        most = 2 ** (self.bits - 1) - 1
        scales = (
            np.maximum.reduceat(np.abs(values), np.arange(0, len(values), self.bucket)) / most
            if len(values)
            else values
        )
        wide = np.repeat(np.where(scales > 0, scales, 1), self.bucket)[: len(values)]
        codes = (np.rint(values / wide).astype(np.int64) + most).astype(np.uint32)
        places = np.arange(self.bits, dtype=np.uint32)
        digits = (codes[:, None] >> places & 1).astype(np.uint8)
        return np.concatenate([np.packbits(digits.ravel()), scales.astype(np.float32).view(np.uint8)])

    def decode(self, data: Bytes, m: int) -> Values:
        """Return the m values of `data`, quantized ones as near as they were sent."""
        if self.bits is None:
            return data.view(WORDS[self.word_bytes]).astype(np.float32)
        packed = -(-m * self.bits // 8)
        digits = np.unpackbits(data[:packed], count=m * self.bits).reshape(m, self.bits).astype(np.int64)
        codes = digits @ (1 << np.arange(self.bits)) - (2 ** (self.bits - 1) - 1)
        scales = np.frombuffer(data[packed:].tobytes(), np.float32)
        return (codes * np.repeat(scales, self.bucket)[:m]).astype(np.float32)

    def encode_pairs(self, sparse: Sparse) -> Bytes:
        """Return indices and values as bytes."""
        return np.concatenate([sparse.indices.view(np.uint8), self.encode(sparse.values)])

    def decode_pairs(self, data: Bytes) -> Sparse:
        """Return the sparse vector of `data`."""
        m = self._pairs_in(len(data))
        indices = np.frombuffer(data[: INDEX_BYTES * m].tobytes(), np.int32)
        return Sparse(indices, self.decode(data[INDEX_BYTES * m :], m))

    def _pairs_in(self, n_bytes: int) -> int:
        """Return how many pairs so many bytes are."""
        low, high = 0, n_bytes // INDEX_BYTES
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self.pair_bytes(middle) <= n_bytes else (low, middle - 1)
        return low


def fill_in(n: int, k: float, parts: int) -> float:
    """Return how many of n elements the sum of `parts` random k-sparse vectors has: n (1 - (1 - k / n)**parts)."""
    return n * (1 - (1 - k / n) ** parts)
