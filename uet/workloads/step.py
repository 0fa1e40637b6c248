"""Time of a training step: compute on a roofline, collectives over the links, the pipeline by its table.

A collective takes the bytes that a member sends over the bandwidth it has, and a latency per step of a ring. Members
that are all in an island use its links. If k members of a group are in each island, its rings leave an
island over the network links of all k, so a member gets k of them, at most the island's. tp, cp and ep add
to the passes that need them; DualPipe hides ep behind the other direction's compute; gradients hide behind
the last backward pass, and ZeRO-3's collectives behind the layer's compute, where `overlap` is set.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from uet.workloads import compute
from uet.workloads.hardware import Hardware
from uet.workloads.models.transformer import Transformer
from uet.workloads.parallelism import DIMENSIONS, Parallelism
from uet.workloads.pipelines.library import PIPELINES, pipeline
from uet.workloads.pipelines.table import Costs, PipelineTable
from uet.workloads.volumes import (
    BACKWARD,
    EMBEDDING,
    FORWARD,
    STEP,
    Communication,
    embedding_communications,
    embedding_held,
    gradient_communications,
    held_of_layer,
    hop_bytes,
    hosted,
    layer_communications,
    step_communications,
)

ENOUGH_SLOTS = 10_000
"""Longer pipelines are timed by a shorter one and the time that its slowest stage takes per microbatch."""


@dataclass(frozen=True)
class StepTime:
    """Seconds of a step on its slowest stage: compute, what communication adds by dimension, waiting, optimizer.

    `bubble_fraction` is the share of its time in which a stage of the pipeline would wait, on average, if messages
    between stages took none; what they take is `exposed_s["pp"]`.
    """

    compute_s: float
    exposed_s: dict[str, float]
    bubble_s: float
    optimizer_s: float
    bubble_fraction: float
    model_flop: float

    @property
    def total_s(self) -> float:
        """The whole step."""
        return self.compute_s + sum(self.exposed_s.values()) + self.bubble_s + self.optimizer_s

    def as_dict(self) -> dict[str, Any]:
        """Return the parts and the total as plain data."""
        return {**self.__dict__, "total_s": self.total_s}


@dataclass(frozen=True)
class _Pass:
    """Seconds of one direction of a part: compute, and what communication adds by dimension."""

    compute_s: float
    added_s: dict[str, float]

    @property
    def total_s(self) -> float:
        return self.compute_s + sum(self.added_s.values())


class StepModel:
    """Times of a model that is dealt to accelerators; see the module. Raises BadInput for what does not fit."""

    def __init__(self, model: Transformer, how: Parallelism, hardware: Hardware) -> None:
        """Check that the parallelism fits the model."""
        how.check(model)
        self.model, self.how, self.hardware = model, how, hardware
        self.layers_of = how.layers_of(model)
        self.part_pass = cache(self._part_pass)
        self._layer = cache(self._layer_pass)

    def seconds(self, c: Communication) -> float:
        """Return how long a collective or a message takes."""
        inside, crossing = self.how.leaves_islands(c.group, self.hardware.island)
        links = self.hardware.efficiency
        island = self.hardware.island_gbps * 1e9 / 8 * links.island
        network = self.hardware.network_gbps * 1e9 / 8 * links.network
        latency = self.hardware.latency_us * 1e-6
        if c.kind == "p2p":
            return c.vector_bytes / (network if crossing else island) + latency
        sent = float(c.sent_bytes)
        if not crossing:
            return sent / island + latency * (c.members - 1)
        if c.kind == "alltoall":
            out = c.vector_bytes * (c.members - inside) / c.members
            return max(out / network, (sent - out) / island) + latency
        steps = c.members / inside * (2 if c.kind == "allreduce" else 1)
        return sent / min(island, inside * network) + latency * steps

    def _layer_pass(self, experts: bool, forth: bool) -> _Pass:
        """Return a microbatch's way forward, or back, through a layer with or without experts."""
        layer = self.model.layers - 1 if experts else 0
        work = (compute.forward if forth else compute.backward)(self.model, self.how, layer)
        seconds = work.seconds(self.hardware)
        added = dict.fromkeys((*DIMENSIONS, EMBEDDING), 0.0)
        for c in layer_communications(self.model, self.how, layer):
            if (c.phase == FORWARD) == forth:
                added[c.dimension] += self.seconds(c)
        if self.how.schedule == "dualpipe":
            added["ep"] = max(0.0, added["ep"] - seconds)
        if self.how.zero == 3:
            phase = FORWARD if forth else BACKWARD
            held = gradient_communications(self.how, held_of_layer(self.model, self.how, layer))
            shared = sum(self.seconds(c) for c in held if c.phase == phase)
            added["dp"] += max(0.0, shared - seconds) if self.how.overlap else shared
        return _Pass(seconds, added)

    def _part_pass(self, part: int, forth: bool) -> _Pass:
        """Return a microbatch's way forward, or back, through a part of the model."""
        first, last = part == 0, part == self.how.parts - 1
        seconds, added = 0.0, dict.fromkeys((*DIMENSIONS, EMBEDDING), 0.0)
        for layer in self.layers_of[part]:
            found = self._layer(self.model.has_experts(layer), forth)
            seconds += found.compute_s
            added = {name: added[name] + more for name, more in found.added_s.items()}
        if last:
            seconds += compute.head(self.model, self.how).times(1 if forth else 2).seconds(self.hardware)
        ends = embedding_communications(self.model, self.how, first, last)
        if self.how.zero == 3:
            held = embedding_held(self.model, self.how, first, last)
            ends += [c for c in gradient_communications(self.how, held, EMBEDDING) if c.phase != STEP]
        for c in ends:
            if (c.phase == FORWARD) == forth:
                added[EMBEDDING] += self.seconds(c)
        return _Pass(seconds, added)

    @property
    def hop_s(self) -> float:
        """Seconds of a message between two stages."""
        return self.seconds(Communication("pp", "pp", "p2p", hop_bytes(self.model, self.how), 2, FORWARD))

    def costs(self) -> Costs:
        """Return the costs of the parts' slots; where backward is split, a third of all compute is for weights."""
        parts = range(self.how.parts)
        forth, back = ([self.part_pass(p, way) for p in parts] for way in (True, False))
        weight = [f.compute_s if PIPELINES[self.how.schedule].split else 0.0 for f in forth]
        split = [b.total_s - w for b, w in zip(back, weight, strict=True)]
        return Costs([f.total_s for f in forth], split, weight, self.hop_s if self.how.pp > 1 else 0.0)

    def step(self, batch: int) -> StepTime:
        """Return the time of a step of `batch` samples."""
        microbatches = self.how.microbatches(batch)
        costs = self.costs()
        makespan, bubble = self._pipelined(replace(costs, hop=0.0), microbatches)
        stage = max(range(self.how.pp), key=lambda s: self._busy(s, microbatches).total_s)
        busy = self._busy(stage, microbatches)
        exposed = dict(busy.added_s)
        exposed["pp"] = self._pipelined(costs, microbatches)[0] - makespan if costs.hop else 0.0
        for name, seconds in self._gradients(batch, stage).items():
            exposed[name] += seconds
        return StepTime(
            busy.compute_s, exposed, makespan - busy.total_s, self.optimizer_s(stage), bubble,
            self.model.step_flop(batch * self.model.sequence, causal=self.how.causal),
        )  # fmt: skip

    def table(self, microbatches: int) -> PipelineTable:
        """Return the pipeline's table, of fewer microbatches that behave the same if they are very many."""
        how, step = self.how, 2 * self.how.pp
        spare = microbatches - max(2 * step, ENOUGH_SLOTS // (2 * how.parts))
        return pipeline(how.schedule, how.pp, microbatches - max(spare, 0) // step * step, how.chunks)

    def _pipelined(self, costs: Costs, microbatches: int) -> tuple[float, float]:
        """Return the pipeline's time and the share in which stages wait."""
        how, table = self.how, self.table(microbatches)
        left_out = microbatches - table.microbatches
        short = table.makespan(costs)
        if not left_out:
            return short, table.bubble_fraction(costs)
        stages = range(how.pp)
        busy = [self._busy(s, left_out).total_s for s in stages]
        worked = sum(self._busy(s, microbatches).total_s for s in stages)
        makespan = short + max(busy)
        return makespan, 1 - worked / (how.pp * makespan)

    def _busy(self, stage: int, microbatches: int) -> _Pass:
        """Return all passes of a stage together."""
        seconds, added = 0.0, dict.fromkeys((*DIMENSIONS, EMBEDDING), 0.0)
        for part, passing in hosted(self.how, microbatches, stage):
            for forth in (True, False):
                found = self.part_pass(part, forth)
                seconds += passing * found.compute_s
                added = {name: added[name] + passing * more for name, more in found.added_s.items()}
        return _Pass(seconds, added)

    def _gradients(self, batch: int, stage: int) -> dict[str, float]:
        """Return what the collectives at the end of a step add, by dimension."""
        found = {"dp": 0.0, EMBEDDING: 0.0}
        for c, times in step_communications(self.model, self.how, batch, stage):
            if c.phase == STEP:
                found[c.dimension] += times * self.seconds(c)
        if self.how.overlap:
            parts = [part for part, _ in hosted(self.how, 2, stage)]
            found["dp"] = max(0.0, found["dp"] - sum(self.part_pass(p, False).total_s for p in parts))
        return found

    def optimizer_s(self, stage: int) -> float:
        """Return how long a stage updates its parameters."""
        elements = 0.0
        for part, _ in hosted(self.how, 2, stage):
            held = [held_of_layer(self.model, self.how, layer) for layer in self.layers_of[part]]
            held.append(embedding_held(self.model, self.how, part == 0, part == self.how.parts - 1))
            shared = self.how.replicas if self.how.zero else 1
            own = self.how.replicas // self.how.ep if self.how.zero else 1
            elements += sum(h.shared / shared + h.own / own for h in held)
        return compute.Work(0, elements * compute.ADAM_BYTES).seconds(self.hardware)
