"""What other prices would change: the design chosen again with one kind of part dearer or cheaper.

What is known of bandwidths stays known, so choosing again is quick.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from solvers.design.candidate import Candidate, candidates
from solvers.design.forms.families import SIZED
from solvers.design.parts import Shelf
from solvers.design.requirements import requirements
from solvers.design.select import Selector
from solvers.design.sized import sizing
from solvers.design.study import Study
from topologies.catalogue.catalogue import Catalogue

FACTORS = (0.5, 2.0)


@dataclass(frozen=True)
class Repricing:
    """With the prices of all parts of a kind times `factor`: the design chosen, and what either one costs then."""

    kind: str
    factor: float
    spec: str
    family: str
    cost_usd: float
    kept_usd: float
    changed: bool

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain data."""
        return dict(self.__dict__)


def sensitivity(selector: Selector, pool: Sequence[Candidate], winner: Candidate, most_steps: int) -> list[Repricing]:
    """Return the choice for every kind of part in the winner or another candidate, at half and at double its price.

    A choice that is not settled within `most_steps` looks is left out.
    """
    study = selector.study
    sample = (winner, *pool[:: max(1, len(pool) // 200)])
    kinds = dict.fromkeys(p.kind for c in sample for line in c.lines for p in line.options)
    lasting = [r for r in selector.requirements if r.name != "budget_usd"]  # no price makes up for these
    open_ = [winner, *(c for c in pool if all(r.verdict(c) is not False for r in lasting))]
    found = []
    for kind in kinds:
        for factor in FACTORS:
            prices = _repriced(study.shelf.prices, kind, factor)
            other = replace(study, shelf=Shelf(prices, study.shelf.rule, study.spec.rack))
            offers = _offers(open_, other, min(1.0, factor) if selector.cheapest_wins else 0.0)
            choice = replace(selector, study=other, requirements=requirements(other), say=None).run(
                list(offers.values()), most_steps=most_steps
            )
            if choice.outcome.interrupted:
                raise KeyboardInterrupt
            if choice.winner is None or choice.outcome.status != "optimal":
                continue
            kept = offers[winner.spec].cost_usd
            moved = choice.winner.spec != winner.spec and choice.winner.cost_usd < kept * (1 - 1e-9)
            best = choice.winner if moved else offers[winner.spec]
            found.append(Repricing(kind, factor, best.spec, best.kind, best.cost_usd, kept, moved))
    return found


def _offers(open_: Sequence[Candidate], study: Study, least: float) -> dict[str, Candidate]:
    """Return the candidates, the winner first, at the prices of a study, and the trees that are best at these, by spec.

    Prices are at least `least` times those known: what stays dearer than the winner is left out.
    """
    winner = _at(open_[0], study.shelf)
    known = [_at(c, study.shelf) for c in open_[1:] if c.cost_usd * least <= winner.cost_usd]
    trees_only = tuple(name for name in study.spec.families if name == SIZED.name)
    spec = study.spec.model_copy(update={"families": trees_only})
    trees, _ = candidates(spec, study.shelf, sizing(spec, study.shelf).specs)
    return {c.spec: c for c in (*trees, winner, *known) if c.buyable}


def _at(candidate: Candidate, shelf: Shelf) -> Candidate:
    """Return the candidate at the prices of another shelf; what is known of it is shared."""
    other = copy.copy(candidate)
    other.buyable = other.price(shelf)
    return other


def _repriced(prices: Catalogue, kind: str, factor: float) -> Catalogue:
    parts = tuple(
        p.model_copy(update={"price_usd": p.price_usd * factor}) if p.kind == kind and p.price_usd is not None else p
        for p in prices.part
    )
    return prices.model_copy(update={"part": parts})
