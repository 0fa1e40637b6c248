"""Step time of training jobs by closed forms: volumes of 3D and expert parallelism over bandwidths.

Per step on N accelerators, with the communications of `uet.workloads.volumes` on the stage that sends most:

    compute     the model's operations over (N rate), and a pipeline bubble of (p - 1)/m of it
    tensor      allreduces of activations
    expert      alltoalls of tokens to their experts
    pipeline    activations to the next stage
    data        allreduces of gradients; what backward (two thirds of compute) does not hide counts

Groups within a server use its NVLink, all others the network at the bandwidth that the pattern gets on the
whole machine; a step is the sum of what is not hidden.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator

from uet.base.errors import BadInput
from uet.base.values import StrictModel
from uet.workloads.models.presets import find_model
from uet.workloads.models.transformer import Transformer
from uet.workloads.parallelism import Parallelism
from uet.workloads.recipes import recipe_of
from uet.workloads.volumes import EMBEDDING, STEP, Communication, step_communications

Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]


_sizes = lru_cache(find_model)


class Workload(StrictModel):
    """A training job on all accelerators and the step time it must reach. Degrees and batch: the published run's.

    `model` is a name of `uet.workloads.models.presets` or a file of sizes.
    """

    name: str = ""
    model: str
    step_s: Positive | None = None
    tensor: Count | None = None
    pipeline: Count | None = None
    expert: Count | None = None
    batch: Count | None = None
    micro_batch: Count = 1
    word_bytes: Annotated[int, Field(ge=1, le=8)] = 2
    tflops: Positive = 400  # reached by an accelerator while it computes

    @property
    def title(self) -> str:
        """The name, or the model's."""
        return self.name or self.model

    @property
    def sizes(self) -> Transformer:
        """The model."""
        return _sizes(self.model)

    @field_validator("model")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            _sizes(name)
        except BadInput as error:
            raise ValueError("; ".join(error.messages)) from None
        return name

    @model_validator(mode="after")
    def _rules(self) -> Workload:
        if self.expert and self.expert > 1 and not self.sizes.experts:
            raise ValueError(f"expert={self.expert}: {self.model} has no experts; leave it out")
        return self

    def degrees(self) -> tuple[int, int, int, int]:
        """Return tensor, pipeline and expert degree, and the samples of a step."""
        usual = recipe_of(self.sizes)
        return (
            self.tensor or usual.tp, self.pipeline or usual.pp, self.expert or usual.ep, self.batch or usual.batch
        )  # fmt: skip

    def dealt(self, accelerators: int) -> Parallelism:
        """Return how the job is dealt to so many accelerators, which it must fit."""
        t, p, e, _ = self.degrees()
        return Parallelism(
            tp=t, pp=p, dp=accelerators // (t * p), ep=e, micro_batch=self.micro_batch, word_bytes=self.word_bytes,
            gradient_bytes=self.word_bytes, dispatch_bytes=self.word_bytes, scatter=True,
            order=recipe_of(self.sizes).others.get("order", "tp,cp,pp,dp"),
        )  # fmt: skip

    def misfit(self, accelerators: int) -> str | None:
        """Return why the job cannot be dealt to the accelerators, with a remedy; None if it can."""
        t, p, _, batch = self.degrees()
        if accelerators % (t * p):
            return f"tensor={t} times pipeline={p} must divide accelerators={accelerators}; change a degree"
        try:
            how = self.dealt(accelerators)
            how.check(self.sizes)
            how.microbatches(batch)
        except BadInput as error:
            return error.messages[0]
        return None


@dataclass(frozen=True)
class Network:
    """What a job sees of a machine: bandwidths in Gb/s per accelerator, of allreduce in vectors.

    `island` accelerators of a server have NVLink of `island_gbps`.
    """

    accelerators: int
    alltoall_gbps: float
    allreduce_gbps: float
    island: int = 1
    island_gbps: float = 0.0


@dataclass(frozen=True)
class StepTime:
    """Seconds of a step by what they are spent on; `data_s` is what is not hidden."""

    compute_s: float
    bubble_s: float
    tensor_s: float
    expert_s: float
    pipeline_s: float
    data_s: float

    @property
    def total_s(self) -> float:
        """The whole step."""
        return self.compute_s + self.bubble_s + self.tensor_s + self.expert_s + self.pipeline_s + self.data_s

    def as_dict(self) -> dict[str, Any]:
        """Return the parts and the total as plain data."""
        return {**self.__dict__, "total_s": self.total_s}


def step_time(work: Workload, net: Network) -> StepTime:
    """Return the time of a step; it falls with every bandwidth."""
    need, n = _need(work, net.accelerators, net.island), net.accelerators
    # A ring sends 2 (n - 1)/n vectors, on the whole machine in the time that `allreduce_gbps` says for one.
    gbps = {
        "island": net.island_gbps, "alltoall": net.alltoall_gbps, "ring": net.allreduce_gbps * 2 * (n - 1) / n,
        "p2p": net.allreduce_gbps * 2,
    }  # fmt: skip
    seconds = {"tp": 0.0, "ep": 0.0, "pp": 0.0, "dp": 0.0}
    for (part, pattern), sent in need.bytes_by.items():
        seconds[part] += sent / (gbps[pattern] * 1e9 / 8 or 1e-300)  # no bandwidth: practically for ever
    return StepTime(
        need.compute_s, need.bubble_s, seconds["tp"], seconds["ep"], seconds["pp"],
        max(0.0, seconds["dp"] - 2 / 3 * need.compute_s),
    )  # fmt: skip


@dataclass(frozen=True)
class _Need:
    """What a step computes, in seconds, and what a rank sends, by part of the step and pattern of the network."""

    compute_s: float
    bubble_s: float
    bytes_by: dict[tuple[str, str], float]


@lru_cache(maxsize=64)
def _need(work: Workload, accelerators: int, island: int) -> _Need:
    model, how, batch = work.sizes, work.dealt(accelerators), work.degrees()[3]
    compute = model.step_flop(batch * model.sequence) / (accelerators * work.tflops * 1e12)
    bytes_by: dict[tuple[str, str], float] = defaultdict(float)
    for c, times in _busiest(model, how, batch):
        part = {EMBEDDING: "dp" if c.phase == STEP else "tp"}.get(c.dimension, c.dimension)
        outside = how.leaves_islands(c.group, island)[1]
        pattern = {"alltoall": "alltoall", "p2p": "p2p"}.get(c.kind, "ring") if outside else "island"
        bytes_by[part, pattern] += times * float(c.sent_bytes)
    return _Need(compute, compute * (how.pp - 1) / how.microbatches(batch), dict(bytes_by))


def _busiest(model: Transformer, how: Parallelism, batch: int) -> list[tuple[Communication, int]]:
    """Return what a rank does in a step, of the stage whose ranks send most."""
    stages = (list(step_communications(model, how, batch, stage)) for stage in range(how.pp))
    return max(stages, key=lambda found: sum(times * c.sent_bytes for c, times in found))
