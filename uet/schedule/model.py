"""`Schedule`: one table for any collective or workload.

An operation belongs to a rank and starts when the operations it depends on are done. The cost model
sums the table, the simulator runs it, carriers of real data execute it on buffers.

Sends and receives are paired in order: the k-th send from a to b with tag t meets the k-th receive
of b from a with tag t. `pairs` gives the pairing; a schedule with an unpaired operation is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from uet.base.errors import BadInput
from uet.base.tables import Records, table

SEND, RECV, REDUCE, COPY, CALC = range(5)
KINDS = ("send", "recv", "reduce", "copy", "calc")

DATA, SCRATCH = 0, 1
"""Buffers of a rank: its vector, and space to receive into before reducing."""

ANY = -1
"""Peer or tag of a receive that takes a message from any source, or with any tag."""

Index = NDArray[np.int64]

OPERATION = table(
    "operation",
    """
    kind u1 - index into KINDS
    buffer u1 - buffer written (recv, reduce, copy) or read (send)
    source_buffer u1 - buffer read by reduce and copy
    cpu u1 - processor or stream of the rank that runs it
    nic u1 - NIC of the rank that a send or recv uses
    rank i4 - rank it belongs to
    peer i4 - destination of a send, source of a recv (or ANY), else -1
    tag i8 - tells messages between the same two ranks apart; a recv may say ANY
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

    `dtype` is the numpy name of the elements that a reduce adds. `result` names what the data shall
    be at the end (a key of `uet.schedule.verify.RESULTS`, '' for nothing), `root` its root rank.

    Three optional refinements; None means the plain rule:
    `needed` [n]: the operation starts once that many of its dependencies are done (plain: all).
    `on_start` [m]: True where the dependency is met when the other operation starts (plain: when done).
    `declared` [m]: order in which the dependencies were declared; it decides which of two operations
    freed at the same moment comes first (plain: the order they stand in).
    `n_switches`: the last so many ranks are switches that add up what they receive; they have no data of their own.
    """

    name: str
    n_ranks: int
    operations: Records
    first_dependency: Index
    dependencies: Index
    data_bytes: int
    scratch_bytes: int = 0
    dtype: str = "uint8"
    result: str = ""
    root: int = 0
    needed: NDArray[np.int32] | None = None
    on_start: NDArray[np.bool_] | None = None
    declared: Index | None = None
    n_switches: int = 0

    @cached_property
    def pairs(self) -> Index:
        """For each operation the operation at the other end, -1 for local ones, shape [n].

        Raises BadInput naming the first send or receive that has no partner.
        """
        from uet.schedule.pairing import pair

        return pair(self)

    @property
    def waits_for(self) -> Index:
        """How many of its dependencies must be met before each operation starts, shape [n]."""
        if self.needed is not None:
            return self.needed.astype(np.int64)
        return np.diff(self.first_dependency)

    @property
    def bytes_sent(self) -> Index:
        """Bytes each rank sends, shape [n_ranks]."""
        sends = self.operations[self.operations["kind"] == SEND]
        return np.bincount(sends["rank"], sends["bytes"], self.n_ranks).astype(np.int64)

    @cached_property
    def depth(self) -> int:
        """Number of sends on the longest chain of dependencies: the steps of a collective.

        Raises BadInput if operations wait for each other in a circle.
        """
        from uet.schedule.order import longest_path

        return longest_path(self, (self.operations["kind"] == SEND).astype(np.int64))


def refuse_switches(schedule: Schedule) -> None:
    """Raise BadInput if some ranks are switches that reduce, which those of a simulated network do not."""
    if schedule.n_switches:
        raise BadInput(
            f"{schedule.name}: the switches of this network do not add up data; choose another algorithm, such as ring "
            "(the cost model of 'uet workload show' and the memory carrier take this one)"
        )


Where = int | Index
"""An operation's number or an array of them; -1 stands for no operation."""


class ScheduleBuilder:
    """Adds operations, singly or in arrays, and returns their numbers, for dependencies.

    Every argument may be an array: all are broadcast together and one operation is added per element.
    `after` holds the operations to wait for, each itself an array of that shape, -1 where there is none.
    `where` leaves out elements (an empty piece, say); their number is -1.
    """

    def __init__(
        self, name: str, n_ranks: int, data_bytes: int, scratch_bytes: int = 0, dtype: str = "uint8",
        result: str = "", root: int = 0,
    ) -> None:  # fmt: skip
        """Start an empty schedule."""
        self.name, self.n_ranks = name, n_ranks
        self.data_bytes, self.scratch_bytes = data_bytes, scratch_bytes
        self.dtype, self.result, self.root = dtype, result, root
        self.n_operations = self.n_switches = 0
        self._rows: list[Records] = []
        self._waits: list[Index] = []
        self._counts: list[Index] = []

    def add(self, kind: int, rank: ArrayLike, after: tuple[Where, ...] = (), where: Any = True, **fields: Any) -> Index:
        """Add operations with any fields of OPERATION (peer defaults to -1, the others to 0)."""
        columns = {"peer": -1, **fields, "rank": rank}
        shape = np.broadcast_shapes(*(np.shape(v) for v in (*columns.values(), *after, where)))
        keep = np.broadcast_to(where, shape).ravel()
        n = int(np.count_nonzero(keep))
        rows = np.zeros(n, OPERATION.dtype)
        rows["kind"] = kind
        for name, value in columns.items():
            rows[name] = value if np.ndim(value) == 0 else np.broadcast_to(value, shape).ravel()[keep]
        self._append(rows, [np.broadcast_to(a, shape).ravel()[keep] for a in after])
        numbers = np.full(len(keep), -1, np.int64)
        numbers[keep] = np.arange(self.n_operations - n, self.n_operations)
        return numbers.reshape(shape)

    def _append(self, rows: Records, after: list[Index]) -> None:
        self._rows.append(rows)
        self.n_operations += len(rows)
        if after:
            waits = np.stack(after, axis=1)
            self._waits.append(waits[waits >= 0])
            self._counts.append((waits >= 0).sum(axis=1, dtype=np.int64))
        else:
            self._counts.append(np.zeros(len(rows), np.int64))

    def transfer(
        self, source: ArrayLike, target: ArrayLike, n_bytes: ArrayLike, *, offset: ArrayLike = 0,
        to_offset: ArrayLike | None = None, buffer: int = DATA, to_buffer: int = DATA, tag: ArrayLike = 0,
        after: tuple[Where, ...] = (), recv_after: tuple[Where, ...] = (), where: Any = True,
    ) -> tuple[Index, Index]:  # fmt: skip
        """Add both ends of messages and return the numbers of their sends and of their receives.

        `to_offset` defaults to `offset`; sends wait for `after`, receives for `recv_after`.
        """
        there = offset if to_offset is None else to_offset
        common = {"bytes": n_bytes, "tag": tag, "where": where}
        sends = self.add(SEND, source, after, peer=target, offset=offset, buffer=buffer, **common)
        recvs = self.add(RECV, target, recv_after, peer=source, offset=there, buffer=to_buffer, **common)
        return sends, recvs

    def reduce(
        self, rank: ArrayLike, n_bytes: ArrayLike, offset: ArrayLike, source_offset: ArrayLike, *,
        source_buffer: int = SCRATCH, buffer: int = DATA, after: tuple[Where, ...] = (), where: Any = True,
    ) -> Index:  # fmt: skip
        """Ranks add a piece of the source buffer to a piece of the buffer."""
        return self.add(
            REDUCE, rank, after, where, bytes=n_bytes, offset=offset, source_offset=source_offset,
            source_buffer=source_buffer, buffer=buffer,
        )  # fmt: skip

    def copy(
        self, rank: ArrayLike, n_bytes: ArrayLike, offset: ArrayLike, source_offset: ArrayLike, *,
        source_buffer: int = SCRATCH, buffer: int = DATA, after: tuple[Where, ...] = (), where: Any = True,
    ) -> Index:  # fmt: skip
        """Ranks copy a piece of the source buffer to a piece of the buffer."""
        return self.add(
            COPY, rank, after, where, bytes=n_bytes, offset=offset, source_offset=source_offset,
            source_buffer=source_buffer, buffer=buffer,
        )  # fmt: skip

    def calc(self, rank: ArrayLike, duration_ps: ArrayLike, after: tuple[Where, ...] = ()) -> Index:
        """Ranks compute for a while."""
        return self.add(CALC, rank, after, duration_ps=duration_ps)

    def build(self) -> Schedule:
        """Freeze the schedule. Raises BadInput for ranks and dependencies out of range."""
        operations = OPERATION.zeros(self.n_operations)
        np.concatenate([operations[:0], *self._rows], out=operations)
        first = np.zeros(self.n_operations + 1, np.int64)
        np.cumsum(np.concatenate([first[:0], *self._counts]), out=first[1:])
        waits = np.concatenate([first[:0], *self._waits])
        check_ranges(self.name, self.n_ranks, operations, waits)
        for rows in (operations, first, waits):
            rows.flags.writeable = False
        return Schedule(
            self.name, self.n_ranks, operations, first, waits, self.data_bytes, self.scratch_bytes,
            self.dtype, self.result, self.root, n_switches=self.n_switches,
        )  # fmt: skip


def check_ranges(name: str, n_ranks: int, operations: Records, dependencies: Index) -> None:
    """Raise BadInput if an operation names a rank, peer or dependency that does not exist."""
    if not len(operations):
        return
    ranks, peers = operations["rank"], operations["peer"]
    if ranks.min() < 0 or max(ranks.max(), peers.max()) >= n_ranks:
        raise BadInput(f"{name}: an operation names a rank outside 0..{n_ranks - 1}")
    lowest = np.select([operations["kind"] == SEND, operations["kind"] == RECV], [0, ANY], -1)
    if np.any(peers < lowest):
        raise BadInput(f"{name}: a send or receive names a negative peer")
    if len(dependencies) and (dependencies.min() < 0 or dependencies.max() >= len(operations)):
        raise BadInput(f"{name}: a dependency names an operation that does not exist")
