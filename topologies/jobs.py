"""Jobs that want accelerators: job files, and seeded streams drawn from named mixes of sizes.

The mixes are synthetic, since the traces that published studies used are not public here. All sizes
stay below a quarter of the machine, as in HammingMesh (SC22), so that many jobs run side by side:

small   powers of two, each half as frequent as the next smaller: every size asks for as much in all
mixed   powers of two, each 1/sqrt(2) as frequent as the next smaller
large   powers of two from a 64th to a quarter of the machine, equally frequent
odd     any whole number, as likely per factor of two: sizes that fit no shape well
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from uet.base.errors import BadInput, nearest
from uet.base.spec import check
from uet.base.values import StrictModel

MIXES = ("small", "mixed", "large", "odd")
LARGEST_SHARE = 4  # the largest job of a mix is this fraction of the machine


@dataclass(frozen=True)
class Job:
    """A job: its accelerators, when it arrives and how long it runs once placed, in hours."""

    name: str
    size: int
    arrival_h: float = 0.0
    duration_h: float = 1.0


def draw_sizes(mix: str, accelerators: int, n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return `n` job sizes of a mix for a machine of so many accelerators. Raises BadInput for an unknown mix."""
    if mix not in MIXES:
        raise BadInput(f"no job mix is called '{mix}'; {nearest(mix, MIXES)}")
    largest = max(accelerators // LARGEST_SHARE, 1)
    if mix == "odd":
        return np.floor(np.exp(rng.uniform(0, np.log(largest + 1), n))).astype(np.int64)
    powers = np.arange(largest.bit_length())
    if mix == "large":
        powers = powers[2**powers >= largest // 16]
    weight = {"small": 0.5**powers, "mixed": 0.5 ** (powers / 2), "large": np.ones(len(powers))}[mix]
    return 2 ** rng.choice(powers, n, p=weight / weight.sum()).astype(np.int64)


def draw_jobs(mix: str, accelerators: int, n: int, load: float, seed: int) -> list[Job]:
    """Return `n` jobs of a mix that arrive as a Poisson stream, after as many at hour 0 as ask for the load.

    They run for exponential times of mean 1 h; `load` is the accelerator hours they ask for per
    accelerator and hour. Since exponential times have no memory, the machine starts as busy as it stays.
    """
    rng = np.random.default_rng(seed)
    stream = draw_sizes(mix, accelerators, n, rng)
    present = draw_sizes(mix, accelerators, int(load * accelerators) + 1, rng)
    present = present[: int(np.searchsorted(np.cumsum(present), load * accelerators)) + 1]
    size = np.concatenate([present, stream])
    duration = rng.exponential(1.0, len(size))
    per_hour = load * accelerators / float(stream.mean())
    arrival = np.concatenate([np.zeros(len(present)), np.cumsum(rng.exponential(1 / per_hour, n))])
    rows = zip(size.tolist(), arrival.tolist(), duration.tolist(), strict=True)
    return [Job(f"job{k}", s, a, d) for k, (s, a, d) in enumerate(rows)]


class _Row(StrictModel):
    size: int = Field(ge=1)
    name: str = ""
    arrival_h: float = Field(0.0, ge=0)
    duration_h: float = Field(1.0, gt=0)


def read_jobs(path: str | Path) -> list[Job]:
    """Return the jobs of a CSV file with a header: `size` and, if wanted, name, arrival_h, duration_h.

    Raises BadInput naming the file, the line and the field that is wrong.
    """
    path = Path(path)
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file, restkey="extra", restval=""))
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: cannot be read as CSV text ({error}); check the path") from None
    if not rows:
        raise BadInput(f"{path}: holds no jobs; write a header line 'size' and one line per job")
    found = []
    for line, row in enumerate(rows, start=2):
        given = check(_Row, {k: v for k, v in row.items() if v != ""}, f"{path}:{line}")
        found.append(Job(given.name or f"job{line - 2}", given.size, given.arrival_h, given.duration_h))
    return found
