"""Allreduce bandwidth of a long vector: the best known algorithm below, a bound by cuts above.

Bandwidth is bytes of the vector over time, in injections. An algorithm's traffic is spread evenly over
minimal paths, as packet spraying does; what that reaches is a lower bound. The upper bound is twice the
allgather's (Zhao et al., ForestColl, 2024): N hosts cannot finish it before max(n, N - n)/N of the vector
has crossed the border of any n of them, in either direction. It holds for reduction in the hosts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from solvers.bound import EXACT_GAP, Bound
from solvers.collectives import Floats, Ints, Traffic, algorithms
from solvers.concurrent import ConcurrentFlow
from solvers.demand import pairs
from solvers.network import Network
from solvers.symmetry import trivial
from solvers.throughput import Effort, throughput
from topologies.cuts import CutModel
from topologies.fabric import Fabric
from topologies.failures import Damage, no_damage


@dataclass(frozen=True, eq=False)
class Job:
    """Hosts in rank order and, where they have one, their grid (first dimension fastest)."""

    hosts: Ints
    shape: tuple[int, ...] = ()


def whole_machine(fabric: Fabric, alive: np.ndarray) -> Job:
    """Return the job on all hosts that are `alive`, in the order of the family's grid if it has one."""
    if not alive.all():
        return Job(np.flatnonzero(alive).astype(np.int64))
    return Job(np.arange(fabric.n_hosts), host_grid(fabric))


def host_grid(fabric: Fabric) -> tuple[int, ...]:
    """Return the grid that hosts are numbered over, the first dimension fastest; () if there is none."""
    p = fabric.parameters
    if fabric.family == "hammingmesh":
        return p["board"][0] * p["grid"][0], p["board"][1] * p["grid"][1]
    return tuple(p["dims"]) if fabric.family in ("torus", "full-mesh") else ()


def allreduce(
    fabric: Fabric, network: Network, jobs: Sequence[Job], damage: Damage | None = None, effort: Effort | None = None
) -> Bound:
    """Return bounds on the bandwidth that each of several jobs gets when all of them run, in injections.

    All jobs use the same algorithm, the one that is best for the slowest of them. Optimal routes are
    looked for, with a thirtieth of the `effort` for each algorithm, where minimal ones do not meet the bound.
    """
    effort = effort or Effort()
    jobs = [job for job in jobs if len(job.hosts) > 1]
    if not jobs:
        return Bound(np.inf, np.inf, "nothing to reduce")
    upper = cut_bound(fabric, jobs, damage or no_damage(fabric))
    sums, less = _common(fabric, jobs), Effort(effort.tolerance, effort.work // 30)
    found = ((sprayed(network, s), f"{s.algorithm} over minimal paths") for s in sums)
    harder = ((rerouted(network, s, less), f"{s.algorithm} over optimal paths") for s in sums)
    best, how, enough = 0.0, "nothing", upper * (1 - EXACT_GAP)
    for reached, way in chain(found, harder):
        if reached > best:
            best, how = reached, way
        if best >= enough:
            break
    met = best >= enough
    return Bound(min(best, upper), upper, f"{how} {'meets the cut bound' if met else 'below, cut bound above'}")


def _common(fabric: Fabric, jobs: Sequence[Job]) -> list[Traffic]:
    """Return the traffic of all jobs together for each algorithm that suits all of them."""
    offers = [{t.algorithm: t for t in algorithms(fabric, job.hosts, job.shape)} for job in jobs]
    return [join([offer[name] for offer in offers]) for name in offers[0] if all(name in offer for offer in offers)]


def join(parts: Sequence[Traffic]) -> Traffic:
    """Return the sum of traffics of one algorithm."""
    columns = ("source", "target", "share")
    return Traffic(parts[0].algorithm, *(np.concatenate([getattr(p, c) for p in parts]) for c in columns))


def sprayed(network: Network, sent: Traffic) -> float:
    """Return the bandwidth that traffic reaches when spread evenly over minimal paths, in injections."""
    access, demand = _access(network, sent), pairs(network, sent.source, sent.target, sent.share)
    if len(demand.sources) == 0:
        return access
    problem = ConcurrentFlow(network, demand, trivial(network))
    load, hops = problem.spread()
    return min(access, problem.lower(load)) if hops < np.inf else 0.0


def rerouted(network: Network, sent: Traffic, effort: Effort) -> float:
    """Return the bandwidth that traffic certainly reaches over the best routes, in injections."""
    access, demand = _access(network, sent), pairs(network, sent.source, sent.target, sent.share)
    return min(access, throughput(network, demand, effort, access).lower)


def _access(network: Network, sent: Traffic) -> float:
    """Return what the access links of hosts behind switches let through, in injections."""
    out, into = (np.bincount(end, sent.share, network.n_hosts) for end in (sent.source, sent.target))
    most = np.maximum(out, into)
    used = most > 0
    return float((network.access_gbps[used] / network.injection_gbps / most[used]).min())


def cut_bound(fabric: Fabric, jobs: Sequence[Job], damage: Damage) -> float:
    """Return the upper bound by the ports of every host and the natural cuts, for the slowest job.

    Several jobs across one border share it.
    """
    unit = fabric.injection_gbps
    cuts = borders(fabric, fabric.links["gbps"] * damage.link_rate.sum(axis=0))
    return min(_across(label, gbps / unit, jobs) for label, gbps in cuts)


def borders(fabric: Fabric, gbps: Floats) -> list[tuple[Ints, Floats]]:
    """Return the set of every host [n_hosts] and what leaves each set [Gb/s], for links of `gbps` [n_links].

    First every host with all its ports, then the natural cuts.
    """
    host = np.zeros(len(fabric.nodes))
    for end in ("port_a", "port_b"):
        np.add.at(host, fabric.ports["node"][fabric.links[end]], gbps)
    natural = [(b.label, b.sums(gbps)) for b in CutModel(fabric).borders]
    return [(np.arange(fabric.n_hosts), host[: fabric.n_hosts]), *natural]


def _across(label: Ints, capacity: Floats, jobs: Sequence[Job]) -> float:
    """Return the bound by the borders of the sets `label`, what leaves each being `capacity` in injections."""
    need = np.zeros(len(capacity))
    for job in jobs:
        inside, total = np.bincount(label[job.hosts], minlength=len(capacity)), len(job.hosts)
        need += np.where((inside > 0) & (inside < total), 2 * np.maximum(inside, total - inside) / total, 0.0)
    crossed = need > 0
    return float((capacity[crossed] / need[crossed]).min(initial=np.inf))
