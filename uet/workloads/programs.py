"""What a rank does in a step, one after another: computing, collectives, and messages between stages.

A slot of the pipeline is a list of actions, the same for every microbatch. Computing is cut evenly before the
collectives of a layer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property

from uet.workloads import compute
from uet.workloads.hardware import Hardware
from uet.workloads.models.transformer import Transformer
from uet.workloads.parallelism import Parallelism
from uet.workloads.pipelines.library import PIPELINES, pipeline
from uet.workloads.pipelines.table import PipelineTable, Slot
from uet.workloads.step import StepModel
from uet.workloads.volumes import (
    BACKWARD,
    EMBEDDING,
    FORWARD,
    STEP,
    Communication,
    Held,
    embedding_communications,
    embedding_held,
    gradient_communications,
    held_of_layer,
    hop_bytes,
    layer_communications,
    tied_communication,
)


@dataclass(frozen=True)
class Calc:
    """Compute for so many seconds."""

    seconds: float


@dataclass(frozen=True)
class Hop:
    """Send activations to the rank of another part, or receive them from there."""

    send: bool
    part: int


Action = Calc | Communication | Hop


@dataclass(frozen=True)
class Gradients:
    """Collectives of a part at the end of a step: `during` the last pass where they overlap, `after` the optimizer."""

    during: tuple[Communication, ...]
    after: tuple[Communication, ...]


class Programs:
    """The programs of all stages."""

    def __init__(self, model: Transformer, how: Parallelism, hardware: Hardware, batch: int) -> None:
        """Check that all fits."""
        self.model, self.how, self.hardware, self.batch = model, how, hardware, batch
        self.times = StepModel(model, how, hardware)
        self.layers_of = how.layers_of(model)
        self.actions = cache(self._actions)

    @cached_property
    def table(self) -> PipelineTable:
        """The pipeline's table of all microbatches."""
        return pipeline(self.how.schedule, self.how.pp, self.how.microbatches(self.batch), self.how.chunks)

    def slots(self, stage: int) -> tuple[Slot, ...]:
        """Return what a stage works on, in order."""
        return self.table.orders[stage]

    def _actions(self, kind: str, part: int) -> tuple[Action, ...]:
        """Return the actions of an f, b or w slot of a part."""
        if kind == "w":
            return (Calc(self.times.costs().weight[part]),)
        forth = kind == "f"
        last_part = self.how.parts - 1
        source, target = (part - 1, part + 1) if forth else (part + 1, part - 1)
        found: list[Action] = [Hop(False, source)] if 0 <= source <= last_part else []
        found += self._merged(self._passed(part, forth))
        if 0 <= target <= last_part:
            found.append(Hop(True, target))
        return tuple(found)

    def _passed(self, part: int, forth: bool) -> Iterator[Action]:
        first, last = part == 0, part == self.how.parts - 1
        ends = embedding_communications(self.model, self.how, first, last)
        held = embedding_held(self.model, self.how, first, last)
        sharded = self._sharded(held, FORWARD if forth else BACKWARD, EMBEDDING)
        yield from (c for c in sharded if c.kind == "allgather")
        halves = 1 if forth or PIPELINES[self.how.schedule].split else 2
        head = compute.head(self.model, self.how).times(halves).seconds(self.hardware)
        if forth:
            yield from (c for c in ends if c.phase == FORWARD)
        elif last:
            yield Calc(head)
            yield from (c for c in ends if c.phase == BACKWARD)
        for layer in self.layers_of[part] if forth else reversed(self.layers_of[part]):
            yield from self._layer(layer, forth)
        if forth and last:
            yield Calc(head)
        yield from (c for c in sharded if c.kind != "allgather")

    def _layer(self, layer: int, forth: bool) -> Iterator[Action]:
        work = (compute.forward if forth else compute.backward)(self.model, self.how, layer)
        seconds = work.seconds(self.hardware)
        if not forth and PIPELINES[self.how.schedule].split:
            seconds -= compute.forward(self.model, self.how, layer).seconds(self.hardware)
        collectives = [c for c in layer_communications(self.model, self.how, layer) if (c.phase == FORWARD) == forth]
        held = held_of_layer(self.model, self.how, layer)
        sharded = self._sharded(held, FORWARD if forth else BACKWARD)
        yield from (c for c in sharded if c.kind == "allgather")
        for c in collectives:
            yield Calc(seconds / len(collectives))
            yield c
        if not collectives:
            yield Calc(seconds)
        yield from (c for c in sharded if c.kind != "allgather")

    def _sharded(self, held: Held, phase: str, dimension: str = "dp") -> list[Communication]:
        """Return what ZeRO-3 does for some parameters in a pass."""
        return [c for c in gradient_communications(self.how, held, dimension) if c.phase == phase]

    @staticmethod
    def _merged(actions: Iterator[Action]) -> list[Action]:
        """Join calcs that follow each other."""
        found: list[Action] = []
        for action in actions:
            if isinstance(action, Calc) and found and isinstance(found[-1], Calc):
                found[-1] = Calc(found[-1].seconds + action.seconds)
            else:
                found.append(action)
        return found

    def gradients(self, part: int) -> Gradients:
        """Return the collectives of a part's gradients, the last layer's first."""
        found: list[Communication] = []
        first, last = part == 0, part == self.how.parts - 1
        for layer in reversed(self.layers_of[part]):
            found += gradient_communications(self.how, held_of_layer(self.model, self.how, layer))
        found += gradient_communications(self.how, embedding_held(self.model, self.how, first, last), EMBEDDING)
        if first or last:
            found += tied_communication(self.model, self.how)
        steps = [c for c in found if c.phase == STEP]
        return Gradients(
            tuple(c for c in steps if c.kind != "allgather"), tuple(c for c in steps if c.kind == "allgather")
        )  # fmt: skip

    def optimizer_s(self, stage: int) -> float:
        """Return how long a stage updates its parameters."""
        return self.times.optimizer_s(stage)

    def hop_bytes(self) -> int:
        """Return the bytes of a message between stages."""
        return hop_bytes(self.model, self.how)
