"""Schedules on real data: the buffers of all ranks, what one operation does to them, and a reference run."""

from __future__ import annotations

from collections.abc import Iterable
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uet.schedule.model import COPY, OPERATION, RECV, REDUCE, SEND, Schedule

Bytes = NDArray[np.uint8]


def _columns(*names: str) -> itemgetter[Any]:
    """Return what takes these fields from an operation as a tuple, ten times as fast as by name."""
    return itemgetter(*((OPERATION.dtype.names or ()).index(name) for name in names))


_KIND = _columns("kind")
_TARGET = _columns("buffer", "rank", "offset", "bytes")
_SOURCE = _columns("source_buffer", "rank", "source_offset", "bytes")


class Buffers:
    """DATA and SCRATCH of every rank, and the effect of single operations on them.

    `data` has shape [n_ranks, data_bytes], `scratch` [n_ranks, scratch_bytes], both of bytes. A carrier
    calls `read` for a send, `write` when a message has arrived and `apply` for a reduce or copy.
    """

    def __init__(self, schedule: Schedule, data: Bytes | None = None) -> None:
        """Take `data` (used in place) or zeros. Raises ValueError if its shape does not fit the schedule."""
        shape = (schedule.n_ranks, schedule.data_bytes)
        self.data = np.zeros(shape, np.uint8) if data is None else data
        if self.data.shape != shape or self.data.dtype != np.uint8:
            raise ValueError(f"data must be bytes of shape {shape}, not {self.data.dtype} of {self.data.shape}")
        self.scratch = np.zeros((schedule.n_ranks, schedule.scratch_bytes), np.uint8)
        self.dtype = np.dtype(schedule.dtype)
        self._operations = schedule.operations

    def typed(self) -> NDArray[np.generic]:
        """Return DATA seen as elements of the schedule's dtype, shape [n_ranks, data_bytes / itemsize]."""
        return self.data.view(self.dtype)

    def read(self, op: int) -> Bytes:
        """Return the bytes that send `op` transmits, as a view."""
        return self._piece(*_TARGET(self._operations.item(op)))

    def write(self, op: int, payload: Bytes | bytes | memoryview) -> None:
        """Put the bytes that arrived for receive `op` in their place. Raises ValueError for a wrong length."""
        received = np.frombuffer(payload, np.uint8)
        target = self.read(op)
        if len(received) != len(target):
            raise ValueError(f"receive {op} expects {len(target)} bytes, {len(received)} arrived")
        target[:] = received

    def apply(self, op: int) -> None:
        """Do a reduce (target = target + source in the schedule's dtype) or a copy; others change no data."""
        row = self._operations.item(op)
        kind = _KIND(row)
        if kind not in (REDUCE, COPY):
            return
        target, source = self._piece(*_TARGET(row)), self._piece(*_SOURCE(row))
        if kind == COPY:
            target[:] = source
        else:
            numbers = target.view(self.dtype)
            np.add(numbers, source.view(self.dtype), out=numbers)

    def _piece(self, buffer: int, rank: int, offset: int, n_bytes: int) -> Bytes:
        rows = self.scratch if buffer else self.data
        end = offset + n_bytes
        if end > rows.shape[1]:
            raise ValueError(f"bytes {offset}..{end} lie outside the {rows.shape[1]} bytes of the buffer")
        piece: Bytes = rows[rank, offset:end]
        return piece


def random_data(schedule: Schedule, seed: int) -> Bytes:
    """Return DATA of all ranks, [n_ranks, data_bytes], filled with random elements of the schedule's dtype."""
    rng, dtype = np.random.default_rng(seed), np.dtype(schedule.dtype)
    shape = (schedule.n_ranks, schedule.data_bytes // dtype.itemsize)
    if dtype.kind == "f":
        return rng.standard_normal(shape).astype(dtype).view(np.uint8)
    limits = np.iinfo(dtype)
    return rng.integers(limits.min, limits.max, shape, dtype, endpoint=True).view(np.uint8)


def execute(schedule: Schedule, buffers: Buffers, order: Iterable[int] | None = None) -> None:
    """Run every operation once, one after another, in `order` or in dependency order.

    The reference for carriers: a message holds what its buffer held when the send ran. Raises BadInput
    for schedules with unmatched operations or circles; KeyError if `order` receives before it sends.
    """
    if order is None:
        from uet.schedule.order import topological_order

        order = topological_order(schedule).tolist()
    kinds, pairs = schedule.operations["kind"].tolist(), schedule.pairs.tolist()
    in_flight: dict[int, Bytes] = {}
    for op in order:
        if kinds[op] == SEND:
            in_flight[op] = buffers.read(op).copy()
        elif kinds[op] == RECV:
            buffers.write(op, in_flight.pop(pairs[op]))
        else:
            buffers.apply(op)
