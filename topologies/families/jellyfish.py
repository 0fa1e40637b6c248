"""`jellyfish`: switches joined as a random regular graph.

switches * hosts_per_switch hosts, switches * degree / 2 links between switches. The graph is drawn by
pairing ports at random and swapping the ends of loops, doubled links and, if it fell apart, of links in
different components, until it is simple and connected. Source: Singla et al., Jellyfish, NSDI 2012;
Bollobas 1980 for the pairing model.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from topologies.fabric import Fabric, Order
from topologies.families.base import RouterModel
from topologies.families.routers import router_fabric, router_order

Ints = NDArray[np.int64]


class Parameters(RouterModel):
    """Keys of `jellyfish`."""

    switches: int = Field(ge=1, description="switches")
    degree: int = Field(ge=2, description="links of a switch to switches")
    hosts_per_switch: int = Field(ge=1, description="hosts of a switch")
    seed: int = Field(1, ge=0, description="seed of the random wiring")

    @model_validator(mode="after")
    def _rules(self) -> Parameters:
        if self.degree >= self.switches:
            raise ValueError(
                f"degree={self.degree} needs more than {self.degree} switches, not {self.switches}; "
                f"nearest: switches={self.degree + 1} or degree={self.switches - 1}"
            )
        if self.degree * self.switches % 2:
            raise ValueError(
                f"switches * degree must be even, not {self.switches} * {self.degree}; nearest: "
                f"switches={self.switches - 1} or {self.switches + 1}, degree={self.degree - 1} or {self.degree + 1}"
            )
        self.ports(self.degree + self.hosts_per_switch)
        return self


def random_regular(n: int, degree: int, seed: int) -> tuple[Ints, Ints]:
    """Return the ends of the links of a connected simple graph with n nodes of the same degree."""
    rng = np.random.default_rng(seed)
    if degree > (n - 1) // 2 and degree < n - 1:
        links = _complement(n, _pairing(n, n - 1 - degree, rng))  # a sparse graph is much quicker to draw
    elif degree == n - 1:
        links = np.stack(np.triu_indices(n, 1), axis=1)
    else:
        links = _pairing(n, degree, rng)
    links = _connect(n, links, rng)
    links = np.sort(links, axis=1)
    a, b = links[np.lexsort((links[:, 1], links[:, 0]))].T
    return a, b


def _pairing(n: int, degree: int, rng: np.random.Generator) -> Ints:
    """Pair ports at random, then swap ends with random links until there is no loop and no double."""
    while True:  # in a tiny graph no swap may be left
        links = _drawn(n, degree, rng)
        if links is not None:
            return links


def _drawn(n: int, degree: int, rng: np.random.Generator) -> Ints | None:
    """Return one pairing without loops and doubles; None when 100 tries per link find no swap for one."""
    links = rng.permutation(np.repeat(np.arange(n), degree)).reshape(-1, 2)
    key = links.min(axis=1) * n + links.max(axis=1)
    _, first = np.unique(key, return_index=True)
    fine = np.zeros(len(links), bool)
    fine[first] = True
    fine &= links[:, 0] != links[:, 1]
    present = set(key[fine].tolist())
    for bad in np.flatnonzero(~fine).tolist():
        tries = 0
        while not fine[bad]:
            if tries == 100 * len(links):
                return None
            _try_swap(n, links, fine, present, bad, int(rng.integers(len(links))))
            tries += 1
    return links


def _try_swap(n: int, links: Ints, fine: NDArray[np.bool_], present: set[int], bad: int, other: int) -> None:
    """Exchange second ends of a bad and a fine link if both then are fine."""
    (a, b), (c, d) = links[bad].tolist(), links[other].tolist()
    if not fine[other] or a == d or c == b:
        return
    new = {min(a, d) * n + max(a, d), min(c, b) * n + max(c, b)}
    if len(new) == 2 and not new & present:
        present.discard(min(c, d) * n + max(c, d))
        present |= new
        links[bad], links[other] = (a, d), (c, b)
        fine[bad] = True


def _complement(n: int, links: Ints) -> Ints:
    missing = np.triu(np.ones((n, n), bool), 1)
    low = np.sort(links, axis=1)
    missing[low[:, 0], low[:, 1]] = False
    return np.stack(np.nonzero(missing), axis=1)


def _connect(n: int, links: Ints, rng: np.random.Generator) -> Ints:
    """Swap the ends of links in different components until there is one component."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    def components(of: Ints) -> tuple[int, Ints]:
        pairs = coo_array((np.ones(len(of)), (of[:, 0], of[:, 1])), shape=(n, n))
        count, label = connected_components(pairs, directed=False)
        return int(count), label

    count, label = components(links)
    while count > 1:
        where = label[links[:, 0]]
        one = rng.choice(np.flatnonzero(where == 0))
        two = rng.choice(np.flatnonzero(where != 0))
        swapped = links.copy()
        swapped[[one, two], 1] = links[[two, one], 1]
        fewer, its_label = components(swapped)
        if fewer < count:
            links, count, label = swapped, fewer, its_label
    return links


def order(p: Parameters) -> Order:
    """Return what is bought over all planes."""
    return router_order(p.switches, p.hosts_per_switch, p.switches * p.degree // 2, p.planes)


def build(p: Parameters) -> Fabric:
    """Return the Jellyfish."""
    return router_fabric(
        "jellyfish", p, p.hosts_per_switch, random_regular(p.switches, p.degree, p.seed),
        p.degree + p.hosts_per_switch, n_routers=p.switches,
    )  # fmt: skip
