"""The choice: the fastest algorithm and protocol for a size, and the channels and threads it gets."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from uet.base.errors import BadInput, nearest
from uet.schedule.nccl import tables as t
from uet.schedule.nccl.model import COLLECTIVES, System, bandwidth, choices, latency_us


@dataclass(frozen=True)
class Tuning:
    """What NCCL would run: `threads` per block (channel), `us` the time that its model expects."""

    algorithm: str
    protocol: str
    channels: int
    threads: int
    us: float

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain data."""
        return asdict(self)


def tune(system: System, collective: str, n_bytes: int) -> Tuning:
    """Return NCCL's choice for a collective of `n_bytes` (of the largest buffer of a rank).

    Raises BadInput for an unknown collective and sizes below one byte.
    """
    if collective not in COLLECTIVES:
        raise BadInput(f"unknown collective '{collective}'; {nearest(collective, COLLECTIVES)}")
    if n_bytes < 1:
        raise BadInput(f"{n_bytes} bytes: give at least 1")
    best = min(timings(system, collective, n_bytes).items(), key=lambda item: item[1])
    (algorithm, protocol), us = best
    return Tuning(algorithm, protocol, *_blocks(system, algorithm, protocol, n_bytes), us)


def timings(system: System, collective: str, n_bytes: int) -> dict[tuple[str, str], float]:
    """Return the time [us] of every usable algorithm and protocol, in NCCL's order."""
    found = {}
    for algorithm, protocol in choices(collective):
        gbps = bandwidth(system, collective, algorithm, protocol)
        if gbps > 0:
            gbps *= _tree_share(algorithm, protocol, n_bytes)
            latency = latency_us(system, collective, algorithm, protocol)
            latency *= _plateau(system, collective, algorithm, protocol, n_bytes)
            found[algorithm, protocol] = latency + n_bytes / (1000 * gbps)
    return found


def _tree_share(algorithm: str, protocol: str, n_bytes: int) -> float:
    step = max((n_bytes // 64).bit_length() - 1, 0)
    table = t.TREE_CORRECTION[protocol]
    return table[step] if algorithm == t.TREE and step < len(table) else 1.0


def _plateau(system: System, collective: str, algorithm: str, protocol: str, n_bytes: int) -> float:
    """Return the factor on the latency of a Simple ring between nodes with much to do."""
    if (collective, algorithm, protocol) != ("allreduce", t.RING, t.SIMPLE) or system.nodes == 1:
        return 1.0
    if n_bytes // (_channels(system) * system.ranks) < t.RING_PLATEAU_BYTES:
        return 1.0
    return t.RING_PLATEAU_BEFORE_AMPERE if system.generation == "volta" else t.RING_PLATEAU


def _channels(system: System) -> int:
    return min(system.ring.channels, system.tree.channels)


def _blocks(system: System, algorithm: str, protocol: str, n_bytes: int) -> tuple[int, int]:
    """Return channels and threads: first channels, then threads are left out while there is little for each."""
    channels, threads = _channels(system), t.THREADS_MOST[protocol]
    slow = system.ring.channels * system.ring.bw_intra <= t.SLOW_GBPS
    if algorithm == t.RING and protocol == t.SIMPLE and slow:
        threads = t.THREADS_SLOW_SIMPLE_RING
    least = t.THREAD_BYTES[protocol] * (system.ranks if (algorithm, protocol) == (t.RING, t.LL) else 1)
    while n_bytes < channels * threads * least and channels > 1:
        channels -= 1
    while n_bytes < channels * threads * least and threads % 128 == 0:
        threads //= 2
    if protocol == t.SIMPLE:
        threads += t.SYNC_WARPS[algorithm] * t.WARP
    return channels, max(threads, t.LEAST_WARPS * t.WARP)
