"""Published step times of large training runs, as configurations of the step model.

`seconds` is the step; where a paper prints TFLOP/s per accelerator it follows from the operations that the paper
counts (with recomputation in SC21, without it and half of attention for Llama 3, whose masked half its kernels
skip). Papers do not print all that a step depends on: without a pipeline SC21's rows are run with microbatches of
4, with one in microbatches of 1 (as in its table 2) and the fewest chunks that deal the layers evenly.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from uet.workloads.hardware import HARDWARE, Efficiency
from uet.workloads.models.presets import PRESETS
from uet.workloads.models.transformer import Transformer
from uet.workloads.parallelism import Parallelism
from uet.workloads.recipes import complete
from uet.workloads.step import StepModel

_TABLE_1 = (  # model, tp, pp, dp, batch, TFLOP/s per accelerator
    ("megatron-1.7b", 1, 1, 32, 512, 137), ("megatron-3.6b", 2, 1, 32, 512, 138), ("megatron-7.5b", 4, 1, 32, 512, 142),
    ("megatron-18b", 8, 1, 32, 1024, 135), ("megatron-39b", 8, 2, 32, 1536, 138),
    ("megatron-76b", 8, 4, 32, 1792, 140), ("megatron-146b", 8, 8, 24, 2304, 148),
    ("megatron-310b", 8, 16, 15, 2160, 155), ("megatron-530b", 8, 35, 9, 2520, 163),
    ("megatron-1t", 8, 64, 6, 3072, 163),
)  # fmt: skip
_TABLE_2 = (  # the same, PTD-P rows
    ("gpt3-175b", 8, 12, 4, 1536, 153), ("gpt3-175b", 8, 12, 8, 1536, 149), ("gpt3-175b", 8, 12, 16, 1536, 141),
    ("megatron-530b", 8, 35, 2, 2240, 171), ("megatron-530b", 8, 35, 4, 2240, 167),
    ("megatron-530b", 8, 35, 8, 2240, 159),
)  # fmt: skip
_TABLE_5 = (  # model, pp, chunks, microbatch, batch, seconds with full recomputation, selective and sequence parallel
    ("megatron-22b", 1, 1, 4, 4, 1.42, 1.10), ("gpt3-175b", 8, 3, 1, 64, 18.13, 13.75),
    ("megatron-530b", 35, 3, 1, 280, 49.05, 37.83), ("megatron-1t", 64, 1, 1, 512, 94.42, 71.49),
)  # fmt: skip
_LLAMA = ((64, 1, 8192, 2048, 430), (128, 1, 8192, 2048, 400), (8, 16, 131072, 128, 380))
"""dp, cp, sequence, batch, TFLOP/s; dp of the last as in the third version of the paper."""


@dataclass(frozen=True)
class Run:
    """A published step of `seconds`."""

    name: str
    model: Transformer
    how: Parallelism
    hardware: str
    batch: int
    seconds: float

    def predicted_s(self, efficiency: Efficiency | None = None) -> float:
        """Return what the step model says, with other efficiencies if they are given."""
        hardware = HARDWARE[self.hardware]
        if efficiency is not None:
            hardware = hardware.model_copy(update={"efficiency": efficiency})
        return StepModel(self.model, self.how, hardware).step(self.batch).total_s


def published_runs() -> tuple[Run, ...]:
    """Return all of them; every other one, from the first on, is what the efficiencies are fitted to."""
    return (*_sc21(), *_sequence_parallel(), *_llama())


def _sc21() -> Iterator[Run]:
    for table, rows in (("SC21 table 1", _TABLE_1), ("SC21 table 2", _TABLE_2)):
        for name, tp, pp, dp, batch, tflops in rows:
            given = {"tp": tp, "pp": pp, "dp": dp, "micro_batch": 1 if pp > 1 else 4}
            yield _run(f"{table}: {name} on {tp * pp * dp}", name, given, batch, tflops)


def _run(title: str, name: str, given: dict[str, int], batch: int, tflops: float) -> Run:
    model = PRESETS[name]
    how, _ = complete(model, given, batch)
    flop = model.step_flop(batch * model.sequence, how.recompute == "full", how.causal)
    return Run(title, model, how, "a100", batch, flop / (how.ranks * tflops * 1e12))


def _sequence_parallel() -> Iterator[Run]:
    for name, pp, chunks, micro, batch, full_s, selective_s in _TABLE_5:
        schedule = "interleaved" if chunks > 1 else "1f1b"
        given = {"tp": 8, "pp": pp, "micro_batch": micro, "chunks": chunks, "schedule": schedule}
        selective: dict[str, Any] = {"recompute": "selective", "sequence_parallel": True}
        for seconds, more in ((full_s, {}), (selective_s, selective)):
            title = f"sequence parallelism table 5: {name}, {more.get('recompute', 'full')} recomputation"
            how, _ = complete(PRESETS[name], {**given, **more}, batch)
            yield Run(title, PRESETS[name], how, "a100", batch, seconds)


def _llama() -> Iterator[Run]:
    for dp, cp, sequence, batch, tflops in _LLAMA:
        model = PRESETS["llama3-405b"].model_copy(update={"sequence": sequence})
        how, _ = complete(model, {"tp": 8, "pp": 16, "dp": dp, "cp": cp}, batch)
        flop = model.step_flop(batch * sequence, causal=True)
        title = f"Llama 3 table 4: 405B on {how.ranks}, sequence {sequence}"
        yield Run(title, model, how, "h100", batch, flop / (how.ranks * tflops * 1e12))
