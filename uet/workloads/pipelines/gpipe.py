"""GPipe: all forward passes, then all backward passes.

Huang et al., "GPipe", NeurIPS 2019. (p - 1)(F + B) of bubble; a stage keeps all m microbatches.
"""

from __future__ import annotations

from uet.workloads.pipelines.table import Slot


def orders(stages: int, microbatches: int, chunks: int = 1) -> tuple[tuple[Slot, ...], ...]:
    """Return the orders of the stages; the newest microbatch goes back first."""
    forth = [("f", m) for m in range(microbatches)]
    back = [("b", m) for m in reversed(range(microbatches))]
    return tuple(tuple(Slot(kind, m, stage) for kind, m in forth + back) for stage in range(stages))
