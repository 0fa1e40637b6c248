"""Large schedules out of small ones: collectives among some of the ranks, strung together with computations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from uet.base.errors import BadInput
from uet.base.tables import Records
from uet.schedule.model import CALC, OPERATION, Index, Schedule, check_ranges

_MOST_TAGS = 2**32 - 1
"""What a GOAL file has room for."""


class Composer:
    """Adds single operations and whole schedules, each between operations that are there already or will be.

    Numbers of operations are given out at once, so an operation may wait for one that comes later; `build`
    refuses what does not exist. Every schedule put in gets tags of its own.
    """

    def __init__(self, name: str, n_ranks: int) -> None:
        """Start an empty schedule of `n_ranks` ranks."""
        self.name, self.n_ranks = name, n_ranks
        self.n_operations = 0
        self._rows: list[Records] = []
        self._waits: list[tuple[Index, Index]] = []  # operations, and one each that it waits for
        self._tags = 0
        self._data_bytes = self._scratch_bytes = 0

    def add(self, kind: int, rank: int, after: Iterable[int] = (), **fields: Any) -> int:
        """Add one operation with any fields of OPERATION (peer defaults to -1) and return its number."""
        row = OPERATION.zeros(1)
        for name, value in {"kind": kind, "rank": rank, "peer": -1, **fields}.items():
            row[name] = value
        self._tags = max(self._tags, int(row["tag"][0]) + 1)
        self._data_bytes = max(self._data_bytes, int(row["offset"][0] + row["bytes"][0]))
        number = self._append(row)
        self.wait(number, after)
        return number

    def join(self, rank: int, after: Iterable[int] = ()) -> int:
        """Add an operation that takes no time: a place to wait for several others."""
        return self.add(CALC, rank, after)

    def wait(self, operation: int, after: Iterable[int]) -> None:
        """Let an operation wait for others as well."""
        others = np.fromiter(after, np.int64)
        if len(others):
            self._waits.append((np.full(len(others), operation), others))

    def put(self, part: Schedule, ranks: Sequence[int], entries: Sequence[int], exits: Sequence[int]) -> None:
        """Add a whole schedule whose rank k is ranks[k].

        What waits for nothing there waits for operation entries[k]; exits[k] waits for all that nothing waits for.
        """
        first, n = self.n_operations, len(part.operations)
        rows = part.operations.copy()
        of, place = np.asarray(ranks, np.int64), rows["rank"].astype(np.int64)
        rows["rank"] = of[place]
        named = rows["peer"] >= 0
        rows["peer"][named] = of[rows["peer"][named]]
        rows["tag"] += self._tags
        self._tags = int(rows["tag"].max(initial=self._tags)) + 1
        self._append(rows)
        waiting = np.repeat(np.arange(n), np.diff(part.first_dependency))
        self._waits.append((first + waiting, first + part.dependencies))
        roots = np.flatnonzero(np.diff(part.first_dependency) == 0)
        self._waits.append((first + roots, np.asarray(entries, np.int64)[place[roots]]))
        awaited = np.zeros(n, np.bool_)
        awaited[part.dependencies] = True
        ends = np.flatnonzero(~awaited)
        self._waits.append((np.asarray(exits, np.int64)[place[ends]], first + ends))
        self._data_bytes = max(self._data_bytes, part.data_bytes)
        self._scratch_bytes = max(self._scratch_bytes, part.scratch_bytes)

    def _append(self, rows: Records) -> int:
        self._rows.append(rows)
        self.n_operations += len(rows)
        return self.n_operations - len(rows)

    def build(self) -> Schedule:
        """Freeze the schedule. Raises BadInput for ranks and operations that do not exist and for too many tags."""
        if self._tags > _MOST_TAGS:
            raise BadInput(f"{self.name}: needs {self._tags:,} tags, there are {_MOST_TAGS:,}; make a shorter one")
        operations = OPERATION.zeros(self.n_operations)
        np.concatenate([operations[:0], *self._rows], out=operations)
        none = np.zeros(0, np.int64)
        waiting, awaited = (np.concatenate([none, *(w[k] for w in self._waits)]) for k in (0, 1))
        order = np.argsort(waiting, kind="stable")
        first = np.zeros(self.n_operations + 1, np.int64)
        np.cumsum(np.bincount(waiting, minlength=self.n_operations), out=first[1:])
        dependencies = awaited[order]
        check_ranges(self.name, self.n_ranks, operations, dependencies)
        for rows in (operations, first, dependencies):
            rows.flags.writeable = False
        return Schedule(
            self.name, self.n_ranks, operations, first, dependencies, self._data_bytes, self._scratch_bytes
        )  # fmt: skip
