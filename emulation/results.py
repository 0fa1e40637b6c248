"""What the packet simulator and the flow level have in common: where ranks go, and what a run leaves."""

from __future__ import annotations

import resource
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from topologies.fabric import Fabric
from uet.base.errors import BadInput, NoAnswer
from uet.base.tables import Records
from uet.schedule.model import SEND, Schedule, refuse_switches
from uet.schedule.naming import describe

if TYPE_CHECKING:
    from emulation.packet.settings import NetworkSettings


@dataclass(frozen=True)
class Result:
    """What a run left: one row per flow, one per port, when each operation was done (-1: not), totals, the
    settings that held, and those of the network (None at flow level).
    """

    flows: Records
    ports: Records
    done_ps: NDArray[np.int64]
    totals: dict[str, Any]
    status: str
    settings: dict[str, float]
    network: NetworkSettings | None


FLOW_FIELDS = (
    ("flow", "i8"), ("src", "i4"), ("dst", "i4"), ("bytes", "i8"), ("packets", "i8"), ("retransmissions", "i8"),
    ("start_ps", "i8"), ("finish_ps", "i8"), ("fct_ps", "i8"),
)  # fmt: skip


def unfinished(schedule: Schedule, status: str, done: int, total: int) -> NoAnswer | None:
    """Say why a run that is over is not complete, with `done` of `total` operations; None if it is."""
    open_ = f"{schedule.name}: {total - done:,} of {total:,} operations"
    if status == "stuck":
        return NoAnswer(f"{open_} can never start; check its dependencies")
    if status == "unfinished":
        return NoAnswer(f"{open_} were not done at the end; raise the end time")
    if status == "failed":
        return NoAnswer(f"{open_} not done: a message ran out of retries; raise rto.max_retries (-1: endless)")
    return None


def peak_rss_bytes() -> int:
    """Return the most memory this process has held."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # Linux counts in KiB


def percentiles(times_ps: NDArray[np.int64], counts: NDArray[np.int64] | None = None) -> dict[str, float | None]:
    """Return first, mean and percentiles [us] of times; see `statistics`."""
    return statistics(times_ps / 1e6, counts)


def statistics(values: NDArray[np.float64], counts: NDArray[np.int64] | None = None) -> dict[str, float | None]:
    """Return first, mean and percentiles; percentile p of n sorted values is value[min(n-1, floor(p n))].

    `counts` tells how often each value stands (once).
    """
    order = np.argsort(values, kind="stable")
    ranked = values[order]
    ends = np.cumsum(np.ones(len(ranked), np.int64) if counts is None else counts[order])
    n = int(ends[-1]) if len(ends) else 0
    if n == 0:
        return dict.fromkeys(("first", "mean", "p50", "p99", "max"))
    pick = {"first": 0, "p50": min(n - 1, n // 2), "p99": min(n - 1, n * 99 // 100), "max": n - 1}
    picked = {name: float(ranked[np.searchsorted(ends, k, side="right")]) for name, k in pick.items()}
    return {**picked, "mean": float(np.average(ranked, weights=np.diff(ends, prepend=0)))}


def placed(fabric: Fabric, schedule: Schedule, placement: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
    """Return the host of every rank [n_ranks]: the placement, or rank k on host k.

    Raises BadInput for schedules that do not fit on the fabric or need no network, and for bad placements.
    """
    refuse_switches(schedule)
    if schedule.n_ranks > fabric.n_hosts:
        raise BadInput(
            f"{schedule.name} needs {schedule.n_ranks} hosts but {fabric.spec} has {fabric.n_hosts}; enlarge it"
        )
    ops = schedule.operations
    own = np.flatnonzero((ops["kind"] == SEND) & (ops["peer"] == ops["rank"]))
    if len(own):
        raise BadInput(
            f"{schedule.name}: {describe(schedule, int(own[0]))}, its own rank, needs no network; "
            "take it out, or use the loggops backend"
        )
    if placement is None:
        return np.arange(schedule.n_ranks, dtype=np.int64)
    if len(np.unique(placement)) != schedule.n_ranks or placement.min() < 0 or placement.max() >= fabric.n_hosts:
        raise BadInput("a placement must name a different host of the fabric for every rank")
    return placement.astype(np.int64)
