"""Zero bubble (ZB-H1): the gradient of the weights waits until a stage would idle.

Qi et al., "Zero Bubble Pipeline Parallelism", ICLR 2024: with backward split into the gradients of inputs and
of weights the bubble is (p - 1)(F + B - W), with no more microbatches kept than by 1F1B's first stage.
"""

from __future__ import annotations

from uet.workloads.pipelines.one_forward_one_backward import interwoven
from uet.workloads.pipelines.table import Slot


def orders(stages: int, microbatches: int, chunks: int = 1) -> tuple[tuple[Slot, ...], ...]:
    """Return the orders of the stages: those of 1F1B, where stage i is i weight gradients late."""
    every = [(m, 0) for m in range(microbatches)]
    return tuple(_delayed(interwoven(every, every, stages - 1 - stage), stage) for stage in range(stages))


def _delayed(order: tuple[Slot, ...], stage: int) -> tuple[Slot, ...]:
    found: list[Slot] = []
    owed: list[Slot] = []
    for slot in order:
        found.append(slot._replace(part=stage))
        if slot.kind == "b":
            owed.append(Slot("w", slot.microbatch, stage))
            if len(owed) > stage:
                found.append(owed.pop(0))
    return tuple(found + owed)
