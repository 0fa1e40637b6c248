"""Certificates of rack assignments: the fabric, the hall, where everything stands, and what proves the bound.

The check lays everything out again, measures and prices the cables, and evaluates the counting bound at the
stored prices. No program is solved; what only the integer program proved is said to rest on it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from solvers.racks import CLOSE, RackResult
from solvers.racks_bound import RackBound, RackPrices
from solvers.racks_pack import first_fit, impossible
from solvers.racks_problem import Place, RackLimits, RackProblem, cables_usd, rack_problem
from topologies.catalogue.catalogue import Catalogue
from topologies.document import from_document, to_document
from topologies.racks import RackModel, lay_out, rack_positions
from uet.base.errors import BadInput
from uet.base.spec import check

MODEL = "racks"
Claim = tuple[str, str, bool]
"""What is claimed, how it was checked, and whether it holds."""


def rack_certificate(result: RackResult) -> dict[str, Any]:
    """Return all that `verify_racks` needs, as plain data."""
    problem, place = result.problem, result.place
    return {
        "model": MODEL, "fabric": to_document(problem.fabric), "catalogue": problem.catalogue.model_dump(mode="json"),
        "hall": problem.model.model_dump(mode="json"), "limits": asdict(problem.limits), "racks": problem.racks,
        "status": result.outcome.status, "cost_usd": result.outcome.objective, "bound_usd": result.outcome.bound,
        "prices": None if result.prices is None else result.prices.as_dict(), "by_program": result.by_program,
        "conflicts": [c.requirement for c in result.conflicts],
        "place": None if place is None else {"rack": place.rack.tolist(), "unit": place.unit.tolist()},
    }  # fmt: skip


def read_rack_certificate(folder: str | Path) -> dict[str, Any] | None:
    """Return the certificate in a folder if it is one of rack assignments."""
    try:
        document = json.loads((Path(folder) / "certificate.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return document if isinstance(document, dict) and document.get("model") == MODEL else None


def verify_racks(certificate: Mapping[str, Any]) -> list[Claim]:
    """Return each claim of a certificate and whether it holds. Raises BadInput for another document."""
    try:
        problem = _problem(certificate)
        status, cost, bound = (certificate[key] for key in ("status", "cost_usd", "bound_usd"))
        by_program = bool(certificate["by_program"])
        prices = None if certificate["prices"] is None else RackPrices.of(certificate["prices"])
        stands = certificate["place"]
        place = None if stands is None else Place(np.array(stands["rack"], np.int64), np.array(stands["unit"], float))
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(f"certificate: is not one of rack assignments ({error!r}); assign them again") from None
    if place is None or prices is None:
        return [_nothing(problem, status)]
    if len(place.rack) != problem.items or len(place.unit) != problem.items:
        return [("everything has a place", "counted", False)]
    return [*_place(problem, place, cost), *_bounded(problem, prices, cost, bound, status, by_program)]


def _problem(certificate: Mapping[str, Any]) -> RackProblem:
    fabric = from_document(certificate["fabric"], "certificate")
    catalogue = check(Catalogue, certificate["catalogue"], "certificate")
    model = check(RackModel, certificate["hall"], "certificate")
    racks = int(certificate["racks"])
    usual = lay_out(fabric, model, racks)
    limits = RackLimits(**certificate["limits"])
    return rack_problem(fabric, catalogue, usual, limits, rack_positions(model, racks))


def _place(problem: RackProblem, place: Place, cost: float) -> list[Claim]:
    """Check that everything fits and that the cables reach and cost what is said."""
    wrong = problem.problems(place)
    allowed = problem.limits.racks
    claims = [
        ("everything has its own place, within what racks hold and feed", "; ".join(wrong) or "added up", not wrong),
        (f"the hall has {problem.racks} racks", "compared with the limit", allowed in (None, problem.racks)),
    ]
    if wrong:
        return claims
    cabling = problem.cabling(problem.layout(place))
    reaches = cabling is not None and cabling.too_short == 0
    claims.append(("every cable reaches", "measured again", reaches))
    if cabling is not None:
        usd = cables_usd(cabling)
        claims.append((f"the cables cost {cost:,.0f} USD", "priced again", abs(usd - cost) <= CLOSE * max(1.0, cost)))
    return claims


def _bounded(
    problem: RackProblem, prices: RackPrices, cost: float, bound: float, status: str, by_program: bool
) -> list[Claim]:
    """Check the bound at the stored prices, and that the status follows from it."""
    counted = RackBound(problem)
    usable = counted.fits(prices)
    proven = counted.usd(prices) if usable else 0.0
    close = proven + CLOSE * max(1.0, proven)
    claims = [(f"no assignment costs less than {bound:,.0f} USD", "counted again", bound <= close)]
    if by_program and bound > close:
        claims = [
            (f"no assignment costs less than {proven:,.0f} USD", "counted again", usable),
            (f"none costs less than {bound:,.0f} USD", "rests on the integer program, not checked", bound <= cost),
        ]
    if status == "optimal":
        claims.append(("the cost is the bound", "compared", cost <= bound + CLOSE * max(1.0, cost)))
    return claims


def _nothing(problem: RackProblem, status: str) -> Claim:
    if status != "infeasible":
        return "nothing is claimed", "no assignment was found", True
    if impossible(problem):
        return "nothing fits", "added up", True
    packed = first_fit(problem)
    if packed is not None and problem.cabling(problem.layout(packed)) is not None:
        return "nothing fits", "packed again", False
    return "nothing fits", "rests on the integer program, not checked", True
