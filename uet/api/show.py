"""`show_topology`: counts, distances, paths, bisection and routing of a fabric, whole or damaged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from uet.api.fabrics import FabricLike, build

if TYPE_CHECKING:
    from solvers.bisection import Bisection
    from topologies.fabric import Fabric
    from topologies.failures import Damage
    from topologies.metrics import Distances
    from topologies.paths import PathCounts

MOST_PATH_WORK = 50_000_000  # ports visited to count paths
MOST_PATH_SOURCES = 256


@dataclass(frozen=True)
class Failed:
    """What is down, over all planes; `cut_off` accelerators work, but the others do not reach them."""

    accelerators: int
    switches: int
    links: int
    cut_off: int


@dataclass(frozen=True)
class Topology:
    """What `uet topology show` tells; counts are totals over all planes, distances are in links.

    `switches` are boxes, `links` and `link_classes` count the graph; after failures they and `hosts` are
    what works. `cables` are ordered by the published rule. Distances, `bisection` and `paths` are between
    working accelerators; planes that failures made different are compared, and the worst counts (the mean
    distance is that of all). They are None where some pair of a plane has no path.
    """

    spec: str
    family: str
    hosts: int
    switches: int
    switches_per_plane: int
    links: int
    link_classes: dict[str, int]
    cables: dict[str, int]
    planes: int
    injection_gbps: float
    diameter: int | None
    router_diameter: int | None
    avg_distance: float | None
    bisection: Bisection | None
    paths: PathCounts | None
    virtual_channels: int
    deadlock_freedom: str
    routing_bytes: int
    failed: Failed | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain data."""
        return asdict(self)


def show_topology(spec: FabricLike, fail: str = "", seed: int = 1) -> Topology:
    """Return counts, distances, bisection, paths and routing of the fabric `spec`.

    `fail` takes parts out first (the failure grammar). Raises BadInput for what is wrong.
    """
    from topologies.failures import damage
    from topologies.survivors import survivors

    fabric = build(spec)
    trouble = damage(fabric, fail, seed) if fail else None
    planes = (fabric,) if trouble is None else survivors(fabric, trouble)
    distances = _distances(planes, trouble)
    halves, cut_off = _bisection(fabric, trouble)
    routes = max((plane.routes for plane in planes), key=lambda r: r.virtual_channels)
    failed = None if trouble is None else _failed(fabric, trouble, cut_off)
    return Topology(
        spec=fabric.spec,
        family=fabric.family,
        hosts=fabric.n_hosts - (failed.accelerators if failed else 0),
        switches=fabric.order.switches - (failed.switches if failed else 0),
        switches_per_plane=fabric.n_switches,
        links=sum(len(plane.links) * plane.planes for plane in planes),
        link_classes=_link_classes(planes),
        cables=dict(fabric.order.cables),
        planes=fabric.planes,
        injection_gbps=fabric.injection_gbps,
        diameter=_worst([d.diameter for d in distances]),
        router_diameter=_worst([d.router_diameter for d in distances]),
        avg_distance=_mean([d.avg_distance for d in distances], [plane.planes for plane in planes]),
        bisection=halves,
        paths=_fewest_paths(planes),
        virtual_channels=routes.virtual_channels,
        deadlock_freedom=routes.deadlock_freedom,
        routing_bytes=max(plane.routes.memory_bytes for plane in planes),
        failed=failed,
    )


def _distances(planes: Sequence[Fabric], trouble: Damage | None) -> list[Distances]:
    from topologies.metrics import distances

    return [distances(plane, None if trouble is None else ~trouble.host_down) for plane in planes]


def _bisection(fabric: Fabric, trouble: Damage | None) -> tuple[Bisection | None, int]:
    """Return the bisection of what is connected, None of fewer than two hosts, and how many hosts are not."""
    from solvers.bandwidth import connected
    from solvers.bisection import bisection
    from solvers.network import network_of

    network, cut_off = connected(network_of(fabric, trouble))
    return (bisection(fabric, network, trouble is not None) if network.alive.sum() > 1 else None), cut_off


def _failed(fabric: Fabric, trouble: Damage, cut_off: int) -> Failed:
    from topologies.repair import broken_parts

    broken = broken_parts(fabric, trouble)
    return Failed(broken.accelerators, broken.switches, trouble.links_down, cut_off)


def _link_classes(planes: Sequence[Fabric]) -> dict[str, int]:
    total: dict[str, int] = {}
    for plane in planes:
        for kind, count in plane.link_classes().items():
            total[kind] = total.get(kind, 0) + count
    return total


def _fewest_paths(planes: Sequence[Fabric]) -> PathCounts | None:
    from topologies.paths import path_counts

    sources = max(1, min(MOST_PATH_SOURCES, MOST_PATH_WORK // max(len(planes[0].ports), 1)))
    counts = [c for plane in planes if (c := path_counts(plane, sources)) is not None]
    return min(counts, key=lambda c: c.minimal.mean, default=None)


def _worst(values: Sequence[int | None]) -> int | None:
    known = [v for v in values if v is not None]
    return max(known) if len(known) == len(values) else None


def _mean(values: Sequence[float | None], weights: Sequence[int]) -> float | None:
    known = [(v, w) for v, w in zip(values, weights, strict=True) if v is not None]
    return sum(v * w for v, w in known) / sum(w for _, w in known) if known else None
