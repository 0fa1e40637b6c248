"""Check the certificate of a free-form fabric: flows on its cables, and prices that no graph can beat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from solvers.freeform import CLOSE, FreeformDemand
from solvers.freeform_bound import HopProof, least_ends, node_bound, out_of_reach
from uet.base.errors import BadInput

TOLERANCE = 1e-5


def verify_freeform(certificate: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with a certificate, one sentence each; an empty list if all of it holds.

    A bound of the integer program has no certificate and is left to it. Raises BadInput for another document.
    """
    try:
        asked = certificate["demand"]
        demand = FreeformDemand(**{**asked, "traffic": np.array(asked["traffic"]), "ports": np.array(asked["ports"])})
        cables, flows = np.array(certificate["cables"]), np.array(certificate["flows"])
        theta, wanted = certificate["theta"], certificate["wanted"]
        objective, bound, proof = certificate["objective"], certificate["bound"], certificate["proof"]
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(f"certificate: is not one of a free-form fabric ({error!r}); design it again") from None
    problems = []
    if (cables != cables.T).any() or (cables < 0).any() or (cables.sum(axis=1) > demand.ports).any():
        problems.append("a switch has more cables than ports")
    if cables.sum() // 2 > demand.cables:
        problems.append(f"{cables.sum() // 2} cables are more than the {demand.cables} that ports and budget allow")
    unit = demand.gbps * TOLERANCE
    if (flows < -unit).any() or (flows.sum(axis=0) > cables * demand.gbps + unit).any():
        problems.append("the flows do not fit the cables")
    sources = np.flatnonzero(demand.traffic.any(axis=1))
    arriving = flows.sum(axis=1) - flows.sum(axis=2)
    for k, source in enumerate(sources):
        sent = theta * demand.traffic[source]
        sent[source] = -sent.sum()
        if np.abs(arriving[k] - sent).max() > max(unit, TOLERANCE * abs(sent).max()):
            problems.append(f"the flows of switch {source} do not carry {theta:g} of its traffic")
    if objective != (theta if wanted is None else cables.sum() // 2) or (
        wanted is not None and theta < wanted * (1 - TOLERANCE)
    ):
        problems.append(f"the objective of {objective} is not that of the graph")
    if proof is not None:
        given = HopProof(proof["theta"], np.array(proof["port_price"]), proof["cable_price"])
        valid = bool((given.port_price >= 0).all()) and given.cable_price >= 0
        problems += _bound_problems(demand, given if valid else None, bound, wanted)
    return problems


def _bound_problems(demand: FreeformDemand, given: HopProof | None, bound: float, wanted: float | None) -> list[str]:
    if wanted is None:
        proven = node_bound(demand.traffic, demand.ports, demand.gbps)
        if given is not None and out_of_reach(given, demand.traffic, demand.ports, demand.cables, demand.gbps):
            proven = min(proven, given.theta)
        return [f"the bound of {bound:g} is not proven, only {proven:g}"] if bound < proven * (1 - CLOSE) else []
    least = -(-int(least_ends(demand.traffic, demand.gbps, wanted).sum()) // 2)
    fewer = int(bound) - 1
    if (
        given is not None
        and given.theta <= wanted * (1 + 1e-9)
        and out_of_reach(given, demand.traffic, demand.ports, fewer, demand.gbps)
    ):
        least = max(least, fewer + 1)
    return [f"the bound of {bound:g} cables is not proven, only {least}"] if bound > least else []
