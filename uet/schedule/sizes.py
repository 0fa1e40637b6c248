"""Distributions of message sizes, by name or from a file.

fixed         every message has the mean
uniform       from 1 byte to twice the mean
exponential   light-tailed
pareto        heavy-tailed, of the given shape (> 1): the least size is mean (shape - 1) / shape
FILE          lines of `bytes probability`, cumulative and rising to 1; straight between its points
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from uet.base.errors import BadInput, nearest

NAMES = ("fixed", "uniform", "exponential", "pareto")
MOST_BYTES = 2**40
"""Longer messages are cut: a Pareto distribution has no longest one."""

Reals = NDArray[np.float64]


@dataclass(frozen=True)
class Sizes:
    """A distribution with its mean; `quantile` maps probabilities [n] to bytes, not yet whole."""

    mean_bytes: float
    quantile: Callable[[Reals], Reals]

    def draw(self, n: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Return n sizes in whole bytes, at least one."""
        return np.clip(np.rint(self.quantile(rng.random(n))), 1, MOST_BYTES).astype(np.int64)


def sizes_of(name: str, mean_bytes: int | None, shape: float = 1.5) -> Sizes:
    """Return a distribution by name, with the given mean, or that of a file, which has its own.

    Raises BadInput for unknown names, a missing or needless mean, and files that are no distribution.
    """
    if name not in NAMES:
        if not Path(name).suffix:
            raise BadInput(f"sizes={name}: no distribution is called so; {nearest(name, NAMES)}, or a file")
        if mean_bytes is not None:
            raise BadInput(f"sizes={name}: the file says the mean; leave out size")
        return _of_points(*_read(name))
    if mean_bytes is None:
        raise BadInput(f"sizes={name}: say the mean, such as size=100KB")
    if name == "pareto" and shape <= 1:
        raise BadInput(f"shape={shape:g}: a Pareto distribution has a mean only above 1; choose e.g. 1.5")
    mean = float(mean_bytes)
    quantiles: dict[str, Callable[[Reals], Reals]] = {
        "fixed": lambda p: np.full(len(p), mean),
        "uniform": lambda p: 2 * mean * p,
        "exponential": lambda p: -mean * np.log1p(-p),
        "pareto": lambda p: mean * (shape - 1) / shape * (1 - p) ** (-1 / shape),
    }
    return Sizes(mean, quantiles[name])


def _of_points(size: Reals, probability: Reals) -> Sizes:
    mean = float(np.sum(np.diff(probability) * (size[1:] + size[:-1]) / 2))
    return Sizes(mean, lambda p: np.interp(p, probability, size))


def _read(path: str) -> tuple[Reals, Reals]:
    """Return the sizes and cumulative probabilities of a file, from probability 0 on."""
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: cannot be read as text ({error}); check the path") from None
    points: list[tuple[float, float]] = []
    for number, line in enumerate(lines, start=1):
        words = line.split("#", 1)[0].split()
        if not words:
            continue
        try:
            size, probability = map(float, words)
        except ValueError:
            raise BadInput(f"{path}:{number}: '{line.strip()}' is not 'bytes probability'; write two numbers") from None
        before = points[-1] if points else (0.0, 0.0)
        if not (before[0] <= size and before[1] <= probability <= 1):
            raise BadInput(f"{path}:{number}: sizes must rise, and probabilities from 0 to 1")
        if not points:
            points.append((size, 0.0))
        points.append((size, probability))
    if not points or points[-1][1] != 1 or points[-1][0] < 1:
        raise BadInput(f"{path}: the last line must have probability 1; list bytes and cumulative probability")
    size_, probability_ = np.array(points).T
    return size_, probability_
