"""Training steps of language models, and pipeline schedules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uet.api.fabrics import checked_target
from uet.api.schedules import GOAL_SUFFIXES
from uet.base.errors import BadInput, nearest

if TYPE_CHECKING:
    from uet.schedule.goal.blocks import Blocks
    from uet.workloads.models.transformer import Transformer

Say = Callable[[str], None]

MOST_MESSAGES = 500_000_000
"""A file with more is not written."""


@dataclass(frozen=True)
class TrainingStep:
    """A training step: what it moves and, by the step model, how long it takes.

    `bytes_by` are bytes that all ranks send, by dimension (`embedding`: of embedding and head, whatever the dimension);
    `rank_bytes_by` what the rank that sends most does, `vector_bytes_by` the sizes of its collectives' vectors
    and its messages added up. `exposed_s` is what communication adds to a step by dimension. `model_flop`
    are without repeated passes; `mfu` is their share of the peak. `memory_bytes` are those of the rank that keeps most:
    parameters, gradients, optimizer and activations.
    """

    model: str
    parameters: int
    ranks: int
    parallelism: dict[str, Any]
    hardware: str
    global_batch: int
    microbatches: int
    layers: int
    sequence: int
    step_time_s: float
    compute_s: float
    exposed_s: dict[str, float]
    bubble_s: float
    optimizer_s: float
    bubble_fraction: float
    model_flop: float
    tflops_per_rank: float
    mfu: float
    tokens_per_s: float
    bytes_by: dict[str, int]
    rank_bytes_by: dict[str, int]
    vector_bytes_by: dict[str, int]
    total_bytes: int
    memory_bytes: dict[str, int]
    messages: int
    file: str | None

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain data."""
        return asdict(self)


@dataclass(frozen=True)
class PipelineSchedule:
    """A pipeline schedule in slots: `table` [slots][stages] says what each stage does ('' for nothing).

    `kept` are the most forward passes that each stage keeps for backward.
    """

    schedule: str
    stages: int
    microbatches: int
    chunks: int
    makespan_slots: int
    bubble_fraction: float
    kept: list[int]
    table: list[list[str]]

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain data."""
        return asdict(self)


def make_pipeline(
    schedule: str, stages: int, microbatches: int, *, chunks: int = 1, backward_slots: int = 1
) -> PipelineSchedule:
    """Return a pipeline schedule whose forward passes take one slot and backward passes `backward_slots`.

    Where backward is split (zero-bubble, dualpipe) both halves take that. Raises BadInput for numbers it cannot do.
    """
    from dataclasses import replace

    from uet.workloads.pipelines.library import pipeline

    table = pipeline(schedule, stages, microbatches, chunks)
    costs = table.unit_costs(float(backward_slots))
    costs = replace(costs, weight=costs.backward)
    return PipelineSchedule(
        schedule, stages, microbatches, chunks, int(table.makespan(costs)), table.bubble_fraction(costs),
        table.in_flight(), table.rows(costs),
    )  # fmt: skip


def make_llm(
    model: str | Path,
    parallelism: Mapping[str, Any] | None = None,
    *,
    global_batch: int | None = None,
    ranks: int | None = None,
    sequence: int | None = None,
    layers: int | None = None,
    microbatches: int | None = None,
    hardware: str | Path | None = None,
    algorithms: Mapping[str, str] | None = None,
    reduce_ps_per_byte: float = 0.0,
    coarse: bool = False,
    file: str | Path | None = None,
    force: bool = False,
    say: Say | None = None,
) -> TrainingStep:
    """Return a training step of a known transformer or one from a file, and write it as GOAL if `file` is given.

    `parallelism` are fields of `uet.workloads.parallelism.Parallelism` (tp, pp, dp, ep, cp, zero, schedule, ...); what
    is left open is as the model was trained, or usual (`uet.workloads.recipes`). `ranks` checks the product of tp,
    cp, pp and dp, or gives dp if that is left out. `layers` keeps so many of them without embedding and head, and
    `microbatches` so many, with messages of unchanged size. `hardware` names a known accelerator or a file.
    `algorithms` are names of the library by collective; `coarse` writes few operations instead, for the flow level
    (`uet.workloads.coarse`), and `messages` are those. Raises BadInput for whatever does not fit.
    """
    from uet.workloads.coarse import CoarseSchedule
    from uet.workloads.hardware import find_hardware
    from uet.workloads.memory import memory
    from uet.workloads.models.presets import find_model
    from uet.workloads.programs import Programs
    from uet.workloads.recipes import complete, recipe_of
    from uet.workloads.step import StepModel
    from uet.workloads.training import StepSchedule
    from uet.workloads.volumes import volumes

    path = None if file is None else checked_target(file, GOAL_SUFFIXES, force)
    chosen = algorithms or {}
    _check_algorithms(chosen)
    known = find_model(model)
    accelerator = find_hardware(hardware or recipe_of(known).hardware)
    resized = _resized(known, sequence, layers)
    deal = {name: value for name, value in (parallelism or {}).items() if value is not None}
    deal |= _by_ranks(ranks, deal)
    if microbatches is not None:
        global_batch = _only(microbatches, deal)
    how, batch = complete(resized, deal, global_batch)
    moved = volumes(resized, how, batch)
    steps = StepModel(resized, how, accelerator)
    time = steps.step(batch)
    programs = Programs(resized, how, accelerator, batch)
    schedule: StepSchedule | CoarseSchedule
    if coarse:
        schedule = CoarseSchedule(programs)
    else:
        schedule = StepSchedule(programs, chosen, reduce_ps_per_byte)
    messages = schedule.messages()
    if path is not None:
        _write(schedule.blocks(), path, messages, say)
    rate = time.model_flop / time.total_s / how.ranks
    return TrainingStep(
        model=resized.name,
        parameters=resized.parameters,
        ranks=how.ranks,
        parallelism=how.model_dump(mode="json"),
        hardware=accelerator.name,
        global_batch=batch,
        microbatches=how.microbatches(batch),
        layers=resized.layers,
        sequence=resized.sequence,
        step_time_s=time.total_s,
        compute_s=time.compute_s,
        exposed_s=time.exposed_s,
        bubble_s=time.bubble_s,
        optimizer_s=time.optimizer_s,
        bubble_fraction=time.bubble_fraction,
        model_flop=time.model_flop,
        tflops_per_rank=rate / 1e12,
        mfu=rate / 1e12 / accelerator.peak_tflops,
        tokens_per_s=batch * resized.sequence / time.total_s,
        bytes_by=moved.total_bytes,
        rank_bytes_by=moved.rank_bytes,
        vector_bytes_by=moved.vector_bytes,
        total_bytes=sum(moved.total_bytes.values()),
        memory_bytes=memory(resized, how, steps.table(how.microbatches(batch))).as_dict(),
        messages=messages,
        file=None if path is None else str(path),
    )


def _check_algorithms(chosen: Mapping[str, str]) -> None:
    from uet.schedule.collectives.library import ALGORITHMS
    from uet.workloads.training import ALGORITHMS as USUAL

    for kind, name in chosen.items():
        if kind not in USUAL:
            raise BadInput(f"a training step has no collective '{kind}'; {nearest(kind, USUAL)}")
        if name not in ALGORITHMS[kind]:
            raise BadInput(f"{kind}: unknown algorithm '{name}'; {nearest(name, ALGORITHMS[kind])}")


def _resized(model: Transformer, sequence: int | None, layers: int | None) -> Transformer:
    if layers is not None and not 1 <= layers <= model.layers:
        raise BadInput(f"{model.name}: has {model.layers} layers, of which {layers} cannot be kept; state 1 or more")
    resized = model if layers is None else model.with_layers(layers).model_copy(update={"vocabulary": 0})
    return resized if sequence is None else resized.model_copy(update={"sequence": sequence})


def _by_ranks(ranks: int | None, deal: Mapping[str, Any]) -> dict[str, int]:
    """Return the dp that makes up so many ranks, or check that those given do."""
    if ranks is None:
        return {}
    others = 1
    for name in ("tp", "cp", "pp"):
        others *= int(deal.get(name, 1))
    dp = deal.get("dp", max(ranks // others, 1))
    if others * dp != ranks:
        raise BadInput(
            f"tp, cp and pp take {others} ranks and dp={dp} of them make {others * dp}, not {ranks}; change a degree"
        )
    return {"dp": dp}


def _only(microbatches: int, deal: Mapping[str, Any]) -> int:
    if microbatches < 1:
        raise BadInput(f"microbatches={microbatches}: keep at least 1")
    return microbatches * int(deal.get("dp", 1)) * int(deal.get("micro_batch", 1))


def _write(blocks: Iterator[Blocks], path: Path, messages: int, say: Say | None) -> None:
    from uet.schedule.goal import write_batches

    if messages > MOST_MESSAGES:
        raise BadInput(
            f"{path}: the step has {messages:,} messages, more than the {MOST_MESSAGES:,} that a file can have; keep "
            "some of them with layers and microbatches, or write it coarse"
        )
    write_batches(_told(blocks, say), path)


def _told(batches: Iterable[Blocks], say: Say | None) -> Iterator[Blocks]:
    for batch in batches:
        yield batch
        if say is not None:
            say(f"{batch.first_rank + len(batch.first_node) - 1:,} of {batch.n_ranks:,} ranks written")
