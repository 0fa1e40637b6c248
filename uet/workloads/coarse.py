"""A training step in few operations, for the flow level: whole steps of many thousand ranks.

Collectives whose groups stay in an island become computing of the time that the step model says. Of the others a ring
is one message with all bytes that a rank sends, to the next member, which is what a ring's messages are to
fluids; an alltoall is a message to every other. Ranks of a stage do the same with other partners, so one of them
is written and the others copied.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np

from uet.base.tables import Records
from uet.schedule.goal.blocks import GOAL_CALC, GOAL_RECV, GOAL_SEND, Blocks
from uet.schedule.model import Index
from uet.workloads.programs import Programs
from uet.workloads.training import BATCH_NODES, GROUPS, NS_PER_S, TAGS, RankWriter, StepSchedule, joined, members_of
from uet.workloads.volumes import Communication

Role = tuple[str, int]
"""A partner: a group and how many places on, or `stage` and which."""


@dataclass(frozen=True, eq=False)
class _Stage:
    """The nodes and edges of a rank of a stage; its peers are numbers of roles."""

    nodes: Records
    edges: Records
    roles: list[Role]


class CoarseSchedule:
    """A training step as GOAL in few operations."""

    def __init__(self, programs: Programs) -> None:
        """Take the programs of all ranks."""
        self.programs, self.how = programs, programs.how
        self._stage = cache(self._written)

    def _written(self, stage: int) -> _Stage:
        writer = _CoarseWriter(StepSchedule(self.programs), self.how.rank_at(pp=stage))
        nodes, edges = writer.written()
        return _Stage(nodes, edges, list(writer.roles))

    def messages(self) -> int:
        """Return how many messages all ranks send."""
        sends = (np.count_nonzero(self._stage(s).nodes["type"] == GOAL_SEND) for s in range(self.how.pp))
        return sum(int(n) for n in sends) * (self.how.ranks // self.how.pp)

    def blocks(self) -> Iterator[Blocks]:
        """Yield the rank blocks in batches."""
        batch: list[tuple[Records, Records]] = []
        first = held = 0
        stages = self.how.places(np.arange(self.how.ranks))["pp"]
        for rank, stage in enumerate(stages.tolist()):
            template = self._stage(stage)
            nodes = template.nodes.copy()
            messages = nodes["type"] != GOAL_CALC
            nodes["peer"][messages] = self._partners(template.roles, rank, stage)[nodes["peer"][messages]]
            batch.append((nodes, template.edges))
            held += len(nodes)
            if held >= BATCH_NODES or rank == len(stages) - 1:
                yield joined(len(stages), first, batch)
                batch, first, held = [], rank + 1, 0

    def _partners(self, roles: list[Role], rank: int, stage: int) -> Index:
        """Return the ranks that play the roles for a rank."""
        found, stride = np.zeros(len(roles), np.int64), self.how.strides()["pp"]
        members: dict[str, tuple[Index, int]] = {}
        for k, (group, step) in enumerate(roles):
            if group == "stage":
                found[k] = rank + (step - stage) * stride
                continue
            if group not in members:
                ranks = members_of(self.how, group, rank, stage)
                members[group] = ranks, int(np.flatnonzero(ranks == rank)[0])
            ranks, place = members[group]
            found[k] = ranks[(place + step) % len(ranks)]
        return found


class _CoarseWriter(RankWriter):
    """Writes roles for peers, and collectives in few operations."""

    def __init__(self, schedule: StepSchedule, rank: int) -> None:
        super().__init__(schedule, rank)
        self.roles: dict[Role, int] = {}

    def _role(self, group: str, step: int) -> int:
        return self.roles.setdefault((group, step), len(self.roles))

    def _rank_of(self, stage: int) -> int:
        return self._role("stage", stage)

    def _calc(self, seconds: float, after: tuple[int, ...], cpu: int = 0) -> int:
        """Add a calc, or lengthen the one that it follows if nothing stands between."""
        if self.nodes and after == (self.n - 1,):
            last = self.nodes[-1]
            if last["type"][-1] == GOAL_CALC and last["cpu"][-1] == cpu:
                last["size"][-1] += round(seconds * NS_PER_S)
                return self.n - 1
        return super()._calc(seconds, after, cpu)

    def _collective(self, c: Communication, after: tuple[int, ...], cpu: int) -> int:
        if not self.how.leaves_islands(c.group, self.programs.hardware.island)[1]:
            return self._calc(self.programs.times.seconds(c), after, cpu)
        steps = range(1, c.members) if c.kind == "alltoall" else range(1, 2)
        size, tag = round(c.sent_bytes / len(steps)), GROUPS.index(c.group) * TAGS
        ends = []
        for step in steps:
            ends.append(self._single(GOAL_SEND, size, after, cpu, self._role(c.group, step), tag))
            ends.append(self._single(GOAL_RECV, size, (), cpu, self._role(c.group, -step), tag))
        return self._single(GOAL_CALC, 0, (*after, *ends), cpu)
