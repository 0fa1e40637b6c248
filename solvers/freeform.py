"""`free_form`: which switches to join by how many cables, so that given traffic gets the most for a budget.

No family is assumed. Few switches are solved exactly as an integer program (fixed-charge capacity design).
More are out of its reach: there a local search over graphs, from a hundred random regular graphs and the
regular wirings that fit, meets the bounds of `freeform_bound`, which know neither graph nor routes.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from solvers.freeform_bound import HopProof, hop_bound, node_bound
from solvers.freeform_flow import exact
from solvers.network import Floats, Ints
from solvers.outcome import Outcome, Status
from topologies.fabric import Fabric, FabricBuilder, Order
from topologies.routing.table_build import table_routes
from uet.base.errors import BadInput

FEW_SWITCHES = 5
CLOSE = 1e-4
"""Relative gap at which a graph counts as optimal."""


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
    """The outcome (its objective is theta, the part of the traffic carried), `cables` [n, n] between switches,
    `flows` [sending switches, n, n] in Gb/s that prove theta, and what proves the bound.
    """

    outcome: Outcome
    cables: Ints
    flows: Floats
    proof: HopProof | None

    def certificate(self, demand: FreeformDemand) -> dict[str, Any]:
        """Return all that `verify_freeform` needs, as plain data."""
        proof = None if self.proof is None else {
            "theta": self.proof.theta, "port_price": self.proof.port_price.tolist(),
            "cable_price": self.proof.cable_price,
        }  # fmt: skip
        asked = {"traffic": demand.traffic.tolist(), "ports": demand.ports.tolist(), "gbps": demand.gbps,
                 "switch_usd": demand.switch_usd, "cable_usd": demand.cable_usd,
                 "budget_usd": demand.budget_usd}  # fmt: skip
        return {"model": "freeform", "demand": asked, **self.outcome.as_dict(), "cables": self.cables.tolist(),
                "flows": self.flows.tolist(), "proof": proof}  # fmt: skip


def free_form(demand: FreeformDemand, time_limit_s: float = 60.0, seed: int = 1) -> FreeformResult:
    """Return the graph with the largest concurrent flow found, and a proven bound on that of any graph.

    Ctrl-C and the time limit end the search with the best graph so far. Raises BadInput for a wrong demand.
    """
    from solvers.freeform_mip import solve_exactly
    from solvers.freeform_search import Search

    demand.check()
    began = time.perf_counter()
    proof = hop_bound(demand.traffic, demand.ports, demand.cables, demand.gbps)
    upper = min(proof.theta, node_bound(demand.traffic, demand.ports, demand.gbps))
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
    return FreeformResult(outcome, search.cables, search.flows, None if by_program else proof)


def fabric_of(demand: FreeformDemand, cables: Ints, hosts: Ints, host_gbps: float, radix: int) -> Fabric:
    """Return the fabric of a graph: `hosts` [n] accelerators on each switch, copper to them, optical cables between.

    `topologies.document` writes and reads it; `radix` is that of the switch that is bought.
    """
    graph = FabricBuilder(int(hosts.sum()), np.repeat(np.arange(len(hosts)), hosts))
    router = graph.switches("router", len(hosts), 1, np.arange(len(hosts)))
    graph.links(np.arange(int(hosts.sum())), np.repeat(router, hosts), "dac", host_gbps, 500)
    low, high = np.nonzero(np.triu(cables))
    count = cables[low, high]
    graph.links(np.repeat(router[low], count), np.repeat(router[high], count), "aoc", demand.gbps, 500)
    order = Order(len(hosts), {"dac": int(hosts.sum()), "aoc": int(count.sum())})
    name = f"freeform:switches={len(hosts)},cables={int(count.sum())}"
    return graph.build(name, "freeform", 1, order, table_routes, parameters={"radix": radix})


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
