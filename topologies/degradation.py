"""What failed links and switches leave of a fabric's bandwidth, by its natural cuts (`topologies.cuts`).

For one job on all hosts: an allreduce sends one injection across every border, an alltoall
n (N - n) / (N - 1) injections across the border of n of N hosts, a host being a set of one. The least
bandwidth that some border leaves bounds the job (loosely where hosts forward for others: an alltoall's
transit is not counted). Shares are of the undamaged fabric's bound. Hosts that nothing reaches any more
are counted, and the bound is that of a job on the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from topologies.boxes import outside_links
from topologies.cuts import Border, CutModel
from topologies.fabric import LINK_CLASSES, Fabric
from topologies.failures import Damage, link_name, no_damage

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
PATTERNS = ("allreduce", "alltoall")


@dataclass(frozen=True)
class Degraded:
    """Bandwidth with `failures` random network parts down, as shares: the mean and percentiles of the trials,
    for the hosts that are still reached; and how many are not, in the mean and at most.
    """

    failures: int
    pattern: str  # allreduce or alltoall
    mean: float
    p50: float
    p10: float
    p1: float
    worst: float
    cut_off_mean: float
    cut_off_most: int


@dataclass(frozen=True)
class WorstLinks:
    """The cables whose loss together leaves the least bandwidth by the cuts; a share of 0 cuts hosts off."""

    links: tuple[str, ...]
    pattern: str
    share: float


class PatternBound:
    """The bandwidth bound of a pattern on a fabric, whole or damaged, and after the loss of more links."""

    def __init__(self, cuts: CutModel, pattern: str, damage: Damage | None = None) -> None:
        """Take stock of what crosses every border and of what the pattern sends across it."""
        fabric = cuts.fabric
        damage = damage or no_damage(fabric)
        self.cuts, self.link_gbps = cuts, fabric.links["gbps"] * damage.link_rate  # [planes, n_links]
        working, gbps = ~damage.host_down, self.link_gbps.sum(axis=0)
        self.borders: list[tuple[Border, Floats, Floats]] = []  # with Gb/s [sets] and injections sent [sets]
        for border in (cuts.host, *cuts.borders):
            n, total = np.bincount(border.label, working, len(border)), int(working.sum())
            sent = np.ones(len(n)) if pattern == "allreduce" else n * (total - n) / max(total - 1, 1)
            self.borders.append((border, border.sums(gbps), np.where(n > 0, sent, 0.0)))
        self.whole, self.lost_before = self._left([crossing for _, crossing, _ in self.borders])

    def after(self, plane: Ints, link: Ints) -> tuple[float, int]:
        """Return the bound in injections, and the hosts cut off, after a further loss of links [i] of planes [i].

        Hosts that are cut off do not count in the bound.
        """
        gbps = self.link_gbps[plane, link]
        crossings = []
        for border, crossing, _ in self.borders:
            left = crossing.copy()
            for at in (border.at_a[link], border.at_b[link]):
                np.subtract.at(left, at[at >= 0], gbps[at >= 0])
            crossings.append(left)
        least, lost = self._left(crossings)
        return least, lost - self.lost_before

    def _left(self, crossings: list[Floats]) -> tuple[float, int]:
        """Return the bound and how many hosts are out, with these bandwidths over the borders' sets."""
        least, out = np.inf, np.zeros(self.cuts.fabric.n_hosts, bool)
        for (border, crossing, sent), left in zip(self.borders, crossings, strict=True):
            dead = (left <= 1e-9 * crossing) | (sent <= 0)
            least = float((left / np.where(dead, 1.0, sent)).min(where=~dead, initial=least))
            if dead.any():
                out |= dead[border.label]
        return (least / self.cuts.unit_gbps if least < np.inf else 0.0), int(out.sum())


def degraded(
    cuts: CutModel,
    rates: Mapping[str, float],
    failures: int,
    trials: int,
    seed: int,
    damage: Damage | None = None,
) -> list[Degraded]:
    """Return the bandwidth left in seeded trials with `failures` random network parts down.

    Parts fail in proportion to `rates`, the annual failure rates of switches and cable classes. With damage,
    of the parts that work, and shares are of what it has left.
    """
    rng = np.random.default_rng([seed, failures])
    lose = _Lottery(cuts.fabric, rates, damage)
    lost = [lose.draw(failures, rng) for _ in range(trials)]
    found = []
    for pattern in PATTERNS:
        bound = PatternBound(cuts, pattern, damage)
        left, cut_off = zip(*(bound.after(*links) for links in lost), strict=True)
        shares = np.sort(left) / bound.whole if bound.whole else np.zeros(trials)
        p50, p10, p1 = (float(shares[min(trials - 1, int(q * trials))]) for q in (0.5, 0.1, 0.01))
        mean, worst = float(shares.mean()), float(shares[0])
        found.append(Degraded(failures, pattern, mean, p50, p10, p1, worst, float(np.mean(cut_off)), max(cut_off)))
    return found


class _Lottery:
    """Draws distinct working switches and cables of all planes, each in proportion to its failure rate."""

    def __init__(self, fabric: Fabric, rates: Mapping[str, float], damage: Damage | None) -> None:
        self.fabric = fabric
        damage = damage or no_damage(fabric)
        self.cables = np.flatnonzero(outside_links(fabric))
        rate = np.array([rates.get(kind, 0.0) for kind in LINK_CLASSES])[fabric.links["kind"][self.cables]]
        working = np.concatenate([~damage.switch_down, damage.link_rate[:, self.cables] > 0], axis=1)
        each = np.concatenate([np.full(fabric.n_switches, rates.get("switch", 0.0)), rate]) * working
        self.per_plane = each.shape[1]
        self.cumulative = np.cumsum(each.reshape(-1))
        self.parts = int((each > 0).sum())

    def draw(self, n: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
        """Return the planes and numbers of the links that `n` parts take down."""
        chosen: dict[int, None] = {}
        while len(chosen) < min(n, self.parts):
            chosen[int(np.searchsorted(self.cumulative, rng.random() * self.cumulative[-1], side="right"))] = None
        down = {link for part in chosen for link in self._links(*divmod(part, self.per_plane))}
        plane, link = np.array(sorted(down), np.int64).reshape(-1, 2).T
        return plane, link

    def _links(self, plane: int, part: int) -> list[tuple[int, int]]:
        if part >= self.fabric.n_switches:
            return [(plane, int(self.cables[part - self.fabric.n_switches]))]
        node = self.fabric.nodes[self.fabric.n_hosts + part]
        first = int(node["first_port"])
        return [(plane, int(link)) for link in self.fabric.ports["link"][first : first + int(node["n_ports"])]]


def worst_links(cuts: CutModel, failures: int, pattern: str, damage: Damage | None = None) -> WorstLinks:
    """Return the cables whose loss leaves the least bandwidth, up to `failures` of them, of all or what works.

    Exact for the bound and quick: the best attack on a border is on its fastest links, so the least over
    all borders of what their fastest links leave is the least over all choices.
    """
    bound = PatternBound(cuts, pattern, damage)
    least, attacked = np.inf, np.zeros((2, 0), np.int64)
    for border, crossing, sent in bound.borders:
        at, plane, link = _attack(cuts.fabric, bound.link_gbps, border, failures)
        lost = np.bincount(at, bound.link_gbps[plane, link], minlength=len(border))
        used = (sent > 0) & (crossing > 0)
        left = np.where(used, (crossing - lost) / np.where(used, sent, 1.0), np.inf) / cuts.unit_gbps
        if left.min() < least:
            least, mine = float(left.min()), at == left.argmin()
            attacked = np.stack([plane[mine], link[mine]])
    names = tuple(link_name(cuts.fabric, p, n) for p, n in attacked.T.tolist())
    return WorstLinks(names, pattern, least / bound.whole if bound.whole and least < np.inf else 0.0)


def _attack(fabric: Fabric, gbps: Floats, border: Border, failures: int) -> tuple[Ints, Ints, Ints]:
    """Return the fastest `failures` cables out of each set of a border, as sets, planes and links."""
    cables = np.flatnonzero(outside_links(fabric))
    link = np.tile(np.concatenate([cables, cables]), fabric.planes)
    at = np.tile(np.concatenate([border.at_a[cables], border.at_b[cables]]), fabric.planes)
    plane = np.repeat(np.arange(fabric.planes), 2 * len(cables))
    useful = (at >= 0) & (gbps[plane, link] > 0)
    link, at, plane = link[useful], at[useful], plane[useful]
    order = np.lexsort((plane, link, -gbps[plane, link], at))
    counts = np.bincount(at)
    rank = np.arange(len(at)) - np.repeat(np.cumsum(counts) - counts, counts)
    first = order[rank < failures]
    return at[first], plane[first], link[first]
