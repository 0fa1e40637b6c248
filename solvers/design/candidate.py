"""`Candidate`: one fabric that could be bought, and what is known of it so far.

Everything known is an interval that certainly holds the truth; looking closer (`solvers.design.study`) only
narrows it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from math import inf
from typing import TYPE_CHECKING, Any

from solvers.bound import Bound, Proof
from solvers.design.forms.base import Forms, Lane, Wish
from solvers.design.forms.families import FAMILIES, SIZED, WIRED, Family
from solvers.design.parts import Lengths, Line, Mix, Shelf, cheapest, least_power_w
from topologies.families.base import ceil_div, spec_text
from topologies.registry import family_model
from uet.base.spec import check, parse_spec

if TYPE_CHECKING:
    from solvers.design.spec import DesignSpec
    from topologies.fabric import Order

Interval = tuple[float, float]
NOT_LOOKED_AT = "not looked at"
SEARCHED = {family.name: family for family in (SIZED, WIRED)}
TREES = ("fat-tree", SIZED.name)
"""Families whose members differ in their counts only, listed or sized."""


class Candidate:
    """A member of a family with its lines; bandwidths in injections, alltoall capped at 1."""

    def __init__(self, family: Family, parameters: Any, forms: Forms, order: Order, shelf: Shelf) -> None:
        """Start with quick bounds; `order` is what is bought of it now."""
        self.family, self.parameters, self.forms, self.order = family, parameters, forms, order
        self.bounds: dict[str, Bound] = {
            "alltoall": forms.alltoall.capped(1.0), "allreduce": forms.allreduce, "bisection": forms.bisection,
            "traffic": Bound(0.0, inf, NOT_LOOKED_AT),
        }  # fmt: skip
        self.extra: dict[str, Interval] = {"reach_m": (0.0, inf)}
        self.done: set[str] = set()
        self.lengths: Lengths | None = None
        self.proof: Proof | None = None  # of the alltoall bandwidth
        self.lines: list[Line] = []
        self.mix = Mix((), 0.0, 0.0)
        self.buyable = self.price(shelf)

    def price(self, shelf: Shelf) -> bool:
        """Find the lines and their cheapest mix with the parts of a shelf; False if a part is missing."""
        lane = Lane(self.parameters.gbps, getattr(self.parameters, "radix", 0) or 0)
        lines = shelf.lines(self.order, self.forms, lane, self.parameters.planes, self.lengths)
        self.lines = lines or []
        self.__dict__.pop("least_power_w", None)
        self.mix = cheapest(self.lines)
        return lines is not None

    @cached_property
    def spec(self) -> str:
        """The specification that builds it."""
        return spec_text(self.family.name, self.parameters)

    @cached_property
    def kind(self) -> str:
        """Family, and levels where they differ: what counts as another kind of answer."""
        levels = getattr(self.parameters, "levels", None)
        name = "tree" if self.family.name in TREES else self.family.name
        return f"{name}, {levels} level{'s' if levels > 1 else ''}" if levels else name

    @property
    def hosts(self) -> int:
        """Accelerators."""
        return self.forms.hosts

    @property
    def injection_gbps(self) -> float:
        """Injection of an accelerator over all planes."""
        return self.forms.injection_gbps

    @property
    def cost_usd(self) -> float:
        """What it costs at least; exactly once it is laid out, or where no lengths matter."""
        return self.mix.cost_usd

    @cached_property
    def least_power_w(self) -> float:
        """The power of the thriftiest mix of its parts."""
        return least_power_w(self.lines)

    def narrow(self, name: str, found: Bound) -> None:
        """Take note of closer bounds on a bandwidth."""
        known = self.bounds[name]
        found = found.capped(1.0) if name in ("alltoall", "bisection") else found
        lower, upper = max(known.lower, found.lower), min(known.upper, found.upper)
        if (lower, upper) != (known.lower, known.upper):
            self.bounds[name] = Bound(lower, max(lower, upper), found.method)
        if found.proof is not None and name == "alltoall":
            self.proof = found.proof

    def gbps(self, name: str) -> Interval:
        """Return the interval of a bandwidth in Gb/s per accelerator."""
        known = self.bounds[name]
        return known.lower * self.injection_gbps, known.upper * self.injection_gbps


def candidates(spec: DesignSpec, shelf: Shelf, found_by: Sequence[str] = ()) -> tuple[list[Candidate], dict[str, int]]:
    """Return all candidates of a specification, cheapest first, and how many each family has.

    `found_by` are the specs of those that searches found (`solvers.design.sized`, `solvers.design.wiring`).
    """
    growth = spec.growth.accelerators if spec.growth else None
    wish = Wish(
        growth or spec.accelerators, spec.injection_gbps, tuple(shelf.lanes(spec.radix)), spec.island, spec.board,
        spec.excess,
    )  # fmt: skip
    found: list[Candidate] = []
    counts = dict.fromkeys(spec.families, 0)
    for name in spec.families:
        if name in SEARCHED:
            mine = [c for c in _named(found_by, shelf) if c.family.name == name]
        else:
            mine = list(_of_family(FAMILIES[name], wish, shelf, spec.accelerators if growth else None))
        for candidate in mine if spec.traffic else ():
            candidate.bounds["traffic"] = Bound(0.0, spec.most_traffic, NOT_LOOKED_AT)
        counts[name] = len(mine)
        found += mine
    return sorted(found, key=lambda c: (c.cost_usd, c.spec)), counts


def _of_family(family: Family, wish: Wish, shelf: Shelf, first: int | None) -> Iterator[Candidate]:
    """Yield a family's candidates; `first` accelerators are bought now, if it is to grow."""
    if first is not None and family.first_stage is None:
        return
    for parameters in family.members(wish):
        forms = family.forms(parameters)
        stage = family.first_stage if first is not None else None
        order = stage(parameters, first or 0) if stage else family.order(parameters)
        candidate = Candidate(family, parameters, forms, order, shelf)
        if candidate.buyable:
            candidate.extra["racks"] = _racks(shelf, first or forms.hosts, order.switches)
            yield candidate


def _named(specs: Sequence[str], shelf: Shelf) -> list[Candidate]:
    """Return what searches found, by its specs; what has parts that are not on the shelf is left out."""
    found = []
    for spec in specs:
        name, _, _ = spec.partition(":")
        family = SEARCHED[name]
        parameters = check(family_model(name), parse_spec(spec).arguments, name)
        candidate = Candidate(family, parameters, family.forms(parameters), family.order(parameters), shelf)
        if candidate.buyable:
            candidate.extra["racks"] = _racks(shelf, candidate.hosts, candidate.order.switches)
            found.append(candidate)
    return found


def _racks(shelf: Shelf, hosts: int, switches: int) -> Interval:
    """Return an interval of the number of racks: hosts fill racks, boxes what is left of them and racks beside."""
    m = shelf.racks
    slots = m.rack_units // m.switch_units
    for_hosts = ceil_div(hosts, m.accelerators_per_rack)
    room = for_hosts * slots
    return float(for_hosts + (ceil_div(max(0, switches - room), slots) if slots else 0)), inf
