"""Step time of training jobs by closed forms: volumes of 3D and expert parallelism over bandwidths.

Per step of B samples of s tokens on N accelerators, D = N / (t p) replicas, m = B / (D b) micro-batches
(Narayanan et al., Megatron-LM, SC21; Shoeybi et al. 2019 for t; Hoefler et al., HammingMesh, SC22,
section on 3D parallelism):

    compute     (6 active + 12 l h s) B s / (N rate), and a pipeline bubble of (p - 1)/m of it
    tensor      4 l/p m allreduces of w b s h bytes in groups of t
    expert      4 l_moe/p m alltoalls of k b s h w / t bytes in groups of e
    pipeline    2 m w b s h / t bytes to the next stage
    data        allreduces of w times the parameters held, of the experts' over D / e replicas;
                what backward (two thirds of compute) does not hide counts

Groups within a server use its NVLink, all others the network at the bandwidth that the pattern gets on the
whole machine; a step is the sum of what is not hidden.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from uet.base.values import StrictModel

Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]


@dataclass(frozen=True)
class Model:
    """A transformer: sizes, parameters in all, used per token, and in experts; `batch` samples a step."""

    layers: int
    hidden: int
    sequence: int
    parameters: float
    active: float
    in_experts: float
    moe_layers: int
    top_k: int
    batch: int
    tensor: int
    pipeline: int
    expert: int
    source: str


def _dense(layers: int, hidden: int, sequence: int, vocabulary: int) -> float:
    """Return the parameters of a GPT (Narayanan et al., SC21, equation 2)."""
    return 12 * layers * hidden**2 * (1 + 13 / (12 * hidden) + (vocabulary + sequence) / (12 * layers * hidden))


_GPT3 = _dense(96, 12288, 2048, 51200)
MODELS: Mapping[str, Model] = {
    "gpt-3": Model(
        96, 12288, 2048, _GPT3, _GPT3, 0, 0, 0, 1536, 8, 8, 1,
        "GPT-3 175B as trained by Megatron-LM: Narayanan et al., SC21",
    ),
    "moe": Model(
        61, 7168, 4096, 671e9, 37e9, 58 * 256 * 3 * 7168 * 2048.0, 58, 8, 16384, 1, 16, 64,
        "671B with 256 experts, 8 of them per token, in 58 of 61 layers, as DeepSeek-V3 (arXiv 2412.19437); recalled",
    ),
}  # fmt: skip
"""Known models by name."""


class Workload(StrictModel):
    """A training job on all accelerators and the step time it must reach. Degrees and batch: the model's by default."""

    name: str = ""
    model: Literal["gpt-3", "moe"]
    step_s: Positive | None = None
    tensor: Count | None = None
    pipeline: Count | None = None
    expert: Count | None = None
    batch: Count | None = None
    micro_batch: Count = 1
    word_bytes: Count = 2
    tflops: Positive = 400  # reached by an accelerator while it computes

    @property
    def title(self) -> str:
        """The name, or the model's."""
        return self.name or self.model

    @model_validator(mode="after")
    def _rules(self) -> Workload:
        known = MODELS[self.model]
        if self.expert and self.expert > 1 and not known.moe_layers:
            raise ValueError(f"expert={self.expert}: {self.model} has no experts; leave it out")
        return self

    def degrees(self) -> tuple[int, int, int, int]:
        """Return tensor, pipeline and expert degree, and the samples of a step."""
        m = MODELS[self.model]
        return (
            self.tensor or m.tensor, self.pipeline or m.pipeline, self.expert or m.expert, self.batch or m.batch
        )  # fmt: skip

    def misfit(self, accelerators: int) -> str | None:
        """Return why the job cannot be dealt to the accelerators, with a remedy; None if it can."""
        t, p, e, batch = self.degrees()
        if accelerators % (t * p):
            return f"tensor={t} times pipeline={p} must divide accelerators={accelerators}; change a degree"
        replicas = accelerators // (t * p)
        if replicas % e:
            return f"expert={e} must divide the {replicas} replicas; change a degree"
        if batch % (replicas * self.micro_batch):
            step = replicas * self.micro_batch
            near = max(step, round(batch / step) * step)
            return f"batch={batch} must be a multiple of {replicas} replicas times micro_batch; nearest: batch={near}"
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
    model = MODELS[work.model]
    t, p, e, batch = work.degrees()
    replicas = net.accelerators // (t * p)
    micro = batch // (replicas * work.micro_batch)
    tokens = batch * model.sequence
    flop = (6 * model.active + 12 * model.layers * model.hidden * model.sequence) * tokens
    compute = flop / (net.accelerators * work.tflops * 1e12)
    cut_bytes = work.word_bytes * work.micro_batch * model.sequence * model.hidden
    vectors = 4 * model.layers / p * micro
    tensor = vectors * cut_bytes / _allreduce(net, t) if t > 1 else 0.0
    routed = 4 * model.moe_layers / p * micro * model.top_k * cut_bytes / t * (e - 1) / e
    expert = routed / _alltoall(net, e * t) if routed else 0.0
    sent = 2 * micro * cut_bytes / t
    pipeline = sent / _bytes_per_s(2 * net.allreduce_gbps) if p > 1 else 0.0
    shared = work.word_bytes * (model.parameters - model.in_experts) / (t * p)
    own = work.word_bytes * model.in_experts / (t * p * e)
    data = _spent(shared, net, replicas, t * p) + _spent(own, net, replicas // e, t * p * e)
    return StepTime(
        compute, compute * (p - 1) / micro, tensor, expert, pipeline, max(0.0, data - 2 / 3 * compute)
    )  # fmt: skip


def _bytes_per_s(gbps: float) -> float:
    return gbps * 1e9 / 8 or 1e-300  # no bandwidth: practically for ever


def _spent(size_bytes: float, net: Network, members: int, stride: int) -> float:
    """Return the time of an allreduce among members that are `stride` accelerators apart."""
    return size_bytes / _allreduce(net, members, stride) if members > 1 and size_bytes else 0.0


def _allreduce(net: Network, members: int, stride: int = 1) -> float:
    """Return the bytes of a vector per second in groups: NVLink's within a server, else the machine's.

    A ring sends 2 (n - 1)/n vectors, a little less in small groups than on the whole machine.
    """
    ring = members / (2 * (members - 1))
    if members * stride <= net.island:
        return _bytes_per_s(net.island_gbps * ring)
    n = net.accelerators
    return _bytes_per_s(net.allreduce_gbps * ring / (n / (2 * (n - 1))))


def _alltoall(net: Network, members: int) -> float:
    inside = members <= net.island
    gbps = net.island_gbps if inside else net.alltoall_gbps
    return _bytes_per_s(gbps) if gbps < inf else inf
