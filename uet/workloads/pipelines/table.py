"""`PipelineTable`: the order in which every stage works, and the time that this takes.

A microbatch passes forward through the parts 0, 1, ... and backward through them again; `up` microbatches of
a bidirectional schedule meet the ranks in the opposite order. Where a schedule splits backward, `b` is the
gradient of the inputs, which the part before waits for, and `w` that of the weights; else `b` is both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
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

    @cached_property
    def plan(self) -> list[tuple[Slot, int, int, bool]]:
        """All slots so that none stands before what it needs: slot, rank, where what it needs stands (-1), a hop away?

        Raises RuntimeError if ranks wait for each other, which no schedule here does.
        """
        placed: dict[Slot, int] = {}
        found: list[tuple[Slot, int, int, bool]] = []
        begun = [0] * self.stages
        awake = list(range(self.stages))
        waiting: dict[Slot, int] = {}
        while awake:
            rank = awake.pop()
            for slot in self.orders[rank][begun[rank] :]:
                before = self.awaited(slot)
                if before is not None and before not in placed:
                    waiting[before] = rank
                    break
                place = -1 if before is None else placed[before]
                placed[slot] = len(found)
                found.append((slot, rank, place, place >= 0 and found[place][1] != rank))
                begun[rank] += 1
                if slot in waiting:
                    awake.append(waiting.pop(slot))
        if len(found) < sum(len(order) for order in self.orders):
            raise RuntimeError(f"{self.name}: stages wait for each other")
        return found

    def starts(self, costs: Costs) -> dict[Slot, Time]:
        """Return when every slot starts, each as soon as its rank and what it needs are done."""
        starts, _ = self._timed(costs)
        return {slot: start for (slot, *_), start in zip(self.plan, starts, strict=True)}

    def _timed(self, costs: Costs) -> tuple[list[Time], list[Time]]:
        """Return when each slot of the plan starts, and when it ends."""
        free, starts, ends = [0.0] * self.stages, [], list[Time]()
        lengths = {"f": costs.forward, "b": costs.backward, "w": costs.weight}
        for slot, rank, place, hop in self.plan:
            start = free[rank]
            if place >= 0:
                start = max(start, ends[place] + (costs.hop if hop else 0.0))
            starts.append(start)
            free[rank] = start + lengths[slot.kind][slot.part]
            ends.append(free[rank])
        return starts, ends

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
        return max(self._timed(costs)[1])

    def bubble_fraction(self, costs: Costs) -> float:
        """Return the share of the ranks' time in which they wait."""
        worked = sum(costs.of(slot) for slot, *_ in self.plan)
        return 1 - worked / (self.makespan(costs) * self.stages)

    def rows(self, costs: Costs) -> list[list[str]]:
        """Return the table [slots][stages] for whole costs: what each stage does in each slot, '' for nothing."""
        table = [[""] * self.stages for _ in range(int(self.makespan(costs)))]
        for slot, start in self.starts(costs).items():
            name = str(slot) if self.chunks == 1 else f"{slot}@{slot.part // self.stages}"
            for k in range(int(start), int(start + costs.of(slot))):
                table[k][self.rank_of(slot.part, slot.up)] = name
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
