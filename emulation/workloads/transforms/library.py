"""Compressed allreduces by name."""

from __future__ import annotations

from types import ModuleType

from emulation.workloads.transforms import ok_topk, quantized, sparcml_doubling, sparcml_split, topk_allgather
from emulation.workloads.transforms.coding import Coding
from emulation.workloads.transforms.exchange import schedule_of
from emulation.workloads.transforms.messages import up
from uet.base.errors import BadInput, nearest
from uet.schedule.model import Schedule

SPARSE: dict[str, ModuleType] = {
    "ok-topk": ok_topk,
    "allgather": topk_allgather,
    "sparcml-split": sparcml_split,
    "sparcml-doubling": sparcml_doubling,
}
"""Algorithms for sparse vectors; each module has `allreduce` on data, `rounds` for sizes and its FORMULA."""


def compressed_allreduce(
    n_ranks: int, n: int, coding: Coding, density: float | None = None, algorithm: str | None = None
) -> tuple[Schedule, str, str]:
    """Return the schedule of an allreduce of n elements, the algorithm's name and its formula.

    With a `density` every rank has so large a share of the elements (top-k); without, all, quantized. Raises
    BadInput for unknown algorithms and densities that are none.
    """
    if density is None:
        if algorithm not in (None, "quantized"):
            raise BadInput(f"algorithm '{algorithm}' is for sparse vectors; say how sparse they are with topk")
        return (
            schedule_of("allreduce quantized", n_ranks, quantized.rounds(n_ranks, n, coding)),
            "quantized",
            (quantized.FORMULA),
        )
    name = algorithm or next(iter(SPARSE))
    if name not in SPARSE:
        raise BadInput(f"unknown sparse algorithm '{name}'; {nearest(name, SPARSE)}")
    if not 0 < density <= 1:
        raise BadInput(f"topk={density} is no share of the elements; use more than 0 and at most 1, such as 0.01")
    module = SPARSE[name]
    return (
        schedule_of(f"allreduce {name}", n_ranks, module.rounds(n_ranks, n, up(density * n), coding)),
        name,
        module.FORMULA,
    )
