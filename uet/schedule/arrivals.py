"""Open traffic: messages and remote calls that begin at random times, whether or not earlier ones are done.

Every rank begins at the times of a Poisson process of its own; a chain of calcs per rank keeps the time.
"""

from __future__ import annotations

import numpy as np

from uet.base.errors import BadInput
from uet.schedule.model import Index, Schedule, ScheduleBuilder
from uet.schedule.patterns import side_by_side
from uet.schedule.sizes import Sizes

PS_PER_BYTE_GBPS = 8_000  # one byte at 1 Gb/s takes 8,000 ps


def poisson(n_ranks: int, load: float, gbps: float, sizes: Sizes, time_ps: int, seed: int) -> Schedule:
    """Return messages of random sizes from every rank to random others that begin within `time_ps`.

    On average a rank sends `load` of `gbps` in payload: the mean time between two messages of a rank is the
    mean size over that. Raises BadInput for fewer than two ranks and where nothing begins.
    """
    rng = np.random.default_rng(seed)
    builder = ScheduleBuilder("poisson", n_ranks, 0, result="messages")
    source, target, start = _begin(builder, sizes.mean_bytes * PS_PER_BYTE_GBPS / (load * gbps), time_ps, rng)
    size = sizes.draw(len(source), rng)
    place, builder.data_bytes = side_by_side(target, size)
    builder.transfer(source, target, size, to_offset=place, after=(start,))
    return builder.build()


def rpc(n_ranks: int, request_bytes: int, response_bytes: int, interval_ps: int, time_ps: int, seed: int) -> Schedule:
    """Return remote calls: every rank sends requests to random others, on average every `interval_ps` and within
    `time_ps`, and is sent a response once one has arrived. Raises BadInput as `poisson` does.
    """
    rng = np.random.default_rng(seed)
    builder = ScheduleBuilder("rpc", n_ranks, 0, result="messages")
    source, target, start = _begin(builder, interval_ps, time_ps, rng)
    size = np.repeat([request_bytes, response_bytes], len(source))
    place, builder.data_bytes = side_by_side(np.concatenate([target, source]), size)
    there, back = np.split(place, 2)
    _, arrived = builder.transfer(source, target, request_bytes, to_offset=there, after=(start,))
    builder.transfer(target, source, response_bytes, to_offset=back, tag=1 + np.arange(len(source)), after=(arrived,))
    return builder.build()


def _begin(
    builder: ScheduleBuilder, gap_ps: float, time_ps: int, rng: np.random.Generator
) -> tuple[Index, Index, Index]:  # fmt: skip
    """Add the calcs that end when something begins, on average every `gap_ps` per rank; return for each its rank,
    another rank drawn at random, and its calc.
    """
    n, name = builder.n_ranks, builder.name
    if n < 2:
        raise BadInput(f"{name}: {n} rank has nobody to send to; use at least 2")
    count = rng.poisson(time_ps / gap_ps, n)
    total = int(count.sum())
    if total == 0:
        raise BadInput(f"{name}: nothing begins within the time; make it longer, the load higher or messages smaller")
    rank = np.repeat(np.arange(n), count)
    times = np.floor(rng.random(total) * time_ps).astype(np.int64)  # of a Poisson process, given their number
    times = times[np.lexsort((times, rank))]
    first = np.flatnonzero(np.diff(rank, prepend=-1))
    before = builder.n_operations + np.arange(total) - 1
    before[first] = -1
    gaps = np.diff(times, prepend=0)
    gaps[first] = times[first]
    start = builder.calc(rank, gaps, after=(before,))
    return rank, (rank + rng.integers(1, n, total)) % n, start
