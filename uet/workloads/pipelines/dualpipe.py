"""DualPipe: two pipelines in opposite directions, forward of one with backward of the other.

DeepSeek-AI, DeepSeek-V3 (arXiv 2412.19437), section 3.2.1: (p/2 - 1)(F + B_in + W + B_in + W - 3 W) of bubble
where forward and backward are not overlapped, with two parts of the model and p + 1 microbatches kept. The
number of passes in each of the eight phases is DeepSeek's, of which the paper shows an example.
"""

from __future__ import annotations

from uet.base.errors import BadInput
from uet.workloads.pipelines.table import Slot


def orders(stages: int, microbatches: int, chunks: int = 1) -> tuple[tuple[Slot, ...], ...]:
    """Return the orders of an even number of stages; even microbatches go down, odd ones up.

    Raises BadInput unless the microbatches are even and at least twice the stages.
    """
    if microbatches % 2 or microbatches < 2 * stages:
        near = max(2 * stages, microbatches + microbatches % 2)
        raise BadInput(
            f"DualPipe needs an even number of at least {2 * stages} microbatches, not {microbatches}; nearest: {near}"
        )
    return tuple(_Stage(rank, stages, microbatches // 2).order() for rank in range(stages))


class _Stage:
    """Writes the order of one stage; direction 0 is the one that enters at the nearer end."""

    def __init__(self, rank: int, stages: int, passes: int) -> None:
        self.rank, self.stages, self.passes = rank, stages, passes
        self.depth = min(rank, stages - 1 - rank)
        self.slots: list[Slot] = []
        self.next = {("f", 0): 0, ("f", 1): 0, ("b", 0): 0, ("b", 1): 0}
        self.delayed: list[Slot] = []

    def forward(self, direction: int) -> None:
        self.slots.append(self._take("f", direction))

    def backward(self, direction: int, delay: bool = False) -> None:
        """Add the gradient of the inputs and, unless it is delayed, that of the weights."""
        self.slots.append(self._take("b", direction))
        self.delayed.append(self.slots[-1]._replace(kind="w"))
        if not delay:
            self.slots.append(self.delayed.pop())

    def _take(self, kind: str, direction: int) -> Slot:
        number = self.next[kind, direction]
        self.next[kind, direction] += 1
        up = (direction == 1) != (self.rank >= self.stages // 2)
        part = self.stages - 1 - self.rank if up else self.rank
        return Slot(kind, 2 * number + up, part, up)

    def order(self) -> tuple[Slot, ...]:
        """Return the eight phases."""
        outer, depth = self.stages // 2 - 1 - self.depth, self.depth
        for _ in range(2 * outer):
            self.forward(0)
        for _ in range(depth + 1):
            self.forward(0)
            self.forward(1)
        for _ in range(outer):
            self.backward(1)
            self.forward(1)
        for _ in range(self.passes - self.stages + depth + 1):
            self.forward(0)
            self.backward(1)
            self.forward(1)
            self.backward(0)
        for _ in range(outer):
            self.backward(1)
            self.forward(1)
            self.backward(0)
        for k in range(2 * (depth + 1)):
            self.backward(1 - k % 2, delay=k > depth)
        for _ in range(outer):
            self.slots.append(self.delayed.pop(0))
            self.backward(0, delay=True)
        return tuple(self.slots + self.delayed)
