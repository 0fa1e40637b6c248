"""Smaller messages in a schedule that stays as it is: quantized, sparse, or of a pruned model.

A message of b bytes holds n = b / w values of w bytes. Structured pruning by p leaves ceil((1 - p) n) of them; a
density d below 1 (top-k, or unstructured pruning) ceil(d n), each with an index, unless that is no shorter.
How many bytes values are says `Coding`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from emulation.workloads.transforms.coding import Coding
from uet.base.errors import BadInput
from uet.schedule.model import RECV, SEND, Index, Schedule

SHRINK_FORMULA = (
    "every message: dense(v), or min(dense(v), pairs(d v)) with density d, for its v values left by pruning"
)


_PLAIN = Coding()


@dataclass(frozen=True)
class Shrink:
    """What happens to messages of at least `least_bytes` with values of `word_bytes`."""

    word_bytes: int = 4
    coding: Coding = _PLAIN
    density: float = 1.0
    pruned: float = 0.0
    least_bytes: int = 1

    def __post_init__(self) -> None:
        """Raise BadInput for shares that are none."""
        if not 0 < self.density <= 1:
            raise BadInput(f"a density of {self.density} is none; use more than 0 and at most 1")
        if not 0 <= self.pruned < 1:
            raise BadInput(f"pruning by {self.pruned} leaves nothing or adds something; use 0 to less than 1")

    def bytes_of(self, n_bytes: int) -> int:
        """Return the bytes that a message of `n_bytes` shrinks to."""
        if n_bytes < self.least_bytes:
            return n_bytes
        values = up((1 - self.pruned) * -(-n_bytes // self.word_bytes))
        dense = self.coding.value_bytes(values)
        return dense if self.density == 1 else min(dense, self.coding.pair_bytes(up(self.density * values)))


def up(x: float) -> int:
    """Return x rounded up to a whole number, forgiving rounding errors of the product it comes from."""
    return int(np.ceil(x * (1 - 1e-12)))


def shrink(schedule: Schedule, how: Shrink) -> Schedule:
    """Return the same operations with smaller messages. What the data means is lost, only sizes and order are kept."""
    operations = schedule.operations.copy()
    messages = np.isin(operations["kind"], (SEND, RECV))
    sizes, place = np.unique(operations["bytes"][messages], return_inverse=True)
    shrunk: Index = np.array([how.bytes_of(int(s)) for s in sizes], np.int64)
    operations["bytes"][messages] = shrunk[place]
    ends = operations["offset"] + operations["bytes"]
    data, scratch = (int(ends[operations["buffer"] == b].max(initial=0)) for b in (0, 1))
    operations.flags.writeable = False
    return replace(
        schedule, name=f"{schedule.name}, shrunk", operations=operations, result="",
        data_bytes=max(schedule.data_bytes, data), scratch_bytes=max(schedule.scratch_bytes, scratch),
    )  # fmt: skip
