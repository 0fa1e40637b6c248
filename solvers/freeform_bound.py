"""Upper bounds on the concurrent flow of any graph that given switches, ports and cables allow.

node     what the ports of one switch carry over what it sends or receives.
hops     every cable adds twice its rate to the capacity, every unit of flow uses as much of it as it takes hops.
         Only flow between joined switches takes one hop, at most the rate of their cables; a switch with r ports
         reaches at most r + r (R - 1) others in two hops, R being the most ports of any, and so on (Moore). With n
         cables between a pair the flow saved is concave in n, so the best choice of cables is a b-matching, and
         its linear program bounds it. Where theta needs more than the capacity, no graph reaches theta.

For uniform traffic this is the bound by mean distance (Singla, Godfrey and Kolla, NSDI 2014); what it adds is
traffic that is not uniform, where it pays to join those who talk much.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from solvers.linear import Program, solve
from solvers.network import Floats, Ints

STEPS = 40
"""Halvings of the interval of theta."""


@dataclass(frozen=True, eq=False)
class HopProof:
    """No graph reaches `theta`: prices of ports [n] and of a cable prove that nothing saves enough hops."""

    theta: float
    port_price: Floats
    cable_price: float

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain data."""
        return {"theta": self.theta, "port_price": self.port_price.tolist(), "cable_price": self.cable_price}


def node_bound(demand: Floats, ports: Ints, gbps: float) -> float:
    """Return the least ratio of what a switch's ports carry to what it sends or receives."""
    most = np.maximum(demand.sum(axis=0), demand.sum(axis=1))
    busy = most > 0
    return float((ports[busy] * gbps / most[busy]).min(initial=np.inf))


def hop_bound(demand: Floats, ports: Ints, cables: int, gbps: float) -> HopProof:
    """Return the least theta found that is proven out of reach; a node bound serves as the first guess."""
    high = node_bound(demand, ports, gbps)
    proof = HopProof(high, np.zeros(len(ports)), 0.0)
    low = 0.0
    for _ in range(STEPS):
        theta = (low + high) / 2
        port_price, cable_price = _prices(demand, ports, cables, gbps, theta)
        trial = HopProof(theta, port_price, cable_price)
        if out_of_reach(trial, demand, ports, cables, gbps):
            proof, high = trial, theta
        else:
            low = theta
        if high - low <= 1e-5 * high:
            break
    return proof


def least_cables(demand: Floats, ports: Ints, gbps: float, theta: float, most: int) -> tuple[int, HopProof | None]:
    """Return how many cables carry theta at least, and the proof that one less do not; None if ends of cables count.

    More than `most` where so many, or the ports of a switch, do not suffice. Whole cables have to end at every
    switch (the cut-set inequality of one switch, rounded up); beyond that hops decide.
    """
    ends = least_ends(demand, gbps, theta)
    if (ends > ports).any():
        return most + 1, None
    low, high, proof = -(-int(ends.sum()) // 2), most + 1, None
    while low < high:
        middle = (low + high) // 2
        trial = HopProof(theta, *_prices(demand, ports, middle, gbps, theta))
        if out_of_reach(trial, demand, ports, middle, gbps):
            low, proof = middle + 1, trial
        else:
            high = middle
    return low, proof


def least_ends(demand: Floats, gbps: float, theta: float) -> Ints:
    """Return how many cables must end at each switch to carry theta of what it sends or receives [n]."""
    most = np.maximum(demand.sum(axis=0), demand.sum(axis=1))
    return np.ceil(theta * most / gbps - 1e-9).astype(np.int64)


def out_of_reach(proof: HopProof, demand: Floats, ports: Ints, cables: int, gbps: float) -> bool:
    """Tell whether the prices prove that no choice of cables lets theta times the demand fit."""
    carried = proof.theta * demand
    low, high, worth = _units(carried, ports, gbps)
    surplus = worth - proof.port_price[low] - proof.port_price[high] - proof.cable_price
    saved = proof.port_price @ ports + proof.cable_price * cables + np.maximum(surplus, 0).sum()
    needed = 2 * carried.sum() + more_hops(carried, ports) - 2 * gbps * cables
    return bool(needed > saved + 1e-9 * carried.sum())


def more_hops(carried: Floats, ports: Ints) -> float:
    """Return the least sum of flow times hops beyond the second, by the most switches within so many hops."""
    n, most = len(ports), int(ports.max())
    both = np.sort(carried + carried.T, axis=1)[:, ::-1]  # every pair counts at both of its ends
    total = 0.0
    for switch in range(n):
        within, ring = int(ports[switch]), int(ports[switch])
        while ring and within < n - 1:
            ring *= most - 1
            within += ring
            total += float(both[switch, min(within, n - 1) : n - 1].sum())
    return total / 2


def _units(carried: Floats, ports: Ints, gbps: float) -> tuple[Ints, Ints, Floats]:
    """Return the ends (low, high) of every cable that may save hops, and how much flow it saves one."""
    low, high = np.triu_indices(len(ports), 1)
    fine = np.minimum(ports[low], ports[high]) > 0
    low, high = low[fine], high[fine]
    parts = []
    for nth in range(int(ports.max(initial=0))):
        left = [np.clip(c - nth * gbps, 0, gbps) for c in (carried[low, high], carried[high, low])]
        worth = left[0] + left[1]
        use = (worth > 0) & (nth < np.minimum(ports[low], ports[high]))
        if not use.any():
            break
        parts.append((low[use], high[use], worth[use]))
    none = np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
    a, b, c = (np.concatenate(column) for column in zip(none, *parts, strict=True))
    return a, b, c


def _prices(demand: Floats, ports: Ints, cables: int, gbps: float, theta: float) -> tuple[Floats, float]:
    """Return the prices of ports and of a cable in the best fractional choice of cables."""
    low, high, worth = _units(theta * demand, ports, gbps)
    n, m = len(ports), len(worth)
    if m == 0:
        return np.zeros(n), 0.0
    unit = float(worth.max())
    solution = solve(
        Program(
            np.arange(m + 1) * 4,
            np.stack([low, high, np.full(m, n), n + 1 + np.arange(m)], axis=1).reshape(-1),
            np.ones(4 * m),
            worth / unit,
            np.full(n + 1 + m, -np.inf),
            np.concatenate([ports, [cables], np.ones(m)]).astype(float),
        )
    )
    return solution.dual[:n] * unit, float(solution.dual[n]) * unit
