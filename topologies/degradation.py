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
from topologies.failures import link_name

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
    """The bandwidth bound of a pattern on a fabric, whole or after the loss of links."""

    def __init__(self, cuts: CutModel, pattern: str) -> None:
        """Take stock of what crosses every border and of what the pattern sends across it."""
        self.cuts = cuts
        self.borders: list[tuple[Border, Floats, Floats]] = []  # with Gb/s [sets] and injections sent [sets]
        for border in (cuts.host, *cuts.borders):
            n, total = np.bincount(border.label).astype(np.float64), len(border.label)
            sent = np.ones(len(n)) if pattern == "allreduce" else n * (total - n) / max(total - 1, 1)
            self.borders.append((border, border.sums(cuts.gbps), sent))
        self.whole = self.after(np.zeros(0, np.int64))[0]

    def after(self, links: Ints) -> tuple[float, int]:
        """Return the bound in injections and the hosts cut off, after a loss of `links`, once for each plane's copy.

        Hosts that are cut off do not count in the bound.
        """
        gbps, least = self.cuts.fabric.links["gbps"][links], np.inf
        cut_off = np.zeros(self.cuts.fabric.n_hosts, bool)
        for border, crossing, sent in self.borders:
            left = crossing.copy()
            for at in (border.at_a[links], border.at_b[links]):
                np.subtract.at(left, at[at >= 0], gbps[at >= 0])
            dead = left <= 1e-9 * crossing
            least = float((left / sent).min(where=~dead, initial=least))
            if dead.any():
                cut_off |= dead[border.label]
        return (least / self.cuts.unit_gbps if least < np.inf else 0.0), int(cut_off.sum())


def degraded(cuts: CutModel, rates: Mapping[str, float], failures: int, trials: int, seed: int) -> list[Degraded]:
    """Return the bandwidth left in seeded trials with `failures` random network parts down.

    Parts fail in proportion to `rates`, the annual failure rates of switches and cable classes.
    """
    rng = np.random.default_rng([seed, failures])
    lose = _Lottery(cuts.fabric, rates)
    lost = [lose.draw(failures, rng) for _ in range(trials)]
    found = []
    for pattern in PATTERNS:
        bound = PatternBound(cuts, pattern)
        left, cut_off = zip(*(bound.after(links) for links in lost), strict=True)
        shares = np.sort(left) / bound.whole if bound.whole else np.zeros(trials)
        p50, p10, p1 = (float(shares[min(trials - 1, int(q * trials))]) for q in (0.5, 0.1, 0.01))
        mean, worst = float(shares.mean()), float(shares[0])
        found.append(Degraded(failures, pattern, mean, p50, p10, p1, worst, float(np.mean(cut_off)), max(cut_off)))
    return found


class _Lottery:
    """Draws distinct switches and cables of all planes, each in proportion to its failure rate."""

    def __init__(self, fabric: Fabric, rates: Mapping[str, float]) -> None:
        self.fabric = fabric
        self.cables = np.flatnonzero(outside_links(fabric))
        rate = np.array([rates.get(kind, 0.0) for kind in LINK_CLASSES])[fabric.links["kind"][self.cables]]
        switch = np.full(fabric.n_switches, rates.get("switch", 0.0))
        self.cumulative = np.cumsum(np.concatenate([switch, rate]))
        self.parts = int((np.concatenate([switch, rate]) > 0).sum()) * fabric.planes

    def draw(self, n: int, rng: np.random.Generator) -> Ints:
        """Return the links that `n` parts take down, once for each plane's copy."""
        chosen: dict[tuple[int, int], None] = {}
        while len(chosen) < min(n, self.parts):
            part = int(np.searchsorted(self.cumulative, rng.random() * self.cumulative[-1], side="right"))
            chosen[int(rng.integers(self.fabric.planes)), part] = None
        down: set[tuple[int, int]] = set()
        for plane, part in chosen:
            down.update((plane, link) for link in self._links(part))
        return np.array(sorted(link for _, link in down), np.int64)

    def _links(self, part: int) -> list[int]:
        if part >= self.fabric.n_switches:
            return [int(self.cables[part - self.fabric.n_switches])]
        node = self.fabric.nodes[self.fabric.n_hosts + part]
        first = int(node["first_port"])
        links: list[int] = self.fabric.ports["link"][first : first + int(node["n_ports"])].tolist()
        return links


def worst_links(cuts: CutModel, failures: int, pattern: str) -> WorstLinks:
    """Return the cables whose loss leaves the least bandwidth, up to `failures` of them.

    Exact for the bound and quick: the best attack on a border is on its fastest links, so the least over
    all borders of what their fastest links leave is the least over all choices.
    """
    fabric, bound = cuts.fabric, PatternBound(cuts, pattern)
    least, attacked = np.inf, np.zeros(0, np.int64)
    for border, crossing, sent in bound.borders:
        link, at = _attackable(fabric, border)
        copies = _copies(at, fabric.planes, failures)
        lost = np.bincount(at, fabric.links["gbps"][link] * copies, minlength=len(border))
        left = (crossing - lost) / sent / cuts.unit_gbps
        if left.min() < least:
            least, mine = float(left.min()), at == left.argmin()
            attacked = np.repeat(link[mine], copies[mine])
    plane = np.arange(len(attacked)) % fabric.planes
    names = tuple(link_name(fabric, p, n) for p, n in zip(plane.tolist(), attacked.tolist(), strict=True))
    return WorstLinks(names, pattern, least / bound.whole if bound.whole else 0.0)


def _attackable(fabric: Fabric, border: Border) -> tuple[Ints, Ints]:
    """Return the cables that leave sets of a border, and those sets, by set and then the fastest first."""
    cables = np.flatnonzero(outside_links(fabric))
    link = np.concatenate([cables, cables])
    at = np.concatenate([border.at_a[cables], border.at_b[cables]])
    link, at = link[at >= 0], at[at >= 0]
    order = np.lexsort((-fabric.links["gbps"][link], at))
    return link[order], at[order]


def _copies(at: Ints, planes: int, failures: int) -> Ints:
    """Return how many of the planes' copies of each cable the best attack on its set takes, fastest first."""
    counts = np.bincount(at)
    rank = np.arange(len(at)) - np.repeat(np.cumsum(counts) - counts, counts)
    copies: Ints = np.clip(failures - rank * planes, 0, planes)
    return copies
