"""The LogGOPS rules once more, in the plainest Python: one list of events, lists searched from the front."""

from __future__ import annotations

import heapq
from collections import defaultdict

from emulation.loggops import LogGOPS
from uet.schedule.model import CALC, RECV, SEND, Schedule

ORDER = {SEND: 0, RECV: 1, CALC: 2}


class Reference:
    """Runs a schedule; afterwards `finish` [ranks], `events` and the set `done` hold the outcome."""

    def __init__(self, schedule: Schedule, p: LogGOPS) -> None:
        self.ops = [row.item() for row in schedule.operations]
        self.names = schedule.operations.dtype.names
        self.p, self.n_ranks = p, schedule.n_ranks
        self.cpu: dict[tuple[int, int], int] = defaultdict(int)
        self.out: dict[tuple[int, int], int] = defaultdict(int)
        self.into: dict[tuple[int, int], int] = defaultdict(int)
        self.posted: dict[int, list[int]] = defaultdict(list)
        self.unexpected: dict[int, list[int]] = defaultdict(list)
        self.queue: list[tuple[int, int, int, bool]] = []
        self.number = self.events = 0
        self.done: set[int] = set()
        self.freed: list[int] = []
        first = schedule.first_dependency.tolist()
        self.open = [first[i + 1] - first[i] for i in range(len(self.ops))]
        declared = schedule.declared if schedule.declared is not None else range(len(schedule.dependencies))
        edges = [(declared[k], i, k) for i in range(len(self.ops)) for k in range(first[i], first[i + 1])]
        self.after: dict[tuple[int, bool], list[int]] = defaultdict(list)
        for _, i, k in sorted(edges):
            at_start = schedule.on_start is not None and bool(schedule.on_start[k])
            self.after[int(schedule.dependencies[k]), at_start].append(i)
        self.run()
        self.finish = [
            max((t for (r, _), t in self.cpu.items() if r == rank), default=0) for rank in range(self.n_ranks)
        ]

    def of(self, i: int, name: str) -> int:
        return int(self.ops[i][self.names.index(name)])

    def met(self, i: int, at_start: bool) -> None:
        for j in self.after[i, at_start]:
            self.open[j] -= 1
            if self.open[j] == 0:
                self.freed.append(j)

    def end(self, i: int) -> None:
        self.done.add(i)
        self.met(i, False)

    def push(self, time: int, i: int, message: bool) -> None:
        heapq.heappush(self.queue, (time, self.number, i, message))
        self.number += 1

    def take_freed(self) -> None:
        freed, self.freed = self.freed, []
        for i in sorted(freed, key=lambda i: (self.of(i, "rank"), ORDER[self.of(i, "kind")])):
            rank = self.of(i, "rank")
            time = self.cpu[rank, self.of(i, "cpu")]
            if self.of(i, "kind") == SEND:
                time = max(time, self.out[rank, self.of(i, "nic")])
            self.push(time, i, False)

    def run(self) -> None:
        self.freed = [i for i, count in enumerate(self.open) if count == 0]
        self.take_freed()
        while self.queue:
            time, number, i, message = heapq.heappop(self.queue)
            free = self.free_at(i, message)
            if free > time:
                heapq.heappush(self.queue, (free, number, i, message))
                continue
            self.events += 1
            if message:
                self.arrive(i, time)
            else:
                {CALC: self.calc, SEND: self.send, RECV: self.recv}[self.of(i, "kind")](i, time)
            self.take_freed()

    def free_at(self, i: int, message: bool) -> int:
        cpu, nic = self.of(i, "cpu"), self.of(i, "nic")
        if message:
            return max(self.cpu[self.of(i, "peer"), cpu], self.into[self.of(i, "peer"), nic])
        rank, kind = self.of(i, "rank"), self.of(i, "kind")
        return {CALC: self.cpu[rank, cpu], SEND: max(self.cpu[rank, cpu], self.out[rank, nic]), RECV: 0}[kind]

    def calc(self, i: int, t: int) -> None:
        self.cpu[self.of(i, "rank"), self.of(i, "cpu")] = t + self.of(i, "duration_ps")
        self.met(i, True)
        self.end(i)

    def send(self, i: int, t: int) -> None:
        p, z = self.p, self.of(i, "bytes") - 1
        self.cpu[self.of(i, "rank"), self.of(i, "cpu")] = t + p.overhead_ps + z * p.overhead_ps_per_byte
        self.out[self.of(i, "rank"), self.of(i, "nic")] = t + p.gap_ps + z * p.gap_ps_per_byte
        self.push(t + p.overhead_ps + p.latency_ps, i, True)
        self.met(i, True)
        if z + 1 <= p.eager_bytes:
            self.end(i)

    def matches(self, message: int, recv: int) -> bool:
        return self.of(recv, "peer") in (-1, self.of(message, "rank")) and self.of(recv, "tag") in (
            -1,
            self.of(message, "tag"),
        )

    def release(self, message: int, cpu: int, nic: int, t: int) -> None:
        rank = self.of(message, "rank")
        self.cpu[rank, cpu], self.out[rank, nic] = max(self.cpu[rank, cpu], t), max(self.out[rank, nic], t)
        self.end(message)

    def recv(self, i: int, t: int) -> None:
        self.met(i, True)
        waiting = self.unexpected[self.of(i, "rank")]
        message = next((m for m in waiting if self.matches(m, i)), None)
        if message is None:
            self.posted[self.of(i, "rank")].append(i)
            return
        waiting.remove(message)
        if self.of(i, "bytes") > self.p.eager_bytes:
            self.release(message, self.of(i, "cpu"), self.of(i, "nic"), t)
        self.end(i)

    def arrive(self, i: int, t: int) -> None:
        p, z, rank = self.p, self.of(i, "bytes") - 1, self.of(i, "peer")
        products = [z * p.overhead_ps_per_byte % 2**64, z * p.gap_ps_per_byte % 2**64]
        held = max(products)
        self.cpu[rank, self.of(i, "cpu")] = t + p.overhead_ps + (held if held < 2**63 else held - 2**64)
        self.into[rank, self.of(i, "nic")] = t + p.gap_ps + z * p.gap_ps_per_byte
        recv = next((r for r in self.posted[rank] if self.matches(i, r)), None)
        if recv is None:
            self.unexpected[rank].append(i)
            return
        self.posted[rank].remove(recv)
        if z + 1 > p.eager_bytes:
            self.release(i, self.of(i, "cpu"), self.of(i, "nic"), t)
        self.end(recv)
