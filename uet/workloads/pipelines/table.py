"""`PipelineTable`: the order in which every stage works, and the time that this takes.

A microbatch passes forward through the parts 0, 1, ... and backward through them again; `up` microbatches of
a bidirectional schedule meet the ranks in the opposite order. Where a schedule splits backward, `b` is the
gradient of the inputs, which the part before waits for, and `w` that of the weights; else `b` is both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

Time = float


class Slot(NamedTuple):
    """A piece of work: `kind` f, b or w of a microbatch in a part of the model."""

    kind: str
    microbatch: int
    part: int
    up: bool = False

    def __str__(self) -> str:
        """Return the form of a table: microbatch, direction and kind, of a chunk too if there are several."""
        return f"{self.microbatch}@{'up' if self.up else 'down'}@{self.kind}"


@dataclass(frozen=True)
class Costs:
    """Times of each part's f, b and w slots, and of a hop between two ranks."""

    forward: Sequence[Time]
    backward: Sequence[Time]
    weight: Sequence[Time]
    hop: Time = 0.0

    def of(self, slot: Slot) -> Time:
        """Return the time of a slot."""
        return {"f": self.forward, "b": self.backward, "w": self.weight}[slot.kind][slot.part]


@dataclass(frozen=True)
class PipelineTable:
    """What each of `stages` ranks does, in order; `chunks` parts per stage and direction."""

    name: str
    stages: int
    microbatches: int
    chunks: int
    orders: tuple[tuple[Slot, ...], ...]

    def rank_of(self, part: int, up: bool) -> int:
        """Return who works on a part."""
        stage = part % self.stages
        return self.stages - 1 - stage if up else stage

    def unit_costs(self, backward: Time = 1.0) -> Costs:
        """Return costs of one slot for everything, of `backward` slots for backward."""
        n = self.stages * self.chunks
        return Costs([1.0] * n, [backward] * n, [1.0] * n)

    def starts(self, costs: Costs) -> list[list[Time]]:
        """Return when every slot of every rank starts, each as soon as its rank and what it needs are done.

        Raises RuntimeError if ranks wait for each other, which no schedule here does.
        """
        done: dict[Slot, Time] = {}
        found: list[list[Time]] = [[] for _ in self.orders]
        free = [0.0] * self.stages
        awake = list(range(self.stages))
        waiting: dict[Slot, int] = {}
        while awake:
            rank = awake.pop()
            order, begun = self.orders[rank], found[rank]
            while len(begun) < len(order):
                slot = order[len(begun)]
                ready = self._ready(slot, rank, done, costs.hop)
                if isinstance(ready, Slot):
                    waiting[ready] = rank
                    break
                start = max(free[rank], ready)
                begun.append(start)
                free[rank] = done[slot] = start + costs.of(slot)
                if slot in waiting:
                    awake.append(waiting.pop(slot))
        if any(len(b) < len(o) for b, o in zip(found, self.orders, strict=True)):
            raise RuntimeError(f"{self.name}: stages wait for each other")
        return found

    def _ready(self, slot: Slot, rank: int, done: dict[Slot, Time], hop: Time) -> Time | Slot:
        """Return when what another slot brings is there, or the slot that is still to come."""
        before = self.awaited(slot)
        if before is None:
            return 0.0
        if before not in done:
            return before
        return done[before] + (hop if self.rank_of(before.part, before.up) != rank else 0.0)

    def awaited(self, slot: Slot) -> Slot | None:
        """Return the slot that brings what this one works on, None for the start of a microbatch."""
        if slot.kind == "f":
            return slot._replace(part=slot.part - 1) if slot.part else None
        if slot.kind == "w":
            return slot._replace(kind="b")
        last = self.stages * self.chunks - 1
        return slot._replace(part=slot.part + 1) if slot.part < last else slot._replace(kind="f")

    def makespan(self, costs: Costs) -> Time:
        """Return when the last slot is done."""
        starts = self.starts(costs)
        return max(
            (s + costs.of(slot) for begun, order in zip(starts, self.orders, strict=True)
             for s, slot in zip(begun, order, strict=True)),
            default=0.0,
        )  # fmt: skip

    def busy(self, costs: Costs) -> Time:
        """Return how long the rank with most work works."""
        return max((sum(costs.of(slot) for slot in order) for order in self.orders), default=0.0)

    def bubble_fraction(self, costs: Costs) -> float:
        """Return the share of the ranks' time in which they wait."""
        worked = sum(costs.of(slot) for order in self.orders for slot in order)
        total = self.makespan(costs) * self.stages
        return 1 - worked / total if total else 0.0

    def rows(self, costs: Costs) -> list[list[str]]:
        """Return the table [slots][stages] for whole costs: what each stage does in each slot, '' for nothing."""
        starts, length = self.starts(costs), int(self.makespan(costs))
        table = [[""] * self.stages for _ in range(length)]
        for rank, (begun, order) in enumerate(zip(starts, self.orders, strict=True)):
            for start, slot in zip(begun, order, strict=True):
                name = str(slot) if self.chunks == 1 else f"{slot}@{slot.part // self.stages}"
                for k in range(int(start), int(start + costs.of(slot))):
                    table[k][rank] = name
        return table

    def in_flight(self) -> list[int]:
        """Return how many forward passes of parts each rank keeps at most before it may forget one."""
        last = "w" if any(s.kind == "w" for order in self.orders for s in order) else "b"
        peaks = []
        for order in self.orders:
            kept = peak = 0
            for slot in order:
                kept += (slot.kind == "f") - (slot.kind == last)
                peak = max(peak, kept)
            peaks.append(peak)
        return peaks


Orders = Callable[[int, int, int], tuple[tuple[Slot, ...], ...]]
"""Makes the orders of all stages from stages, microbatches and chunks."""
