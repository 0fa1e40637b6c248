"""`Schedule`: one table for any collective or workload.

An operation belongs to a rank and starts when all operations it depends on are done. The cost model
sums the table, the simulator runs it, carriers of real data execute it on buffers.

Sends and receives are paired in order: the k-th send from a to b with tag t meets the k-th receive
of b from a with tag t. `pairs` gives the pairing; a schedule with an unpaired operation is refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from uet.base.errors import BadInput
from uet.base.tables import Records, table

SEND, RECV, REDUCE, COPY, CALC = range(5)
KINDS = ("send", "recv", "reduce", "copy", "calc")

DATA, SCRATCH = 0, 1
"""Buffers of a rank: its vector, and space to receive into before reducing."""

OPERATION = table(
    "operation",
    """
    kind u1 - index into KINDS
    buffer u1 - buffer written (recv, reduce, copy) or read (send)
    source_buffer u1 - buffer read by reduce and copy
    cpu u1 - processor or stream of the rank that runs it
    rank i4 - rank it belongs to
    peer i4 - destination of a send, source of a recv, else -1
    tag i4 - tells messages between the same two ranks apart
    offset i8 bytes where in `buffer`
    source_offset i8 bytes where in `source_buffer`
    bytes i8 bytes length
    duration_ps i8 ps time a calc takes; 0 for the others
    """,
)


@dataclass(frozen=True, eq=False)
class Schedule:
    """Operations [n], and their dependencies in CSR form: operation i waits for
    dependencies[first_dependency[i] : first_dependency[i + 1]].
    """

    name: str
    n_ranks: int
    operations: Records
    first_dependency: NDArray[np.int64]
    dependencies: NDArray[np.int64]
    data_bytes: int
    scratch_bytes: int = 0

    @cached_property
    def pairs(self) -> NDArray[np.int64]:
        """For each operation the operation at the other end, -1 for local ones, shape [n].

        Raises BadInput naming the first send or receive that has no partner.
        """
        ops = self.operations
        partner = np.full(len(ops), -1, np.int64)
        ends = []
        for kind, a, b in ((SEND, "rank", "peer"), (RECV, "peer", "rank")):
            index = np.flatnonzero(ops["kind"] == kind)
            order = np.lexsort((index, ops["tag"][index], ops[b][index], ops[a][index]))
            index = index[order]
            ends.append((index, np.stack([ops[a][index], ops[b][index], ops["tag"][index]], axis=1)))
        (sends, send_keys), (recvs, recv_keys) = ends
        if len(sends) != len(recvs) or not np.array_equal(send_keys, recv_keys):
            raise BadInput(self._first_unpaired(send_keys, recv_keys))
        partner[sends], partner[recvs] = recvs, sends
        differ = np.flatnonzero(ops["bytes"][sends] != ops["bytes"][recvs])
        if len(differ):
            s, r = ops[sends[differ[0]]], ops[recvs[differ[0]]]
            raise BadInput(
                f"{self.name}: rank {s['rank']} sends {s['bytes']} bytes to rank {s['peer']} (tag {s['tag']}) "
                f"but the receive expects {r['bytes']}; make them equal"
            )
        return partner

    def _first_unpaired(self, sends: NDArray[np.int32], recvs: NDArray[np.int32]) -> str:
        from collections import Counter

        left, right = Counter(map(tuple, sends.tolist())), Counter(map(tuple, recvs.tolist()))
        for surplus, what, fix in ((left - right, "send", "receive"), (right - left, "receive", "send")):
            for a, b, tag in surplus:
                return f"{self.name}: a {what} from rank {a} to rank {b} with tag {tag} has no matching {fix}; add it"
        raise AssertionError("keys differ only in order")

    @property
    def bytes_sent(self) -> NDArray[np.int64]:
        """Bytes each rank sends, shape [n_ranks]."""
        sends = self.operations[self.operations["kind"] == SEND]
        return np.bincount(sends["rank"], sends["bytes"], self.n_ranks).astype(np.int64)

    @cached_property
    def depth(self) -> int:
        """Number of sends on the longest chain of dependencies: the steps of a collective.

        Raises BadInput if operations wait for each other in a circle.
        """
        ops, n = self.operations, len(self.operations)
        waits = self.first_dependency[1:] - self.first_dependency[:-1]
        after = np.repeat(np.arange(n), waits)
        before = self.dependencies
        paired = np.flatnonzero(ops["kind"] == SEND)
        before = np.concatenate([before, paired])
        after = np.concatenate([after, self.pairs[paired]])
        order = np.argsort(before, kind="stable")
        after = after[order]
        starts = np.searchsorted(before[order], np.arange(n + 1))
        open_count = np.bincount(after, minlength=n)
        steps = (ops["kind"] == SEND).astype(np.int64)
        ready = np.flatnonzero(open_count == 0)
        seen, best = len(ready), steps.copy()
        while len(ready):
            sources = np.repeat(ready, starts[ready + 1] - starts[ready])
            targets = np.concatenate([after[starts[i] : starts[i + 1]] for i in ready.tolist()] or [ready[:0]])
            np.maximum.at(best, targets, best[sources] + steps[targets])
            np.subtract.at(open_count, targets, 1)
            ready = np.unique(targets[open_count[targets] == 0])
            seen += len(ready)
        if seen < n:
            raise BadInput(f"{self.name}: {n - seen} operations wait for each other in a circle; break the cycle")
        return int(best.max(initial=0))


class ScheduleBuilder:
    """Adds operations one by one and returns their numbers, for dependencies."""

    def __init__(self, name: str, n_ranks: int, data_bytes: int, scratch_bytes: int = 0) -> None:
        """Start an empty schedule."""
        self.name, self.n_ranks = name, n_ranks
        self.data_bytes, self.scratch_bytes = data_bytes, scratch_bytes
        self._rows: list[tuple[int, ...]] = []
        self._first: list[int] = [0]
        self._waits: list[int] = []

    def _add(self, row: tuple[int, ...], after: Iterable[int]) -> int:
        self._rows.append(row)
        self._waits.extend(after)
        self._first.append(len(self._waits))
        return len(self._rows) - 1

    def send(
        self, rank: int, peer: int, n_bytes: int, offset: int = 0, tag: int = 0, buffer: int = DATA,
        after: Iterable[int] = (),
    ) -> int:  # fmt: skip
        """Rank sends `n_bytes` of a buffer to peer."""
        return self._add((SEND, buffer, 0, 0, rank, peer, tag, offset, 0, n_bytes, 0), after)

    def recv(
        self, rank: int, peer: int, n_bytes: int, offset: int = 0, tag: int = 0, buffer: int = DATA,
        after: Iterable[int] = (),
    ) -> int:  # fmt: skip
        """Rank receives `n_bytes` from peer into a buffer."""
        return self._add((RECV, buffer, 0, 0, rank, peer, tag, offset, 0, n_bytes, 0), after)

    def reduce(
        self, rank: int, n_bytes: int, offset: int, source_offset: int, source_buffer: int = SCRATCH,
        buffer: int = DATA, after: Iterable[int] = (),
    ) -> int:  # fmt: skip
        """Rank adds a piece of the source buffer to a piece of the buffer."""
        return self._add((REDUCE, buffer, source_buffer, 0, rank, -1, 0, offset, source_offset, n_bytes, 0), after)

    def copy(
        self, rank: int, n_bytes: int, offset: int, source_offset: int, source_buffer: int = SCRATCH,
        buffer: int = DATA, after: Iterable[int] = (),
    ) -> int:  # fmt: skip
        """Rank copies a piece of the source buffer to a piece of the buffer."""
        return self._add((COPY, buffer, source_buffer, 0, rank, -1, 0, offset, source_offset, n_bytes, 0), after)

    def calc(self, rank: int, duration_ps: int, after: Iterable[int] = ()) -> int:
        """Rank computes for a while."""
        return self._add((CALC, 0, 0, 0, rank, -1, 0, 0, 0, 0, duration_ps), after)

    def build(self) -> Schedule:
        """Freeze the schedule. Raises BadInput for ranks and dependencies out of range."""
        ops = OPERATION.zeros(len(self._rows))
        if self._rows:
            for name, column in zip(OPERATION.dtype.names or (), zip(*self._rows, strict=True), strict=True):
                ops[name] = column
        first, waits = np.array(self._first, np.int64), np.array(self._waits, np.int64)
        local = ops["peer"] < 0
        if len(ops) and (ops["rank"].max() >= self.n_ranks or ops["peer"].max() >= self.n_ranks):
            raise BadInput(f"{self.name}: an operation names a rank outside 0..{self.n_ranks - 1}")
        if np.any(local & ((ops["kind"] == SEND) | (ops["kind"] == RECV))):
            raise BadInput(f"{self.name}: a send or receive names a negative peer")
        if len(waits) and (waits.min() < 0 or waits.max() >= len(ops)):
            raise BadInput(f"{self.name}: a dependency names an operation that does not exist")
        for rows in (ops, first, waits):
            rows.flags.writeable = False
        return Schedule(self.name, self.n_ranks, ops, first, waits, self.data_bytes, self.scratch_bytes)
