"""The trees that one choice of parts, rates and planes allows, with exact costs and certified throughput.

With the leaves and their up-links given, all else of a tree has a best value in closed form, so the trees of
a `Frame` are enumerated as arrays instead of searched. Two ways of wiring leaves to spines are known to carry
as much uniform traffic as leaves can send:

even   the number S of spines divides the up-links u: any traffic that the leaves can send is carried,
       every flow spread evenly (Clos 1953, in fluids)
dealt  round-robin to fewer spines: leaf i has m(i,s) = q or q + 1 links to spine s, q = floor(u / S). Flows
       i -> j put the share w = M(s) + f (m(i,s) + m(j,s) - 2 M(s)) / u on spine s, M being the mean over leaves
       and f = (n - d) / (n - 2d) for n hosts, d to a leaf; then every up-link is loaded alike. Needs w >= 0,
       which holds if 2 q (n - d) >= n (q + c / (leaves - 1)), c being the most extra links of a spine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Any

import numpy as np

from solvers.network import Flags, Floats, Ints
from topologies.catalogue.catalogue import Part

ROUNDING = 1e-9
"""What a need may pass a whole number by and still count as it; relative for throughputs."""


@dataclass(frozen=True)
class Need:
    """`hosts` accelerators of `injection_gbps`, each to get the fractions `alltoall` of it in uniform traffic,
    and `bisection` in any traffic.
    """

    hosts: int
    injection_gbps: float
    alltoall: float
    bisection: float


@dataclass(frozen=True)
class Frame:
    """Planes, the rate of links between switches, the parts of each level from the leaf up, and both cables."""

    planes: int
    host_gbps: float
    up_gbps: float
    switches: tuple[Part, ...]
    host_cable: Part
    up_cable: Part | None

    @property
    def levels(self) -> int:
        """Levels of switches."""
        return len(self.switches)

    @property
    def parts(self) -> tuple[Part, ...]:
        """Switches and cables."""
        cables = (self.host_cable, self.up_cable) if self.up_cable else (self.host_cable,)
        return (*self.switches, *cables)

    def ports(self, level: int) -> int:
        """Return how many links between switches a switch of a level (from 0) can have."""
        return self.switches[level].radix * self.switches[level].links_each(self.up_gbps)

    def most_up(self, down: Ints) -> Ints:
        """Return the up-links that a leaf has room for beside its `down` host links."""
        leaf = self.switches[0]
        free = leaf.radix - down / leaf.links_each(self.host_gbps)
        return np.floor(free * leaf.links_each(self.up_gbps) + ROUNDING).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Counts:
    """What is bought for trees of one frame: leaves and other switches by level, links to hosts and between
    switches; of one plane each, [trees].
    """

    frame: Frame
    switches: tuple[Ints, Ints, Ints]
    host_links: Ints
    links: Ints

    def total(self, figure: str) -> Floats:
        """Return the sum of 'price_usd' or 'power_w' over all parts of all planes."""
        frame = self.frame
        total = np.zeros(len(self.links))
        for part, count in zip(frame.switches, self.switches, strict=False):
            total += getattr(part, figure) * frame.planes * count
        for cable, gbps, links in (
            (frame.host_cable, frame.host_gbps, self.host_links), (frame.up_cable, frame.up_gbps, self.links)
        ):  # fmt: skip
            if cable:
                total += getattr(cable, figure) * _ceil(links * frame.planes, cable.links_each(gbps))
        return total


Worth = Callable[[Counts], Floats]
"""What is to be as little as possible, infinite where counts pass a limit; may not fall as counts grow."""


@dataclass(frozen=True, eq=False)
class Trees:
    """Trees of one frame, a column of integers [trees] for each count of one plane, and their throughput [trees].

    `spines` and `cores` are totals of a plane, `pod_leaves` the leaves of a pod (all leaves on two levels).
    """

    frame: Frame
    down: Ints
    leaves: Ints
    up: Ints
    spines: Ints
    pod_leaves: Ints
    spine_up: Ints
    cores: Ints
    alltoall: Floats
    bisection: Floats

    def __len__(self) -> int:
        """Number of trees."""
        return len(self.down)

    @property
    def counts(self) -> Counts:
        """What is bought."""
        links = self.leaves * self.up + self.spines * self.spine_up
        return Counts(self.frame, (self.leaves, self.spines, self.cores), self.leaves * self.down, links)

    def take(self, which: Flags | Ints) -> Trees:
        """Return some of the trees."""
        columns: dict[str, Any] = {f.name: getattr(self, f.name)[which] for f in fields(self) if f.name != "frame"}
        return replace(self, **columns)


def _ceil(a: Any, b: Any) -> Ints:
    """Return a / b rounded up, of numbers or arrays."""
    return np.asarray(-(-a // b), np.int64)


def leaf_shapes(frame: Frame, hosts: int) -> tuple[Ints, Ints]:
    """Return (leaves, hosts of a full leaf) worth a look: as few hosts as so many leaves allow.

    Two leaves are the exception, since an uneven pair has less to send to each other.
    """
    room = frame.switches[0].radix * frame.switches[0].links_each(frame.host_gbps)
    leaves = np.unique(_ceil(hosts, np.arange(1, min(room, hosts) + 1)))
    down = _ceil(hosts, leaves)
    pairs = np.arange(int(_ceil(hosts, 2)) + 1, min(room, hosts - 1) + 1)
    leaves, down = np.concatenate([leaves, np.full(len(pairs), 2)]), np.concatenate([down, pairs])
    keep = (leaves == 1) if frame.levels == 1 else (leaves > 1) & (frame.most_up(down) > 0)
    return leaves[keep], down[keep]


def crossing(need: Need, inside: Ints) -> Floats:
    """Return how many hosts' worth of uniform traffic leaves a part that has `inside` of the hosts."""
    return inside * (need.hosts - inside) / max(need.hosts - 1, 1)


def least_links(frame: Frame, need: Need, inside: Ints, even: bool = True) -> Ints:
    """Return the least links to the rest that a full part with `inside` hosts needs."""
    wanted = need.alltoall * crossing(need, inside)
    if even:
        wanted = np.maximum(wanted, need.bisection * inside)
    return np.maximum(np.ceil(wanted * frame.host_gbps / frame.up_gbps - ROUNDING), 1).astype(np.int64)


def one_level(frame: Frame, need: Need) -> Trees:
    """Return the tree of a single leaf, if all hosts fit."""
    leaves, down = leaf_shapes(frame, need.hosts)
    none, full = np.zeros(len(leaves), np.int64), np.ones(len(leaves))
    return Trees(frame, down, leaves, none, none, leaves, none, none, full, full)


def two_levels(frame: Frame, need: Need) -> Trees:
    """Return all trees of two levels whose other counts cannot be less, whether or not they meet the need."""
    leaves, down = leaf_shapes(frame, need.hosts)
    most, ports = frame.most_up(down), frame.ports(1)
    fits = leaves <= ports
    leaves, down, most = leaves[fits], down[fits], most[fits]
    which = np.repeat(np.arange(len(leaves)), most)
    leaves, down = leaves[which], down[which]
    up = np.arange(len(which)) - np.repeat(np.cumsum(most) - most, most) + 1
    least = _ceil(leaves * up, ports)
    found = []
    for even, spines in ((True, _next_divisor(up, least)), (False, _dealt(need.hosts, leaves, down, up, least))):
        trees = _measured(frame, need, down, leaves, up, spines, leaves, np.zeros_like(up), np.zeros_like(up))
        if not even:
            half = np.minimum(trees.alltoall * need.hosts / (2 * (need.hosts - 1)), trees.bisection)  # Valiant
            trees = replace(trees, bisection=half).take(spines > 0)
        found.append(trees)
    return _joined(found)


def _next_divisor(number: Ints, least: Ints) -> Ints:
    """Return the smallest divisor of each number that is at least `least` (which does not pass the number)."""
    most = int(number.max(initial=1))
    table = np.zeros((most + 1, most + 2), np.int64)
    for divisor in range(most, 0, -1):
        multiples = np.arange(divisor, most + 1, divisor)
        table[multiples, divisor] = divisor
    for at in range(most, 0, -1):
        table[:, at] = np.where(table[:, at] > 0, table[:, at], table[:, at + 1])
    return table[number, least]


def _dealt(hosts: int, leaves: Ints, down: Ints, up: Ints, least: Ints) -> Ints:
    """Return the fewest spines that a dealt wiring is known to work with, 0 where even is as good or better."""
    best = np.zeros_like(up)
    open_ = (leaves > 2) & (down * 2 < hosts)
    for q in range(1, int((up // least).max(initial=0)) + 1):
        rows = np.flatnonzero(open_ & (up // least >= q))
        if len(rows) == 0:
            break
        n, d, u = leaves[rows], down[rows], up[rows]
        extra = np.floor((n - 1) * (2 * q * (hosts - d) / hosts - q) + ROUNDING).astype(np.int64)
        extra = np.minimum(extra, n)
        spines = np.maximum(np.maximum(least[rows], u // (q + 1) + 1), _ceil(n * u, np.maximum(q * n + extra, 1)))
        fine = (spines <= u // q) & (extra >= 0)
        best[rows[fine]] = spines[fine]  # a larger q has fewer spines
    return best


@dataclass(frozen=True, eq=False)
class Pods:
    """Ways to put leaves into pods: columns [ways], and a bound on what such trees are worth, by counting ports."""

    leaves: Ints
    down: Ints
    pods: Ints
    size: Ints
    bound: Floats

    def take(self, which: slice | Flags | Ints) -> Pods:
        """Return some of the ways."""
        columns: dict[str, Any] = {f.name: getattr(self, f.name)[which] for f in fields(self)}
        return Pods(**columns)

    def by_leaves(self) -> list[Pods]:
        """Return the ways of each number of leaves and hosts to a leaf."""
        ends = np.flatnonzero(np.diff(self.leaves) | np.diff(self.down)) + 1
        starts = [0, *ends.tolist()] if len(self.leaves) else []
        return [self.take(slice(a, b)) for a, b in zip(starts, [*ends.tolist(), len(self.leaves)], strict=False)]


def pod_shapes(frame: Frame, need: Need, worth: Worth) -> Pods:
    """Return all ways to put leaves into pods of trees of three levels that may be within the limits."""
    leaves, down = leaf_shapes(frame, need.hosts)
    fits = least_links(frame, need, down) <= frame.most_up(down)
    shapes = [_pods_of(n) for n in leaves[fits].tolist()]
    ways = np.array([shape.shape[1] for shape in shapes], np.int64)
    leaves, down = np.repeat(leaves[fits], ways), np.repeat(down[fits], ways)
    pods, size = np.concatenate([np.zeros((2, 0), np.int64), *shapes], axis=1)
    found = Pods(leaves, down, pods, size, worth(_least_counts(frame, need, leaves, down, pods, size)))
    return found.take((pods <= frame.ports(2)) & (size < frame.ports(1)) & (found.bound < np.inf))


@cache
def _pods_of(leaves: int) -> Ints:
    """Return pods and leaves of a full pod, [2, ways], worth a look, by the same rule as `leaf_shapes`."""
    pods = np.unique(_ceil(leaves, np.arange(1, leaves)))
    pairs = np.arange(int(_ceil(leaves, 2)) + 1, leaves)
    size = np.concatenate([_ceil(leaves, pods), pairs])
    return np.stack([np.concatenate([pods, np.full(len(pairs), 2)]), size])


def _least_counts(frame: Frame, need: Need, leaves: Ints, down: Ints, pods: Ints, size: Ints) -> Counts:
    """Return the links that are needed at least, with as few spines and cores as have the ports for them."""
    up, above = least_links(frame, need, down), least_links(frame, need, size * down)
    spines = pods * _ceil(size * up + above, frame.ports(1))
    cores = _ceil(pods * above, frame.ports(2))
    return Counts(frame, (leaves, spines, cores), leaves * down, leaves * up + pods * above)


def three_levels(frame: Frame, need: Need, ways: Pods, worth: Worth, most: Callable[[], float]) -> Iterator[Trees]:
    """Yield the trees of three levels, of pods of equal leaves, that may be worth less than `most()`.

    All are even: a leaf has m links to each of T spines of its pod, a spine b links to each of c cores of its
    place. First come those with the fewest cores, then those that save links instead.
    """
    ports, core_ports = frame.ports(1), frame.ports(2)
    least, room = (int(f[0]) for f in (least_links(frame, need, ways.down[:1]), frame.most_up(ways.down[:1])))
    places = np.arange(1, room + 1)
    places = places[places * _ceil(least, places) <= room]
    way, place = (index.reshape(-1) for index in np.indices((len(ways.pods), len(places))))
    spines, each = places[place], _ceil(least, places)[place]
    ways, above = ways.take(way), least_links(frame, need, ways.size * ways.down)[way]
    above = _ceil(above, spines)
    cores = _ceil(above, core_ports // ways.pods)
    fewest = cores
    while True:
        switches = (ways.leaves, ways.pods * spines, cores * spines)
        links = ways.leaves * each * spines + ways.pods * spines * above
        bound = worth(Counts(frame, switches, ways.leaves * ways.down, links))
        open_ = (ways.size * each + above <= ports) & (bound < most()) & (cores <= np.maximum(above, fewest))
        if not open_.any():
            return
        ways, spines, each, above, cores, fewest = (
            ways.take(open_), *(column[open_] for column in (spines, each, above, cores, fewest))
        )  # fmt: skip
        up = cores * _ceil(above, cores)
        fits = ways.size * each + up <= ports
        columns = (ways.down, ways.leaves, spines * each, ways.pods * spines, ways.size, up, cores * spines)
        yield _measured(frame, need, *(column[fits] for column in columns))
        cores = cores + 1


def _measured(
    frame: Frame, need: Need, down: Ints, leaves: Ints, up: Ints, spines: Ints, pod_leaves: Ints, spine_up: Ints,
    cores: Ints,
) -> Trees:  # fmt: skip
    """Return trees with the throughput of even wiring: what a full leaf and a full pod can send."""
    rate = frame.up_gbps / frame.host_gbps
    alltoall, share = up * rate / crossing(need, down), up * rate / down
    pod = np.minimum(pod_leaves * down, need.hosts)
    links = np.where(cores > 0, spines // np.maximum(_ceil(leaves, pod_leaves), 1) * spine_up, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        alltoall = np.where(cores > 0, np.minimum(alltoall, links * rate / crossing(need, pod)), alltoall)
        share = np.where(cores > 0, np.minimum(share, links * rate / pod), share)
    return Trees(
        frame, down, leaves, up, spines, pod_leaves, spine_up, cores, alltoall, np.minimum(share, 1.0)
    )  # fmt: skip


def _joined(parts: list[Trees]) -> Trees:
    names = ("down", "leaves", "up", "spines", "pod_leaves", "spine_up", "cores", "alltoall", "bisection")
    return Trees(parts[0].frame, *(np.concatenate([getattr(p, name) for p in parts]) for name in names))
