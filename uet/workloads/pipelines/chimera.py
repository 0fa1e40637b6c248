"""Chimera: two pipelines in opposite directions whose bubbles fill each other.

Li and Hoefler, "Chimera", SC21. With D stages and as many microbatches, half of them down and half up,
forward at stage s of the j-th down microbatch stands in slot s + 2j and backward in slot 2D - 1 - s + 2j; up
mirrors it. Down keeps to slots of one parity and up to the other, so that nothing collides, and the next D
microbatches follow 2D slots later without a gap: 2N + D - 2 slots for N = D, 2D, ... A stage keeps two parts
of the model, and at most D microbatches.
"""

from __future__ import annotations

from uet.workloads.pipelines.table import Slot


def orders(stages: int, microbatches: int, chunks: int = 1) -> tuple[tuple[Slot, ...], ...]:
    """Return the orders of an even number of stages; even microbatches go down, odd ones up."""
    half = max(stages // 2, 1)
    found: list[list[tuple[int, Slot]]] = [[] for _ in range(stages)]
    for microbatch in range(microbatches):
        up, number = bool(microbatch % 2), microbatch // 2
        first = number // half * 2 * stages + 2 * (number % half)
        for part in range(stages):
            rank = stages - 1 - part if up else part
            found[rank].append((first + part, Slot("f", microbatch, part, up)))
            found[rank].append((first + 2 * stages - 1 - part, Slot("b", microbatch, part, up)))
    return tuple(tuple(slot for _, slot in sorted(order)) for order in found)
