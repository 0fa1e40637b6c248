"""`free_form`: which switches to join by how many cables, so that given traffic gets the most for a budget.

No family is assumed. Few switches are solved exactly as an integer program (fixed-charge capacity design).
More are out of its reach: there a local search over graphs, from a hundred random regular graphs and the
regular wirings that fit, meets the bounds of `freeform_bound`, which know neither graph nor routes.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from solvers.freeform_bound import HopProof, hop_bound, least_cables, node_bound
from solvers.freeform_flow import exact, quick
from solvers.network import Floats, Ints
from solvers.outcome import Outcome, Status
from uet.base.errors import BadInput

FEW_SWITCHES = 5
CLOSE = 1e-4
"""Relative gap at which a graph counts as optimal."""
AGAIN = 3
"""Rounds of searches for fewer cables after the first, as long as there is time."""
ROUNDING = 1e-7
"""What a graph may lack of the part that is wanted, since flows are found in floating point."""


@dataclass(frozen=True, eq=False)
class FreeformDemand:
    """`traffic` [n, n]: Gb/s that the hosts of one switch send to those of another at full injection.

    `ports` [n]: how many ports of a switch may lead to switches; cables carry `gbps` each way. `budget_usd`
    pays for all switches and the cables between them; None if only ports limit the cables.
    """

    traffic: Floats
    ports: Ints
    gbps: float
    switch_usd: float = 0.0
    cable_usd: float = 0.0
    budget_usd: float | None = None

    @property
    def cables(self) -> int:
        """The most cables that ports and budget allow."""
        most = int(self.ports.sum()) // 2
        if self.budget_usd is None or not self.cable_usd:
            return most
        return min(most, int((self.budget_usd - self.switch_usd * len(self.ports)) / self.cable_usd + 1e-9))

    def check(self) -> None:
        """Raise BadInput with one sentence for each thing that is wrong."""
        n, wrong = len(self.ports), []
        if self.traffic.shape != (n, n) or n < 2:
            raise BadInput(f"traffic of shape {self.traffic.shape} does not fit {n} switches; give one row for each")
        if (self.traffic < 0).any() or np.diag(self.traffic).any() or not self.traffic.any():
            wrong.append("traffic must be at least 0, 0 from a switch to itself, and not 0 everywhere")
        if (self.ports < 0).any() or self.gbps <= 0 or self.switch_usd < 0 or self.cable_usd < 0:
            wrong.append("ports and prices must be at least 0 and gbps greater than 0")
        if self.budget_usd is not None and self.budget_usd < self.switch_usd * n:
            wrong.append(
                f"budget_usd={self.budget_usd:g} does not pay for {n} switches of {self.switch_usd:g}; raise it"
            )
        if wrong:
            raise BadInput(*wrong)


@dataclass(frozen=True, eq=False)
class FreeformResult:
    """The outcome, `cables` [n, n] between switches, `flows` [sending switches, n, n] in Gb/s that carry the part
    `theta` of the traffic, and what proves the bound.

    The objective is theta, or with `wanted` the number of cables that carry that part.
    """

    outcome: Outcome
    cables: Ints
    theta: float
    flows: Floats
    proof: HopProof | None
    wanted: float | None = None

    def certificate(self, demand: FreeformDemand) -> dict[str, Any]:
        """Return all that `verify_freeform` needs, as plain data."""
        proof = None if self.proof is None else self.proof.as_dict()
        asked = {"traffic": demand.traffic.tolist(), "ports": demand.ports.tolist(), "gbps": demand.gbps,
                 "switch_usd": demand.switch_usd, "cable_usd": demand.cable_usd,
                 "budget_usd": demand.budget_usd}  # fmt: skip
        return {"model": "freeform", "demand": asked, **self.outcome.as_dict(), "cables": self.cables.tolist(),
                "theta": self.theta, "flows": self.flows.tolist(), "wanted": self.wanted, "proof": proof}  # fmt: skip


def free_form(
    demand: FreeformDemand, time_limit_s: float = 60.0, seed: int = 1, most: float = np.inf
) -> FreeformResult:
    """Return the graph with the largest concurrent flow found, and a proven bound on that of any graph.

    More than `most` is worth nothing. Ctrl-C and the time limit end the search with the best graph so far. Raises
    BadInput for a wrong demand.
    """
    from solvers.freeform_mip import solve_exactly
    from solvers.freeform_search import Search

    demand.check()
    began = time.perf_counter()
    proof = hop_bound(demand.traffic, demand.ports, demand.cables, demand.gbps)
    upper = min(proof.theta, node_bound(demand.traffic, demand.ports, demand.gbps), most)
    search = Search(demand, upper, began + time_limit_s, seed)
    interrupted = search.run()
    by_program = False
    if len(demand.ports) <= FEW_SWITCHES and search.theta < upper * (1 - CLOSE) and not interrupted:
        left = max(began + time_limit_s - time.perf_counter(), 0.1)
        found, cables = solve_exactly(demand, search.cables, left)
        interrupted = found.interrupted
        if cables is not None:
            search.keep(cables)
        if found.bound is not None and found.bound < upper:
            upper, by_program = found.bound, True
    status: Status = "optimal" if search.theta >= upper * (1 - CLOSE) else "feasible"
    outcome = Outcome(status, search.theta, max(upper, search.theta), time.perf_counter() - began, interrupted)
    return FreeformResult(outcome, search.cables, search.theta, search.flows, None if by_program else proof)


def uniform(hosts: Ints, host_gbps: float) -> Floats:
    """Return the traffic [n, n] of a uniform alltoall among all hosts."""
    traffic = np.outer(hosts, hosts) * host_gbps / max(int(hosts.sum()) - 1, 1)
    np.fill_diagonal(traffic, 0.0)
    return traffic


def value(demand: FreeformDemand, cables: Ints) -> tuple[float, Floats]:
    """Return theta of a graph and flows that carry it; 0 where some traffic is cut off."""
    from scipy.sparse.csgraph import connected_components

    part = connected_components(cables, directed=False)[1]
    if (demand.traffic[part[:, None] != part[None, :]] > 0).any():
        return 0.0, np.zeros((int(demand.traffic.any(axis=1).sum()), *cables.shape))
    capacity: Floats = (cables * demand.gbps).astype(np.float64)
    return exact(capacity, demand.traffic)


def fewest_cables(demand: FreeformDemand, wanted: float, time_limit_s: float = 60.0, seed: int = 1) -> FreeformResult:
    """Return the graph with the fewest cables found that carries the part `wanted`, and the least that any needs.

    The status is 'infeasible' where the ports and the budget are proven not to suffice, 'unknown' where no graph
    was found. Ctrl-C and the time limit end the search with the best graph so far.
    """
    from solvers.freeform_mip import solve_exactly

    demand.check()
    began = time.perf_counter()
    until = began + time_limit_s
    least, proof = least_cables(demand.traffic, demand.ports, demand.gbps, wanted, demand.cables)
    best, tried, interrupted = np.zeros(demand.traffic.shape, np.int64), demand.cables, False
    found, low, by_program, again = False, least - 1, False, 0
    while low < tried and not interrupted and time.perf_counter() < until:
        cables, interrupted = _enough(demand, tried, wanted, until, seed + again)
        if cables is not None:
            best, found = cables, True
        elif not found:
            break
        else:
            low = tried
        most = int(best.sum()) // 2
        if most - low == 1 and most > least and again < AGAIN:
            low, again = least - 1, again + 1  # what was not found may be found from other starts
        tried = low + (most - low) // 2 if most - low > 1 else low
    if len(demand.ports) <= FEW_SWITCHES and least <= demand.cables and not interrupted:
        outcome, cables = solve_exactly(demand, best, max(until - time.perf_counter(), 0.1), wanted)
        interrupted = outcome.interrupted
        if cables is not None:
            best, found = cables, True
        if outcome.status == "infeasible":
            least, by_program = demand.cables + 1, True
        elif outcome.bound is not None and outcome.bound > least - 0.5:
            least, by_program = round(outcome.bound + 0.49), True
    count, theta, flows = int(best.sum()) // 2, *value(demand, best)
    status: Status = "infeasible" if least > demand.cables else "unknown"
    if found:
        status = "optimal" if count <= least else "feasible"
    outcome = Outcome(
        status, float(count) if found else None, float(min(least, count) if found else least),
        time.perf_counter() - began, interrupted,
    )  # fmt: skip
    return FreeformResult(outcome, best, theta, flows, None if by_program else proof, wanted)


def _enough(demand: FreeformDemand, cables: int, wanted: float, until: float, seed: int) -> tuple[Ints | None, bool]:
    """Return a graph of at most so many cables that carries `wanted`, if one is found, and whether the user stopped."""
    from solvers.freeform_search import Search

    share = (until - time.perf_counter()) / 3
    few = replace(demand, switch_usd=0.0, cable_usd=1.0, budget_usd=float(cables))
    search = Search(few, wanted * (1 + 2 * CLOSE), time.perf_counter() + share, seed, wanted * (1 - ROUNDING))
    interrupted = search.run()
    return (trimmed(demand, search.cables, wanted) if search.theta >= wanted * (1 - ROUNDING) else None), interrupted


def trimmed(demand: FreeformDemand, cables: Ints, wanted: float) -> Ints:
    """Return the graph without cables that it can do without, looked at once each, the least used first."""
    flows = value(demand, cables)[1].sum(axis=0)
    low, high = np.nonzero(np.triu(cables))
    used = np.maximum(flows[low, high], flows[high, low]) / cables[low, high]
    left = cables.copy()
    for k in np.argsort(used, kind="stable"):
        a, b = low[k], high[k]
        while left[a, b]:
            left[[a, b], [b, a]] -= 1
            capacity: Floats = (left * demand.gbps).astype(np.float64)
            if quick(capacity, demand.traffic, wanted) < wanted * (1 - ROUNDING):
                left[[a, b], [b, a]] += 1
                break
    return left
