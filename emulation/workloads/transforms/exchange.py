"""Rounds of messages between ranks: carried out at once, or packet by packet through the transport engine.

Algorithms on real data are written once over an `Exchange`; what they sent stands in its rounds, of which a
schedule can be made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from emulation.memory.move import MoveSettings, move
from emulation.workloads.transforms.coding import Bytes
from uet.schedule.collectives.pieces import rounds as rounds_to_reach
from uet.schedule.execute import Buffers
from uet.schedule.model import Index, Schedule, ScheduleBuilder

Message = tuple[int, int, Bytes]
"""Source, target and payload."""


@dataclass(frozen=True, eq=False)
class Round:
    """Messages that are sent side by side: source, target and bytes, all of shape [m]."""

    source: Index
    target: Index
    bytes: Index


class Exchange:
    """Delivers messages and keeps the rounds; `bytes_sent` [n_ranks] sums them."""

    def __init__(self, n_ranks: int) -> None:
        """Start without any round."""
        self.n_ranks = n_ranks
        self.rounds: list[Round] = []

    def __call__(self, messages: Sequence[Message]) -> dict[tuple[int, int], Bytes]:
        """Send messages side by side and return what arrived by source and target; empty ones are not sent."""
        sent = [(a, b, data) for a, b, data in messages if len(data)]
        columns = np.array([(a, b, len(data)) for a, b, data in sent], np.int64).reshape(-1, 3).T
        self.rounds.append(Round(*columns))
        empty = {(a, b): data for a, b, data in messages if not len(data)}
        return empty | self._carry(sent)

    def _carry(self, messages: Sequence[Message]) -> dict[tuple[int, int], Bytes]:
        return {(a, b): data for a, b, data in messages}

    @property
    def bytes_sent(self) -> Index:
        """Bytes each rank has sent, shape [n_ranks]."""
        sums = [np.bincount(r.source, r.bytes, self.n_ranks) for r in self.rounds]
        return np.sum(sums, axis=0).astype(np.int64)


class MemoryExchange(Exchange):
    """Carries every message through the transport engine on the memory carrier."""

    def __init__(self, n_ranks: int, settings: MoveSettings | None = None) -> None:
        """Take the settings of `emulation.memory.move`."""
        super().__init__(n_ranks)
        self.settings = settings

    def _carry(self, messages: Sequence[Message]) -> dict[tuple[int, int], Bytes]:
        if not messages:
            return {}
        out_at, in_at = (
            _side_by_side([a for a, _, _ in messages], messages),
            _side_by_side([b for _, b, _ in messages], messages),
        )
        room = max(at + len(data) for at, (_, _, data) in zip((*out_at, *in_at), (*messages, *messages), strict=True))
        builder = ScheduleBuilder("exchange", self.n_ranks, room, room)
        for at, to, (a, b, data) in zip(out_at, in_at, messages, strict=True):
            builder.transfer(a, b, len(data), offset=at, to_offset=to, to_buffer=1)
        schedule = builder.build()
        buffers = Buffers(schedule)
        for at, (a, _, data) in zip(out_at, messages, strict=True):
            buffers.data[a, at : at + len(data)] = data
        move(schedule, buffers, self.settings)
        return {
            (a, b): buffers.scratch[b, to : to + len(data)].copy()
            for to, (a, b, data) in zip(in_at, messages, strict=True)
        }


def _side_by_side(ranks: Sequence[int], messages: Sequence[Message]) -> list[int]:
    """Return where each message lies in the buffer of its rank."""
    filled: dict[int, int] = {}
    places = []
    for rank, (_, _, data) in zip(ranks, messages, strict=True):
        places.append(filled.get(rank, 0))
        filled[rank] = places[-1] + len(data)
    return places


def allgather(blocks: list[Bytes], exchange: Exchange) -> list[Bytes]:
    """Return what all ranks put in, after the rounds of Bruck's algorithm for blocks whose sizes all know.

    ceil(log2 P) rounds; every rank sends all blocks but one.
    """
    n = len(blocks)
    held = [{r: blocks[r]} for r in range(n)]
    for k in range(rounds_to_reach(n)):
        step, count = 2**k, min(2**k, n - 2**k)
        names = {r: [(r + i) % n for i in range(count)] for r in range(n)}
        arrived = exchange([(r, (r - step) % n, np.concatenate([held[r][b] for b in names[r]])) for r in range(n)])
        for (source, target), data in arrived.items():
            cuts = np.cumsum([len(held[source][b]) for b in names[source]])[:-1]
            held[target] |= dict(zip(names[source], np.split(data, cuts), strict=True))
    return [held[0][r] for r in range(n)]


def allgather_rounds(block_bytes: Index) -> list[Round]:
    """Return the rounds of `allgather` for blocks of these sizes, shape [n]."""
    n = len(block_bytes)
    ranks, twice = np.arange(n), np.concatenate([[0], np.cumsum(np.tile(block_bytes, 2))])
    found = []
    for k in range(rounds_to_reach(n)):
        count = min(2**k, n - 2**k)
        found.append(Round(ranks, (ranks - 2**k) % n, twice[ranks + count] - twice[ranks]))
    return found


def direct_round(bytes_to: Index) -> Round:
    """Return the round in which every rank sends bytes_to[j] to each other rank j; `bytes_to` has shape [n]."""
    n = len(bytes_to)
    source, target = (np.repeat(np.arange(n), n - 1), (np.arange(n)[:, None] + np.arange(1, n)) % n)
    return Round(source, target.ravel(), bytes_to[target.ravel()])


def schedule_of(name: str, n_ranks: int, rounds: Sequence[Round]) -> Schedule:
    """Return the schedule of rounds: a rank sends its messages of a round once it has those of the round before.

    It tells sizes and order; its buffers hold no data of a meaning.
    """
    most = max((int(r.bytes.max(initial=0)) for r in rounds), default=0)
    builder = ScheduleBuilder(name, n_ranks, most, most)
    ready = np.full(n_ranks, -1, np.int64)
    for tag, step in enumerate(rounds):
        _, recvs = builder.transfer(
            step.source,
            step.target,
            step.bytes,
            to_buffer=1,
            tag=tag,
            after=(ready[step.source],),
            where=step.bytes > 0,
        )
        ready = builder.calc(np.arange(n_ranks), 0, after=(ready, *_by_rank(step.target, recvs, n_ranks)))
    return builder.build()


def _by_rank(ranks: Index, operations: Index, n_ranks: int) -> tuple[Index, ...]:
    """Return the operations of each rank as columns of shape [n_ranks], -1 where a rank has fewer."""
    order = np.argsort(ranks, kind="stable")
    counts = np.bincount(ranks, minlength=n_ranks)
    place = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    table = np.full((int(counts.max(initial=0)), n_ranks), -1, np.int64)
    table[place, ranks[order]] = operations[order]
    return tuple(table)
