"""Whether the data after a run is what the schedule promises (`Schedule.result`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uet.base.errors import CheckFailed
from uet.schedule.collectives.pieces import blocks
from uet.schedule.execute import Buffers, Bytes, execute
from uet.schedule.model import SEND, Schedule


@dataclass(frozen=True)
class Piece:
    """Bytes `wanted` at `offset` of a rank's DATA; a `summed` piece is known in exact arithmetic only."""

    rank: int
    offset: int
    wanted: Bytes
    summed: bool = False


def expected(schedule: Schedule, before: Bytes) -> Iterator[Piece]:
    """Yield what DATA shall hold after the run if it held `before` [n_ranks, data_bytes] at its start.

    Found without running the schedule: from the sum or concatenation that its `result` names. Sums of
    integers wrap as the dtype does; sums of floats are those of float64 rounded once.
    """
    if schedule.result:
        yield from RESULTS[schedule.result](schedule, before)


def check_result(schedule: Schedule, before: Bytes, after: Bytes) -> None:
    """Raise CheckFailed naming the first wrong byte if `after` is not what `before` should have become.

    Integers and moved data are compared exactly with `expected`. Sums of floats depend on the order of
    additions, so they must equal those of `execute` bit by bit, and those must be near the exact sum:
    within n eps times the sum of magnitudes (Higham 2002, Accuracy and Stability, section 4.2).
    """
    dtype = np.dtype(schedule.dtype)
    floats = dtype.kind == "f"
    reference = before.copy()
    if floats and schedule.result in SUMS:
        execute(schedule, Buffers(schedule, reference))
        slack = schedule.n_ranks * np.finfo(dtype).eps * np.abs(before.view(dtype).astype(np.float64)).sum(axis=0)
    for piece in expected(schedule, before):
        start, stop = piece.offset, piece.offset + len(piece.wanted)
        wanted = piece.wanted
        if piece.summed and floats:
            wanted = reference[piece.rank, start:stop]
            error = np.abs(wanted.view(dtype).astype(np.float64) - piece.wanted.view(dtype).astype(np.float64))
            limit = slack[start // dtype.itemsize : stop // dtype.itemsize] + np.finfo(dtype).tiny
            if np.any(error > limit):
                raise CheckFailed(f"{schedule.name}: the schedule itself does not sum to the right values")
        wrong = np.flatnonzero(after[piece.rank, start:stop] != wanted)
        if len(wrong):
            at = int(wrong[0])
            raise CheckFailed(
                f"{schedule.name}: {len(wrong)} bytes of rank {piece.rank} are wrong, the first at offset "
                f"{start + at}: {after[piece.rank, start + at]} instead of {wanted[at]}"
            )


def _total(schedule: Schedule, before: Bytes) -> Bytes:
    dtype = np.dtype(schedule.dtype)
    vectors: NDArray[np.generic] = before[: schedule.n_ranks - schedule.n_switches].view(dtype)
    wide = np.float64 if dtype.kind == "f" else dtype
    total: Bytes = vectors.sum(axis=0, dtype=wide).astype(dtype).view(np.uint8)
    return total


def _allreduce(schedule: Schedule, before: Bytes) -> Iterator[Piece]:
    total = _total(schedule, before)
    for rank in range(schedule.n_ranks - schedule.n_switches):
        yield Piece(rank, 0, total, summed=True)


def _reduce(schedule: Schedule, before: Bytes) -> Iterator[Piece]:
    yield Piece(schedule.root, 0, _total(schedule, before), summed=True)


def _reducescatter(schedule: Schedule, before: Bytes) -> Iterator[Piece]:
    total = _total(schedule, before)
    offsets = blocks(schedule.data_bytes, schedule.n_ranks, schedule.dtype)
    for rank in range(schedule.n_ranks):
        yield Piece(rank, int(offsets[rank]), total[offsets[rank] : offsets[rank + 1]], summed=True)


def _allgather(schedule: Schedule, before: Bytes) -> Iterator[Piece]:
    offsets = blocks(schedule.data_bytes, schedule.n_ranks, schedule.dtype)
    whole = np.concatenate([before[r, offsets[r] : offsets[r + 1]] for r in range(schedule.n_ranks)])
    for rank in range(schedule.n_ranks):
        yield Piece(rank, 0, whole)


def _broadcast(schedule: Schedule, before: Bytes) -> Iterator[Piece]:
    for rank in range(schedule.n_ranks):
        yield Piece(rank, 0, before[schedule.root])


def _alltoall(schedule: Schedule, before: Bytes) -> Iterator[Piece]:
    n = schedule.n_ranks
    size = alltoall_vector_bytes(schedule)
    offsets = blocks(size, n, schedule.dtype)
    for rank in range(n):
        yield Piece(rank, size, before[:, offsets[rank] : offsets[rank + 1]].ravel())


def alltoall_vector_bytes(schedule: Schedule) -> int:
    """Return the bytes of one rank's input vector of an alltoall: what it sends and what it keeps."""
    kept = schedule.operations[(schedule.operations["kind"] != SEND) & (schedule.operations["rank"] == 0)]
    return int(kept["offset"].min(initial=schedule.data_bytes))


def _gather(schedule: Schedule, before: Bytes) -> Iterator[Piece]:
    for piece in _allgather(schedule, before):
        if piece.rank == schedule.root:
            yield piece


def _scatter(schedule: Schedule, before: Bytes) -> Iterator[Piece]:
    offsets = blocks(schedule.data_bytes, schedule.n_ranks, schedule.dtype)
    for rank in range(schedule.n_ranks):
        start, stop = offsets[rank : rank + 2]
        yield Piece(rank, int(start), before[schedule.root, start:stop])


def _messages(schedule: Schedule, before: Bytes) -> Iterator[Piece]:
    ops = schedule.operations
    for send in np.flatnonzero(ops["kind"] == SEND):
        out, back = ops[send], ops[schedule.pairs[send]]
        wanted = before[out["rank"], out["offset"] : out["offset"] + out["bytes"]]
        yield Piece(int(back["rank"]), int(back["offset"]), wanted)


def _nothing(schedule: Schedule, before: Bytes) -> Iterator[Piece]:
    return iter(())


SUMS = frozenset({"allreduce", "reduce", "reducescatter"})

RESULTS: dict[str, Callable[[Schedule, Bytes], Iterator[Piece]]] = {
    "allreduce": _allreduce,
    "reduce": _reduce,
    "reducescatter": _reducescatter,
    "allgather": _allgather,
    "broadcast": _broadcast,
    "alltoall": _alltoall,
    "gather": _gather,
    "scatter": _scatter,
    "messages": _messages,
    "barrier": _nothing,
}
