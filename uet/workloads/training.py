"""The schedule of a training step: the programs of all ranks as GOAL, rank after rank.

Computing and what it waits for run on processor 0 of a rank. Where `overlap` is set, collectives over replicas
run on processor 1 meanwhile: gradients are sent as soon as a layer's last backward pass is done, and ZeRO-3's
parameters are gathered one layer ahead. Reductions are calcs of `reduce_ps_per_byte`. The parts of a collective
come from the library, whole groups at a time, so a group of thousands takes memory for all its messages.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from uet.base.errors import BadInput
from uet.base.tables import Records
from uet.schedule.collectives.library import collective
from uet.schedule.goal.blocks import EDGE, GOAL_CALC, GOAL_RECV, GOAL_SEND, NODE, Blocks, from_schedule
from uet.schedule.model import Index
from uet.workloads.parallelism import Parallelism
from uet.workloads.pipelines.table import Slot
from uet.workloads.programs import Calc, Hop, Programs
from uet.workloads.volumes import SHARES, Communication, copies, hosted, step_communications

ALGORITHMS = {"allreduce": "ring", "reducescatter": "ring", "allgather": "ring", "alltoall": "direct"}
"""Algorithms of the collectives unless others are named."""
GROUPS = ("tp", "cp", "ep", "replica", "expert-replica", "ends")
TAGS = 2**24
"""Tags of each kind of group; those of messages between stages come after them."""
BATCH_NODES = 500_000
NS_PER_S = 1e9
_MOST_SENDS = 5_000_000
_ALL_TO_EACH = ("ring", "direct", "linear", "pairwise", "spread")
"""Algorithms in which every member sends at least as many messages as there are others."""


@dataclass(frozen=True, eq=False)
class _Template:
    """A collective's operations: rank blocks, with those of each rank that wait for nothing and that nobody awaits."""

    blocks: Blocks
    roots: list[Index]
    leaves: list[Index]

    def of(self, place: int) -> tuple[Records, Records]:
        """Return the nodes and edges of the rank at a place of the group."""
        b = self.blocks
        nodes = b.nodes[b.first_node[place] : b.first_node[place + 1]]
        return nodes, b.edges[b.first_edge[place] : b.first_edge[place + 1]]


@lru_cache(maxsize=64)
def _template(kind: str, algorithm: str, members: int, size: int, reduce_ps_per_byte: float) -> _Template:
    dtype = "uint8" if size % 2 else "float16"
    blocks = from_schedule(collective(kind, algorithm, members, size, dtype), reduce_ps_per_byte)
    roots, leaves = [], []
    for k in range(members):
        n = int(blocks.first_node[k + 1] - blocks.first_node[k])
        edges = blocks.edges[blocks.first_edge[k] : blocks.first_edge[k + 1]]
        roots.append(np.setdiff1d(np.arange(n), edges["waiting"]))
        leaves.append(np.setdiff1d(np.arange(n), edges["awaited"]))
    return _Template(blocks, roots, leaves)


@dataclass(frozen=True)
class StepSchedule:
    """A training step as GOAL; `algorithms` name those of the library for collectives (see `ALGORITHMS`)."""

    programs: Programs
    algorithms: Mapping[str, str] = field(default_factory=dict)
    reduce_ps_per_byte: float = 0.0

    def blocks(self) -> Iterator[Blocks]:
        """Yield the rank blocks in batches."""
        n_ranks = self.programs.how.ranks
        batch: list[tuple[Records, Records]] = []
        first = held = 0
        for rank in range(n_ranks):
            batch.append(RankWriter(self, rank).written())
            held += len(batch[-1][0])
            if held >= BATCH_NODES or rank == n_ranks - 1:
                yield joined(n_ranks, first, batch)
                batch, first, held = [], rank + 1, 0

    def template(self, c: Communication) -> _Template:
        """Return the operations of a collective. Raises BadInput if they are too many to be held."""
        name = self.algorithms.get(c.kind, ALGORITHMS[c.kind])
        if name in _ALL_TO_EACH and SHARES[c.kind] * c.members * (c.members - 1) > _MOST_SENDS:
            raise BadInput(
                f"{c.kind} {name} of {c.members:,} ranks has more than {_MOST_SENDS:,} messages; choose an "
                "algorithm of few steps, such as allreduce=rabenseifner, reducescatter=recursive-halving, "
                "allgather=recursive-doubling or alltoall=bruck, or smaller groups"
            )
        return _template(c.kind, name, c.members, c.vector_bytes, self.reduce_ps_per_byte)

    def messages(self) -> int:
        """Return how many messages all ranks send in a step, without writing it."""
        how, total = self.programs.how, 0.0
        for stage in range(how.pp):
            for c, times in step_communications(self.programs.model, how, self.programs.batch, stage):
                total += times * (how.ranks // how.pp) * self._sends(c)
        return round(total)

    def _sends(self, c: Communication) -> float:
        """Return how many messages a member sends, on average."""
        if c.kind == "p2p":
            return 1
        if self.algorithms.get(c.kind, ALGORITHMS[c.kind]) == ALGORITHMS[c.kind]:
            return (2 if c.kind == "allreduce" else 1) * (c.members - 1)
        return np.count_nonzero(self.template(c).blocks.nodes["type"] == GOAL_SEND) / c.members


def joined(n_ranks: int, first: int, batch: list[tuple[Records, Records]]) -> Blocks:
    """Return the nodes and edges of consecutive ranks as one batch."""
    nodes, edges = ([pair[k] for pair in batch] for k in (0, 1))
    edge_of, node_of = (np.cumsum([0, *(len(rows) for rows in part)]) for part in (edges, nodes))
    return Blocks(n_ranks, first, np.concatenate(nodes), np.concatenate(edges), node_of, edge_of)


class RankWriter:
    """Writes the block of one rank. `tail` ends its chain of work, `aside` that of processor 1."""

    def __init__(self, schedule: StepSchedule, rank: int) -> None:
        self.schedule, self.programs, self.how, self.rank = schedule, schedule.programs, schedule.programs.how, rank
        self.places = {name: int(at) for name, at in self.how.places(np.array(rank)).items()}
        self.nodes: list[Records] = []
        self.edges: list[tuple[Index, Index]] = []
        self.n = 0
        self.tail = self.aside = self.ahead = -1
        self.mapped: dict[Communication, tuple[Records, Records, Index, Index]] = {}
        self.members: dict[str, Index] = {}

    def written(self) -> tuple[Records, Records]:
        """Return the nodes and edges of the rank."""
        stage = self.places["pp"]
        slots = self.programs.slots(stage)
        last = {slot.part: k for k, slot in enumerate(slots) if slot.kind != "f"}
        both = copies(self.how) == 2
        for k, slot in enumerate(slots):
            self._work(slot)
            if last.get(slot.part) == k and not both:
                self._gradients(slot.part)
        parts = [part for part, _ in hosted(self.how, 2, stage)]
        if both:  # the two stages of a pair add up their gradients in the same order
            for part in sorted(parts):
                self._gradients(part)
        self._finish(parts)
        rows = EDGE.zeros(sum(len(w) for w, _ in self.edges))
        np.concatenate([rows["waiting"][:0], *(w for w, _ in self.edges)], out=rows["waiting"], casting="same_kind")
        np.concatenate([rows["awaited"][:0], *(a for _, a in self.edges)], out=rows["awaited"], casting="same_kind")
        return np.concatenate(self.nodes), rows

    def _work(self, slot: Slot) -> None:
        for action in self.programs.actions(slot.kind, slot.part):
            if isinstance(action, Calc):
                self.tail = self._calc(action.seconds, (self.tail,))
            elif isinstance(action, Hop):
                self._hop(action, slot)
            elif action.group in ("replica", "expert-replica") and self.how.overlap:
                self._beside(action)
            else:
                self.tail = self._collective(action, (self.tail,), 0)

    def _beside(self, c: Communication) -> None:
        """Gather parameters one layer ahead, or share out gradients meanwhile."""
        gathers = c.kind == "allgather"
        before = self.tail
        self.aside = self._collective(c, (self.aside, self.ahead if gathers else before), 1)
        if gathers:
            self.tail, self.ahead = self._calc(0.0, (before, self.aside)), before

    def _gradients(self, part: int) -> None:
        for c in self.programs.gradients(part).during:
            if self.how.overlap:
                self.aside = self._collective(c, (self.aside, self.tail), 1)
            else:
                self.tail = self._collective(c, (self.tail,), 0)

    def _finish(self, parts: list[int]) -> None:
        self.tail = self._calc(self.programs.optimizer_s(self.places["pp"]), (self.tail, self.aside))
        for part in sorted(parts):
            for c in self.programs.gradients(part).after:
                self.tail = self._collective(c, (self.tail,), 0)

    def _calc(self, seconds: float, after: tuple[int, ...], cpu: int = 0) -> int:
        return self._single(GOAL_CALC, round(seconds * NS_PER_S), after, cpu)

    def _single(self, kind: int, size: int, after: tuple[int, ...], cpu: int, peer: int = 0, tag: int = 0) -> int:
        row = NODE.zeros(1)
        row["type"], row["size"], row["peer"], row["tag"], row["cpu"] = kind, size, peer, tag, cpu
        return self._add(row, after)

    def _add(self, rows: Records, after: tuple[int, ...], roots: Index | None = None) -> int:
        """Add nodes whose roots wait for others (-1: none); return the number of the last."""
        first, n = self.n, len(rows)
        self.nodes.append(rows)
        self.n += n
        starts = np.zeros(1, np.int64) if roots is None else roots
        for awaited in sorted({a for a in after if a >= 0}):
            self.edges.append((starts + first, np.full(len(starts), awaited)))
        return first + n - 1

    def _hop(self, hop: Hop, slot: Slot) -> None:
        """Send to, or receive from, the rank of another part; its tag names the message's microbatch, part and way.

        Work goes on while a message is sent, and it may arrive before it is wanted, so that no two stages wait for
        each other.
        """
        stage = self.programs.table.rank_of(hop.part, slot.up)
        peer = self._rank_of(stage)
        target = hop.part if hop.send else slot.part
        tag = len(GROUPS) * TAGS + (slot.microbatch * self.how.parts + target) * 2 + (slot.kind == "f")
        if hop.send:
            self._single(GOAL_SEND, self.programs.hop_bytes(), (self.tail,), 0, peer, tag)
        else:
            received = self._single(GOAL_RECV, self.programs.hop_bytes(), (), 0, peer, tag)
            self.tail = self._calc(0.0, (self.tail, received))

    def _rank_of(self, stage: int) -> int:
        """Return the rank of this one's pipeline at a stage."""
        return self.rank + (stage - self.places["pp"]) * self.how.strides()["pp"]

    def _collective(self, c: Communication, after: tuple[int, ...], cpu: int) -> int:
        """Add this rank's part in a collective, and a calc of no time that ends it; return the calc's number."""
        if c not in self.mapped:
            self.mapped[c] = self._placed(c, cpu)
        nodes, edges, roots, leaves = self.mapped[c]
        first = self.n
        self._add(nodes, after, roots)
        self.edges.append((edges["waiting"] + np.int64(first), edges["awaited"] + np.int64(first)))
        end = self._single(GOAL_CALC, 0, (), cpu)
        self.edges.append((np.full(len(leaves), end), leaves + first))
        return end

    def _placed(self, c: Communication, cpu: int) -> tuple[Records, Records, Index, Index]:
        """Return this rank's operations of a collective, with the ranks of its group for peers."""
        if c.group not in self.members:
            self.members[c.group] = members_of(self.how, c.group, self.rank, self.places["pp"])
        members, template = self.members[c.group], self.schedule.template(c)
        place = int(np.flatnonzero(members == self.rank)[0])
        nodes, edges = template.of(place)
        nodes = nodes.copy()
        messages = nodes["type"] != GOAL_CALC
        nodes["peer"][messages] = members[nodes["peer"][messages]]
        nodes["tag"][messages] += GROUPS.index(c.group) * TAGS
        nodes["cpu"] = cpu
        return nodes, edges, template.roots[place], template.leaves[place]


def members_of(how: Parallelism, group: str, rank: int, stage: int) -> NDArray[np.int64]:
    """Return the ranks of a group in order, of both copies of the model where there are two."""
    stride = how.strides()["pp"]
    if group not in ("replica", "expert-replica") or copies(how) == 1:
        return how.group(group, rank)
    lower = rank + (min(stage, how.pp - 1 - stage) - stage) * stride
    upper = rank + (max(stage, how.pp - 1 - stage) - stage) * stride
    return np.concatenate([how.group(group, lower), how.group(group, upper)])
