"""The cost model: sums and the longest path over the same table that is simulated and executed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uet.schedule.model import CALC, COPY, REDUCE, SEND, Schedule


@dataclass(frozen=True, eq=False)
class Traffic:
    """Bytes and messages between pairs of ranks that communicate, sorted by (source, target); all shape [k]."""

    source: NDArray[np.int64]
    target: NDArray[np.int64]
    bytes: NDArray[np.int64]
    messages: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Volumes:
    """What a schedule moves. Arrays have shape [n_ranks]."""

    bytes_sent: NDArray[np.int64]
    bytes_received: NDArray[np.int64]
    messages_sent: NDArray[np.int64]
    bytes_reduced: NDArray[np.int64]
    total_bytes: int
    total_messages: int
    traffic: Traffic


def volumes(schedule: Schedule) -> Volumes:
    """Return the volumes of a schedule."""
    ops, n = schedule.operations, schedule.n_ranks
    sends, reduces = ops[ops["kind"] == SEND], ops[ops["kind"] == REDUCE]
    return Volumes(
        bytes_sent=schedule.bytes_sent,
        bytes_received=_sum(sends["peer"], sends["bytes"], n),
        messages_sent=np.bincount(sends["rank"], minlength=n),
        bytes_reduced=_sum(reduces["rank"], reduces["bytes"], n),
        total_bytes=int(sends["bytes"].sum()),
        total_messages=len(sends),
        traffic=traffic(schedule),
    )


def traffic(schedule: Schedule) -> Traffic:
    """Return the traffic matrix of a schedule in sparse form."""
    ops, n = schedule.operations, schedule.n_ranks
    sends = ops[ops["kind"] == SEND]
    key = sends["rank"].astype(np.int64) * n + sends["peer"]
    keys, place, messages = np.unique(key, return_inverse=True, return_counts=True)
    return Traffic(keys // n, keys % n, _sum(place, sends["bytes"], len(keys)), messages)


def _sum(index: NDArray[np.int64], values: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    total = np.zeros(n, np.int64)
    np.add.at(total, index, values)
    return total


def alpha_beta_ps(schedule: Schedule, alpha_ps: int, ps_per_byte: float, reduce_ps_per_byte: float = 0.0) -> int:
    """Return the time [ps] of the longest chain when a message of m bytes takes alpha + m beta.

    Hockney's model (1994); `reduce_ps_per_byte` is the gamma of Thakur, Rabenseifner, Gropp 2005. Ranks
    may send and receive any number of messages at once, so for algorithms that do this the result is a
    lower bound (the loggops backend books the NICs). Raises BadInput if unmatched or circular.
    """
    from uet.schedule.order import longest_path

    ops = schedule.operations
    local = np.isin(ops["kind"], (REDUCE, COPY))
    message = alpha_ps + np.rint(ops["bytes"] * ps_per_byte).astype(np.int64)
    weight = np.where(ops["kind"] == SEND, message, 0)
    weight += np.where(ops["kind"] == CALC, ops["duration_ps"], 0)
    weight += np.where(local, np.rint(ops["bytes"] * reduce_ps_per_byte).astype(np.int64), 0)
    return longest_path(schedule, weight)
