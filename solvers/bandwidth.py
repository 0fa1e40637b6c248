"""`bandwidth`: what a pattern of traffic gets on a fabric, per accelerator, with certified bounds.

alltoall     every accelerator sends alike to every other one: maximum concurrent flow
permutation  every accelerator sends to one other, drawn at random
worst        the permutation of the largest total distance, close to the worst traffic there is
allreduce    a long vector by the best known algorithm, below the bound by cuts
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from solvers.allreduce import allreduce, whole_machine
from solvers.bound import Bound
from solvers.demand import Demand, alltoall, pairs
from solvers.matching import longest_matching
from solvers.network import Flags, Ints, Network, network_of
from solvers.throughput import Effort, throughput
from topologies.fabric import LINK_CLASSES, Fabric
from topologies.failures import Damage
from uet.base.errors import BadInput, NoAnswer, nearest
from uet.schedule.patterns import derangement

PATTERNS = ("alltoall", "allreduce", "permutation", "worst")
ISLAND, SCALE_OUT = "island", "scale-out"


@dataclass(frozen=True)
class Bandwidth:
    """Bandwidth of one pattern, all accelerators of a job taking part at once.

    `gbps_per_accelerator` is what is certain, the lower bound: bytes an accelerator sends over time, for
    allreduce the bytes of the vector over time. `lower` and `upper` bound `fraction_uncapped`, which is in
    injections and, where hosts hang on switches, that of the network behind the access links; `fraction` is
    capped at 1 and at what access links are left. `fraction_of_peak`: of half the injection, for allreduce.
    `domain` says whose links carry it, the island's or the scale-out network's. `cut_off`: working accelerators
    that the largest connected part does not reach; they take no part. `tub`: for 'worst', the throughput
    bound by distance. `any_traffic`: for alltoall, the fraction that any admissible traffic gets, by
    Valiant's two random hops.
    """

    spec: str
    pattern: str
    accelerators: int
    injection_gbps: float
    gbps_per_accelerator: float
    fraction: float
    fraction_uncapped: float
    fraction_of_peak: float | None
    lower: float
    upper: float
    exact: bool
    method: str
    domain: str
    cut_off: int = 0
    tub: float | None = None
    any_traffic: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain data."""
        return asdict(self)


def bandwidth(
    fabric: Fabric, pattern: str = "alltoall", damage: Damage | None = None, seed: int = 1, effort: Effort | None = None
) -> Bandwidth:
    """Return what `pattern` gets on a fabric, or on what damage has left of it.

    Raises BadInput for an unknown pattern and NoAnswer where fewer than two accelerators are connected.
    """
    if pattern not in PATTERNS:
        raise BadInput(f"unknown pattern '{pattern}'; {nearest(pattern, PATTERNS)}")
    network, cut_off = connected(network_of(fabric, damage))
    if network.alive.sum() < 2:
        raise NoAnswer(f"{fabric.spec}: fewer than two accelerators are connected, so there is no traffic")
    effort = effort or Effort()
    tub = None
    if pattern == "allreduce":
        bound = allreduce(fabric, network, [whole_machine(fabric, network.alive)], damage, effort)
        access = np.inf
    else:
        demand, pattern_name = _demand(network, pattern, seed)
        access = network.access_fraction()
        bound = carried(network, demand, access, effort, seed)
        bound = Bound(bound.lower, bound.upper, f"{pattern_name}{bound.method}")
        tub = distance_bound(network, demand) if pattern == "worst" else None
    found = bandwidth_of(fabric, pattern, network, bound, access, domain(fabric, np.flatnonzero(network.alive)))
    n = found.accelerators
    any_traffic = min(1.0, access, bound.lower * n / (2 * (n - 1))) if pattern == "alltoall" else None
    return Bandwidth(**{**asdict(found), "cut_off": cut_off, "tub": tub, "any_traffic": any_traffic})


def carried(network: Network, demand: Demand, access: float, effort: Effort, seed: int) -> Bound:
    """Return bounds on the uncapped fraction of a demand; what needs no network is limited by `access` alone."""
    if len(demand.sources) == 0:
        return Bound(access, access, "below one switch")
    return throughput(network, demand, effort, min(access, 1.0), seed)


def bandwidth_of(fabric: Fabric, pattern: str, network: Network, bound: Bound, access: float, where: str) -> Bandwidth:
    """Return the bandwidth that bounds on the uncapped fraction and the share of `access` links give."""
    injection_gbps = network.injection_gbps * network.planes
    value = min(bound.lower, access)
    return Bandwidth(
        fabric.spec, pattern, int(network.alive.sum()), injection_gbps, value * injection_gbps, min(value, 1.0),
        bound.lower, min(1.0, 2 * value) if pattern == "allreduce" else None, bound.lower, bound.upper, bound.exact,
        bound.method, where,
    )  # fmt: skip


def domain(fabric: Fabric, hosts: Ints) -> str:
    """Return whether a job on `hosts` stays inside one island or needs the scale-out network."""
    from topologies.chassis import chassis

    if not (fabric.links["kind"] == LINK_CLASSES.index("nvlink")).any():
        return SCALE_OUT
    return ISLAND if len(np.unique(chassis(fabric)[hosts])) == 1 else SCALE_OUT


def connected(network: Network) -> tuple[Network, int]:
    """Return the network with only those hosts alive that its largest connected part has, and how many are not."""
    from dataclasses import replace

    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    arcs = coo_array((np.ones(network.n_arcs, np.int8), (network.tail, network.head)), (network.n_nodes,) * 2)
    part = connected_components(arcs, directed=False)[1][network.node_of_host]
    largest = np.bincount(part[network.alive]).argmax() if network.alive.any() else -1
    reached: Flags = network.alive & (part == largest) & (network.access_gbps > 0)
    return replace(network, alive=reached), int((network.alive & ~reached).sum())


def distance_bound(network: Network, demand: Demand) -> float | None:
    """Return the upper bound on theta by distances in hops alone, None if nothing crosses the network."""
    from solvers.concurrent import ConcurrentFlow
    from solvers.symmetry import trivial

    if len(demand.sources) == 0:
        return None
    _, hops = ConcurrentFlow(network, demand, trivial(network)).spread()
    return float(network.capacity_gbps.sum()) / hops


def _demand(network: Network, pattern: str, seed: int) -> tuple[Demand, str]:
    if pattern == "alltoall":
        return alltoall(network), ""
    if pattern == "worst":
        source, target, certain = longest_matching(network)
        return pairs(network, source, target), f"{'longest' if certain else 'long'} matching; "
    hosts = np.flatnonzero(network.alive)
    targets = derangement(len(hosts), np.random.default_rng(seed))
    return pairs(network, hosts, hosts[targets]), f"random permutation of seed {seed}; "
