"""Check the certificate of a Clos: build the fabric, bill it, route uniform traffic over its links by hand.

Nothing is optimized. That nothing is cheaper is checked by asking the enumeration for a tree below the price.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from solvers.clos import ClosDemand, ClosResult, size_clos
from solvers.concurrent import ConcurrentFlow
from solvers.demand import alltoall
from solvers.network import Ints, network_of
from solvers.symmetry import find
from topologies.bom import bill
from topologies.catalogue.catalogue import Catalogue
from topologies.fabric import Fabric
from topologies.racks import RackModel, lay_out
from topologies.registry import build
from uet.base.errors import BadInput

TOLERANCE = 1e-6


def clos_certificate(
    demand: ClosDemand, catalogue: Catalogue, result: ClosResult, objective: str = "cost_usd"
) -> dict[str, Any]:
    """Return all that `verify_clos` needs, as plain data."""
    return {
        "model": "clos",
        "objective": objective,
        "demand": {**asdict(demand), "rack_model": demand.rack_model.model_dump()},
        "catalogue": catalogue.model_dump(mode="json"),
        **result.as_dict(),
    }


def verify_clos(certificate: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with a certificate, one sentence each; an empty list if all of it holds.

    Raises BadInput where it is not a certificate of a Clos.
    """
    try:
        given: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in certificate["demand"].items()}
        demand = ClosDemand(**{**given, "rack_model": RackModel(**given["rack_model"])})
        catalogue = Catalogue(**certificate["catalogue"])
        status, design, objective = certificate["status"], certificate["design"], certificate["objective"]
        bound = certificate["bound"]
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(f"certificate: is not one of a Clos ({error!r}); design it again") from None
    if design is None:
        claimed = status == "infeasible" and size_clos(demand, catalogue, explain=False).outcome.status != "infeasible"
        return ["there is a tree although the certificate says that there is none"] if claimed else []
    # what fastest_clos found has the throughput as its objective: then only the design is checked
    problems = _check_design(design, demand, catalogue)
    if status == "optimal" and objective == design["cost_usd"]:
        cheaper = replace(demand, budget_usd=bound * (1 - TOLERANCE))
        if size_clos(cheaper, catalogue, explain=False).design is not None:
            problems.append(f"there is a tree for less than the bound of {bound:,.0f} USD")
    return problems


def _check_design(design: Mapping[str, Any], demand: ClosDemand, catalogue: Catalogue) -> list[str]:
    fabric = build(design["spec"])
    order = bill(fabric, catalogue, cabling="published")
    layout = lay_out(fabric, demand.rack_model)
    found = {
        "hosts": (fabric.n_hosts, demand.hosts),
        "injection_gbps": (fabric.injection_gbps, demand.injection_gbps),
        "cost_usd": (order.cost_usd, design["cost_usd"]),
        "power_w": (order.power_w, design["power_w"]),
        "switches": (fabric.order.switches, design["switches"]),
        "racks": (layout.host_racks + layout.network_racks, design["racks"]),
    }
    problems = [
        f"{name} is {real}, not {claimed}"
        for name, (real, claimed) in found.items()
        if real != claimed and (real is None or claimed is None or abs(real - claimed) > TOLERANCE * abs(claimed))
    ]
    uniform, any_traffic = routed(fabric)
    for name, real, wanted in (("alltoall", uniform, demand.alltoall), ("bisection", any_traffic, demand.bisection)):
        if design[name] > real * (1 + TOLERANCE):
            problems.append(f"{name} is {real:.6f} by hand, less than the {design[name]:.6f} claimed")
        if real < wanted * (1 - TOLERANCE):
            problems.append(f"{name} is {real:.6f}, less than the {wanted:g} asked for")
    limits = {"budget_usd": order.cost_usd, "power_w": order.power_w, "racks": found["racks"][0]}
    problems += [f"{k} is {limits[k]}, over the limit of {most:g}" for k, most in demand.limits.items()
                 if (limits[k] or 0) > most * (1 + TOLERANCE)]  # fmt: skip
    return problems


def routed(fabric: Fabric) -> tuple[float, float]:
    """Return the fractions of injection that uniform and any traffic get by the routings of `clos_trees`.

    The first is that behind the access links and may pass 1. A wiring that is neither even nor dealt gets 0.
    """
    n, level = fabric.n_hosts, fabric.nodes["level"]
    leaves, cores = int((level == 1).sum()), int((level == 3).sum())
    if leaves == 1:
        return 1.0, 1.0
    hosts = _between(fabric, 0).sum(axis=0)
    ratio = float(fabric.links["gbps"][-1]) * fabric.planes / fabric.injection_gbps
    links = _between(fabric, 1)
    share = float((links.sum(axis=1) * ratio / hosts).min())
    if cores:
        pods, even = _pods(fabric, links)
        share = min(share, float((pods.sum(axis=1) * ratio / _sums(hosts, fabric, 1)).min()))
    else:
        even = bool((links == links[0]).all())
    if not even and cores:
        return 0.0, 0.0
    if not even:
        uniform = _dealt(links, hosts, ratio)
        return uniform, min(1.0, share, uniform * n / (2 * (n - 1)))  # any traffic in two random hops (Valiant)
    network = network_of(fabric)
    demand = alltoall(network)
    problem = ConcurrentFlow(network, demand, find(network, demand))
    return problem.lower(problem.spread()[0]), min(1.0, share)


def _between(fabric: Fabric, low: int) -> Ints:
    """Return the links between each node of a level and each of the next, [nodes, nodes]."""
    ends = np.sort(fabric.ports["node"][np.stack([fabric.links["port_a"], fabric.links["port_b"]])], axis=0)
    level = fabric.nodes["level"]
    mine = (level[ends] == [[low], [low + 1]]).all(axis=0)
    first, count = (np.array([f(level == at) for at in (low, low + 1)]) for f in (np.argmax, np.count_nonzero))
    matrix = np.zeros(tuple(count), np.int64)
    np.add.at(matrix, tuple(ends[:, mine] - first[:, None]), 1)
    return matrix


def _sums(values: Ints, fabric: Fabric, level: int) -> Ints:
    """Return the sums over the pods of rows or numbers of the nodes of a level."""
    pod = fabric.nodes["group"][fabric.nodes["level"] == level]
    sums = np.zeros((int(pod.max()) + 1, *values.shape[1:]), np.int64)
    np.add.at(sums, pod, values)
    return sums


def _pods(fabric: Fabric, links: Ints) -> tuple[Ints, bool]:
    """Return the links of each pod to each core, and whether all wiring is even."""
    up = _between(fabric, 2)
    pods = _sums(up, fabric, 2)
    nodes = fabric.nodes
    same_pod = nodes["group"][nodes["level"] == 1][:, None] == nodes["group"][nodes["level"] == 2][None, :]
    each = links[same_pod]
    even = bool((links[~same_pod] == 0).all() and (each == each[0]).all() and (pods == pods[0, 0]).all())
    return pods, even and bool(np.isin(up, [0, up.max()]).all())


def _dealt(links: Ints, hosts: Ints, ratio: float) -> float:
    """Return the uniform throughput of the flows w(i, j, s) = M(s) + a(i, s) + a(j, s); 0 where one is negative."""
    n, h = int(hosts.sum()), hosts[:, None]
    if (2 * h >= n).any():
        return 0.0
    share = links / links.sum(axis=1, keepdims=True)
    weight = h * (n - h) / (n - 2 * h)
    mean = (weight * share).sum(axis=0) / weight.sum()
    more = (share - mean) * (n - h) / (n - 2 * h)
    least = np.partition(more, 1, axis=0)[:2].sum(axis=0)
    if (mean + least < -TOLERANCE / links.sum()).any():
        return 0.0
    load = h * ((n - h) * (mean + more) + (h * more).sum(axis=0) - h * more) / (n - 1)
    used = load > 0
    return float((links[used] * ratio / load[used]).min(initial=np.inf))
