"""Interleaved 1F1B: every stage has v chunks of layers, so a bubble is shorter and messages are more.

Narayanan et al., SC21, section 2.2: (p - 1)(F + B)/v of bubble; microbatches come in groups of p, which
pass through the chunks one after another.
"""

from __future__ import annotations

from uet.base.errors import BadInput
from uet.workloads.pipelines.one_forward_one_backward import interwoven
from uet.workloads.pipelines.table import Slot


def orders(stages: int, microbatches: int, chunks: int = 1) -> tuple[tuple[Slot, ...], ...]:
    """Return the orders of the stages. Raises BadInput unless the microbatches are a multiple of the stages."""
    if chunks > 1 and microbatches % stages:
        near = max(stages, round(microbatches / stages) * stages)
        raise BadInput(
            f"the interleaved schedule needs a multiple of {stages} microbatches, not {microbatches}; nearest: {near}"
        )
    groups = range(0, microbatches, stages) if chunks > 1 else range(microbatches)
    width = stages if chunks > 1 else 1
    passed = [(g + k, c) for g in groups for c in range(chunks) for k in range(width)]
    found = []
    for stage in range(stages):
        forth = [(m, c * stages + stage) for m, c in passed]
        back = [(m, (chunks - 1 - c) * stages + stage) for m, c in passed]
        warmup = 2 * (stages - 1 - stage) + (chunks - 1) * stages if chunks > 1 else stages - 1 - stage
        found.append(interwoven(forth, back, warmup))
    return tuple(found)
