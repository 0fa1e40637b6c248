"""1F1B (PipeDream-Flush, DAPPLE): after a warm-up each forward pass is followed by a backward pass.

Narayanan et al., ICML 2021; Fan et al., "DAPPLE", PPoPP 2021. (p - 1)(F + B) of bubble; stage i keeps p - i
microbatches.
"""

from __future__ import annotations

from uet.workloads.pipelines.table import Slot


def orders(stages: int, microbatches: int, chunks: int = 1) -> tuple[tuple[Slot, ...], ...]:
    """Return the orders of the stages."""
    passes = [[(m, stage) for m in range(microbatches)] for stage in range(stages)]
    return tuple(interwoven(own, own, stages - 1 - stage) for stage, own in enumerate(passes))


def interwoven(forth: list[tuple[int, int]], back: list[tuple[int, int]], warmup: int) -> tuple[Slot, ...]:
    """Return `warmup` forward passes, then one forward and one backward in turn, then what is left of backward.

    `forth` and `back` are (microbatch, part) in the order in which they come.
    """
    warm = min(warmup, len(forth))
    order = [Slot("f", *forth[k]) for k in range(warm)]
    for k in range(len(back)):
        if warm + k < len(forth):
            order.append(Slot("f", *forth[warm + k]))
        order.append(Slot("b", *back[k]))
    return tuple(order)
