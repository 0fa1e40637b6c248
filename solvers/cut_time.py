"""Time before which no algorithm can have finished a collective, by what must cross the borders of sets of hosts.

With n of the N ranks in a set, and D bytes in one rank's full vector, each direction of the set's border has to let
through, in shares of D (Zhao et al., ForestColl, 2024; allreduce is a reduce-scatter and an allgather):

    allgather, reducescatter    max(n, N - n) / N
    allreduce                   twice that; 1 where switches add up
    alltoall                    n (N - n) / N
    broadcast, reduce           1
    gather, scatter             n / N for the n that do not have the root

The borders are those of `uet bandwidth`: every host's ports, and chassis, leaves and groups.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from solvers.allreduce import borders, sprayed
from solvers.collectives import Floats, Traffic
from solvers.network import network_of
from topologies.fabric import Fabric
from uet.schedule.cost import traffic
from uet.schedule.model import Schedule
from uet.schedule.works import Asked

Shares = Callable[[Floats, int, Floats], Floats]

BITS_PER_US = 1000.0
"""Bits that 1 Gb/s carries in a microsecond."""


def _larger_side(inside: Floats, total: int, rooted: Floats) -> Floats:
    return np.maximum(inside, total - inside) / total


def _whole(inside: Floats, total: int, rooted: Floats) -> Floats:
    return np.ones(len(inside))


SHARES: dict[str, Shares] = {
    "allgather": _larger_side,
    "reducescatter": _larger_side,
    "allreduce": lambda inside, total, rooted: 2 * _larger_side(inside, total, rooted),
    "alltoall": lambda inside, total, rooted: inside * (total - inside) / total,
    "broadcast": _whole,
    "reduce": _whole,
    "gather": lambda inside, total, rooted: np.where(rooted, total - inside, inside) / total,
    "scatter": lambda inside, total, rooted: np.where(rooted, total - inside, inside) / total,
}
"""Collective -> what crosses, given ranks `inside` each set, `total` ranks, and whether the root is inside."""


def cut_time_us(fabric: Fabric, asked: Asked) -> float | None:
    """Return the time [us] at the bound on one plane of `fabric`, rank r on host r; None where nothing must cross."""
    shares = _whole if asked.in_switches else SHARES.get(asked.collective)
    if shares is None or asked.ranks < 2:
        return None
    worst = 0.0
    for label, gbps in borders(fabric, fabric.links["gbps"].astype(np.float64)):
        inside = np.bincount(label[: asked.ranks], minlength=len(gbps)).astype(np.float64)
        rooted = np.arange(len(gbps)) == label[asked.root]
        crossed = (inside > 0) & (inside < asked.ranks)
        share = shares(inside, asked.ranks, rooted)[crossed]
        worst = max(worst, float((share / gbps[crossed]).max(initial=0.0)))
    return worst * asked.size_bytes * 8 / BITS_PER_US


def spread_time_us(fabric: Fabric, schedule: Schedule) -> float | None:
    """Return the time [us] of all bytes of `schedule` at once, spread evenly over minimal paths of one plane.

    None for nothing to send and for switches that add up.
    """
    sent = traffic(schedule)
    if schedule.n_switches or not sent.bytes.any():
        return None
    network = network_of(fabric)
    moved = Traffic(schedule.name, sent.source, sent.target, sent.bytes.astype(np.float64))
    bytes_per_injection = sprayed(network, moved)
    return 8 / (bytes_per_injection * network.injection_gbps * BITS_PER_US) if bytes_per_injection > 0 else None
