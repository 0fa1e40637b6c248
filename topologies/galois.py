"""Finite fields GF(q) as tables, for graphs over them. Element 0 is 0 and element 1 is 1."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Field:
    """GF(q): `add` and `multiply` are [q, q], `negative` [q]; `powers` [q - 1] of a primitive element."""

    q: int
    add: Ints
    multiply: Ints
    negative: Ints
    powers: Ints


def prime_power(q: int) -> tuple[int, int] | None:
    """Return (p, m) with q = p**m and p prime, or None."""
    p = next((d for d in range(2, q + 1) if q % d == 0), None)
    if p is None:
        return None
    m = 0
    while q % p == 0:
        q, m = q // p, m + 1
    return (p, m) if q == 1 else None


def nearest_legal(value: int, legal: Callable[[int], bool], least: int) -> str:
    """Return the nearest legal values below and above `value`, such as '27 or 29'."""
    below = next((v for v in range(value - 1, least - 1, -1) if legal(v)), None)
    above = next(v for v in range(max(value + 1, least), 4 * value + 4 * least) if legal(v))
    return " or ".join(str(v) for v in (below, above) if v is not None)


def field(q: int) -> Field:
    """Return GF(q) for a prime power q; ValueError otherwise.

    Elements are numbered by the base-p digits of their polynomial's coefficients.
    """
    factors = prime_power(q)
    if factors is None:
        raise ValueError(f"{q} is not a prime power")
    p, m = factors
    digits = np.array(list(product(range(p), repeat=m)))[:, ::-1]  # element -> coefficients, lowest first
    place = p ** np.arange(m)
    add = ((digits[:, None] + digits[None]) % p) @ place
    negative = (-digits % p) @ place
    powers = _powers_of_a_primitive_element(p, m)
    log = np.zeros(q, np.int64)
    log[powers] = np.arange(q - 1)
    multiply = powers[(log[:, None] + log[None]) % (q - 1)]
    multiply[0], multiply[:, 0] = 0, 0
    return Field(q, add, multiply, negative, powers)


def _powers_of_a_primitive_element(p: int, m: int) -> Ints:
    """Return x**0, x**1, ... modulo the first monic polynomial of degree m for which x is primitive."""
    q = p**m
    for tail in product(range(p), repeat=m):
        element = [1] + [0] * (m - 1)
        powers: list[int] = []
        while len(powers) < q - 1:
            powers.append(sum(c * p**k for k, c in enumerate(element)))
            carry = element[-1]
            element = [(low - carry * t) % p for low, t in zip([0, *element[:-1]], tail, strict=True)]
            if element == [1] + [0] * (m - 1):
                break
        if len(set(powers) - {0}) == q - 1:
            return np.array(powers)
    raise AssertionError("every finite field has a primitive element")
