"""Which families can be members of a design, and where their closed forms are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from solvers.design.forms import clos, dragonfly, hammingmesh, hyperx, rail, rail_only, routers, torus, trees
from solvers.design.forms.base import Forms, Wish
from topologies.fabric import Order
from topologies.registry import family_module


@dataclass(frozen=True)
class Family:
    """Functions of a family: members for a wish, quick bounds of a member, and the closest that closed forms give.

    `first_stage` says what so many accelerators need today of a fabric that grows to the member without moving
    a cable; None where it cannot.
    """

    name: str
    members: Callable[[Wish], Iterator[Any]]
    forms: Callable[[Any], Forms]
    proven: Callable[[Any], Forms]
    first_stage: Callable[[Any, int], Order] | None = None

    def order(self, parameters: Any) -> Order:
        """Return what a member orders over all planes."""
        bought: Order = family_module(self.name).order(parameters)
        return bought


_ALL = (
    Family("fat-tree", trees.members, trees.forms, trees.proven, trees.first_stage),
    Family("rail", rail.members, rail.forms, rail.proven),
    Family("rail-only", rail_only.members, rail_only.forms, rail_only.forms),
    Family("hammingmesh", hammingmesh.members, hammingmesh.forms, hammingmesh.forms, hammingmesh.first_stage),
    Family("torus", torus.members, torus.forms, torus.forms),
    Family("hyperx", hyperx.members, hyperx.forms, hyperx.forms),
    Family("full-mesh", hyperx.mesh_members, hyperx.mesh_forms, hyperx.mesh_forms),
    Family("dragonfly", dragonfly.members, dragonfly.forms, dragonfly.forms),
    Family("dragonfly-plus", dragonfly.plus_members, dragonfly.plus_forms, dragonfly.plus_forms),
    Family("slimfly", routers.slimfly_members, routers.slimfly_forms, routers.slimfly_forms),
    Family("polarfly", routers.polarfly_members, routers.polarfly_forms, routers.polarfly_forms),
    Family("jellyfish", routers.jellyfish_members, routers.random_forms, routers.random_forms),
    Family("xpander", routers.xpander_members, routers.random_forms, routers.random_forms),
)

FAMILIES: Mapping[str, Family] = {family.name: family for family in _ALL}
"""Families with closed forms whose members are listed, by name."""

SIZED = Family("clos", lambda wish: iter(()), clos.forms, clos.proven)
"""Trees whose counts, parts and rates are all free: too many to list, so the best are computed (`design.sized`)."""

WIRED = Family("free-form", lambda wish: iter(()), routers.free_forms, routers.free_forms)
"""Switches joined in any way, found by a search that takes its time (`design.wiring`), so only where it is named."""

USUAL = (*FAMILIES, SIZED.name)
NAMES = (*USUAL, WIRED.name)
"""All that a specification may name; the usual ones are allowed where it names none."""
