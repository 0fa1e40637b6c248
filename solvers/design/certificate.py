"""Certificates of designs: what was claimed, in files, and the check of it without the optimizer.

certificate.json holds specification, prices, the winner with its cost and bounds, and the better candidates
with the requirement each fails; proofs.npz, beside it, lengths of arcs and routings behind bounds that no
closed form gives. The check lists the candidates again, looks for every better one and evaluates its
bound: a closed form, distances under the stored lengths, a bill. No program is solved; where a claim rests on
a search whose steps were not stored, the search is run again and the check says so.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from math import inf
from pathlib import Path
from typing import Any

import numpy as np

from solvers.bound import Bound, Proof
from solvers.clos import size_clos
from solvers.concurrent import ConcurrentFlow
from solvers.demand import alltoall
from solvers.design.candidate import Candidate, candidates
from solvers.design.design import Answer
from solvers.design.facts import bill_of, reason
from solvers.design.forms.families import SIZED
from solvers.design.parts import Shelf
from solvers.design.requirements import Requirement, requirements
from solvers.design.sized import of_radix, tree_demand
from solvers.design.spec import DesignSpec
from solvers.design.study import Study
from solvers.design.wiring import holds, options
from solvers.freeform import FEW_SWITCHES
from solvers.freeform_bound import HopProof
from solvers.network import network_of
from solvers.symmetry import find
from topologies.catalogue.catalogue import Catalogue
from uet.base.errors import BadInput
from uet.base.runs import to_json
from uet.base.spec import check

SCHEMA = "uet.certificate/1"
SAME = 1e-6
"""Relative difference allowed between a stored value and its check."""


@dataclass(frozen=True)
class Check:
    """One claim, how it was checked, and whether it holds."""

    claim: str
    how: str
    holds: bool

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain data."""
        return asdict(self)


def write_certificate(path: Path, answer: Answer) -> None:
    """Write certificate.json at `path` and proofs.npz beside it."""
    study, winner = answer.study, answer.winner
    kept = [c for c in ([winner] if winner else []) + answer.better if c.proof is not None]
    arrays = {f"{k}.{name}": a for k, c in enumerate(kept) for name, a in _arrays(c.proof).items()}
    document = {
        "schema": SCHEMA, "status": answer.outcome.status, "seed": study.seed,
        "specification": study.spec.model_dump(mode="json"),
        "catalogue": study.shelf.prices.model_dump(mode="json"),
        "candidates": dict(answer.counts),
        "searched": [*answer.sizing.specs, *answer.wiring.specs],
        "graphs": {
            "open_bound": answer.wiring.open_bound,
            "by_program": sorted({o.switches for o in answer.wiring.options if o.switches <= FEW_SWITCHES}),
            "options": [
                {"least": o.least, "bound": o.bound if o.bound < inf else None, "proof": o.proof and o.proof.as_dict()}
                for o in answer.wiring.options
            ],
        },
        "winner": None if winner is None else _claims(answer, winner),
        "better": [[c.spec, c.cost_usd, reason(answer, c)] for c in answer.better],
        "conflict": [c.requirement for c in answer.conflicts],
        "proofs": [c.spec for c in kept],
    }  # fmt: skip
    path.write_text(to_json(document) + "\n", encoding="utf-8")
    np.savez_compressed(path.with_name("proofs.npz"), **arrays)


def _arrays(proof: Proof | None) -> dict[str, Any]:
    return {} if proof is None else {name: a for name, a in proof.__dict__.items() if a is not None}


def _claims(answer: Answer, winner: Candidate) -> dict[str, Any]:
    return {
        "spec": winner.spec, "cost_usd": sum(row["total_usd"] for row in bill_of(winner)),
        "bounds": {name: [b.lower, b.upper if b.upper < inf else None] for name, b in winner.bounds.items()},
        "mix": [list(row) for row in winner.mix.counts],
    }  # fmt: skip


def read_certificate(folder: str | Path) -> tuple[dict[str, Any], dict[str, Proof]]:
    """Return the certificate of a folder and its proofs by spec. Raises BadInput for what is no certificate."""
    path = Path(folder) / "certificate.json"
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        with np.load(path.with_name("proofs.npz")) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError) as error:
        raise BadInput(
            f"{folder}: holds no readable certificate ({error}); name the folder of 'uet design --out'"
        ) from None
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise BadInput(f"{path}: is no certificate of schema {SCHEMA}; name the folder of 'uet design --out'")
    proofs = {}
    for k, spec in enumerate(document["proofs"]):
        mine = {name.split(".", 1)[1]: a for name, a in arrays.items() if name.startswith(f"{k}.")}
        proofs[spec] = Proof(**mine)
    return document, proofs


def verify(folder: str | Path, say: Callable[[str], None] | None = None) -> list[Check]:
    """Check the certificate in a folder; every claim is one Check."""
    document, proofs = read_certificate(folder)
    return _Checker(document, proofs, say).run()


class _Checker:
    """Lists the candidates afresh and looks at each claim."""

    def __init__(self, document: dict[str, Any], proofs: dict[str, Proof], say: Callable[[str], None] | None) -> None:
        spec = check(DesignSpec, document["specification"], "certificate")
        prices = check(Catalogue, document["catalogue"], "certificate")
        self.document, self.proofs, self.say = document, proofs, say
        self.study = Study(spec, Shelf(prices, spec.rule, spec.rack), document["seed"])
        self.pool, self.counts = candidates(spec, self.study.shelf, document["searched"])
        self.wanted = requirements(self.study)

    def run(self) -> list[Check]:
        """Return all checks."""
        claimed = dict(self.document["candidates"])
        checks = [Check("the candidates are all there", "listed again", claimed == self.counts)]
        winner = self.document["winner"]
        if winner is None:
            return [*checks, *self._nothing_fits()]
        mine = next((c for c in self.pool if c.spec == winner["spec"]), None)
        if mine is None:
            return [*checks, Check("the design is a candidate", "listed again", False)]
        checks += [self._cost(mine, winner), *self._meets(mine)]
        checks += [*self._no_better_tree(mine), *self._no_better_graph(mine, winner)]
        return [*checks, *self._excluded(mine, winner)]

    def _no_better_tree(self, mine: Candidate) -> list[Check]:
        """Count all trees again where the certificate says that none is cheaper than those it names."""
        spec, shelf = self.study.spec, self.study.shelf
        demand = tree_demand(spec, shelf)
        if demand is None or (shelf.rule, spec.objective, self.document["status"]) != (
            "published",
            "cheapest",
            "optimal",
        ):
            return []
        least = min([mine.cost_usd, *(c.cost_usd for c in self.pool if c.family is SIZED)])
        cheaper = replace(demand, budget_usd=least * (1 - SAME))
        holds = size_clos(cheaper, of_radix(shelf.prices, spec.radix), explain=False).outcome.status == "infeasible"
        return [Check(f"no tree that is asked for costs less than {least:,.0f} USD", "all trees counted again", holds)]

    def _no_better_graph(self, mine: Candidate, winner: dict[str, Any]) -> list[Check]:
        """Evaluate the bounds on free-form fabrics; those of few switches are left to the integer program."""
        spec, told = self.study.spec, self.document["graphs"]
        cheapest = spec.objective == "cheapest"
        value = mine.cost_usd if cheapest else winner["bounds"][spec.maximise][0]
        left = value if told["open_bound"] is None else told["open_bound"]
        claimed = min(left, value) if cheapest else max(left, value)
        plain = list(options(spec, self.study.shelf))
        if len(plain) != len(told["options"]):
            return [Check("all numbers of switches have a bound", "listed again", False)]
        wrong = 0
        for option, given in zip(plain, told["options"], strict=True):
            bound = inf if given["bound"] is None else given["bound"]
            proof = given["proof"] and HopProof(
                **{**given["proof"], "port_price": np.array(given["proof"]["port_price"])}
            )
            full = replace(option, bound=bound, least=given["least"], proof=proof)
            enough = bound >= claimed * (1 - SAME) if cheapest else bound <= claimed * (1 + SAME)
            wrong += not ((enough or option.switches in told["by_program"]) and holds(full, cheapest, spec.most))
        how = "stored prices of ports and cables"
        what = f"no free-form fabric {'costs less' if cheapest else 'carries more'} than {claimed:,.6g}"
        return [Check(what, how, not wrong)] if plain else []

    def _cost(self, mine: Candidate, winner: dict[str, Any]) -> Check:
        if not self.study.cost_is_exact(mine):
            self.study.lay_out(mine)
        self.study.choose_parts(mine)
        cost = sum(row["total_usd"] for row in bill_of(mine))
        holds = abs(cost - winner["cost_usd"]) <= SAME * max(1.0, winner["cost_usd"])
        return Check(f"{mine.spec} costs {winner['cost_usd']:,.0f} USD", "priced again", holds)

    def _meets(self, mine: Candidate) -> list[Check]:
        return [Check(f"the design meets {r.name}", *self._verdict(mine, r, True)) for r in self.wanted]

    def _excluded(self, mine: Candidate, winner: dict[str, Any]) -> list[Check]:
        """Check that every better candidate fails a requirement, but for those that the certificate leaves open."""
        cheapest = self.study.spec.objective == "cheapest"
        pattern = self.study.spec.maximise
        value = mine.cost_usd if cheapest else winner["bounds"][pattern][0]
        open_ = {spec for spec, _, why in self.document["better"] if why == "undecided"}
        left = [c for c in self.pool if c is not mine and c.spec not in open_]
        if cheapest:
            left = [c for c in left if c.cost_usd < value * (1 - SAME)]
        else:
            left = [c for c in left if c.bounds[pattern].upper > value * (1 + SAME)]
        by: dict[str, int] = {}
        wrong = []
        for candidate in left:
            how = self._why_not(candidate, value, cheapest)
            if how is None:
                wrong.append(candidate.spec)
            else:
                by[how] = by.get(how, 0) + 1
        found = [Check(f"{n:,} better candidates fail a requirement", how, True) for how, n in sorted(by.items())]
        found += [Check(f"{spec} fails a requirement", "nothing excludes it", False) for spec in wrong]
        if self.document["status"] == "optimal":
            found.append(Check("no candidate is left open", "listed again", not open_))
        return found

    def _why_not(self, candidate: Candidate, value: float, cheapest: bool) -> str | None:
        """Return how a candidate is excluded; None if it is not."""
        if any(r.verdict(candidate) is False for r in self.wanted):
            return "closed form"
        self._closer_forms(candidate)
        if any(r.verdict(candidate) is False for r in self.wanted):
            return "closed form"
        if self.say:
            self.say(candidate.spec)
        for r in self.wanted:
            how, holds = self._verdict(candidate, r, False)
            if holds:
                return how
        if not cheapest:
            return self._no_better(candidate, value)
        if not self.study.cost_is_exact(candidate):
            self.study.lay_out(candidate)
            if candidate.cost_usd >= value * (1 - SAME):
                return "laid out and priced"
        return None

    def _no_better(self, candidate: Candidate, value: float) -> str | None:
        """Return how it is known that a candidate has no more of what is maximised; None if it is not."""
        pattern = self.study.spec.maximise
        self._check_proof(candidate)
        if candidate.bounds[pattern].upper <= value * (1 + SAME):
            return "stored lengths"
        while candidate.bounds[pattern].upper > value * (1 + SAME):
            if not self.study.bandwidth(candidate, pattern):
                return None
        return "searched again"

    def _verdict(self, candidate: Candidate, requirement: Requirement, wanted: bool) -> tuple[str, bool]:
        """Return how it was found that a requirement holds (or, if not `wanted`, fails), and whether it does."""
        if requirement.verdict(candidate) is wanted:
            return "closed form", True
        self._closer_forms(candidate)
        if requirement.verdict(candidate) is wanted:
            return "closed form", True
        self._check_proof(candidate)
        if requirement.verdict(candidate) is wanted:
            return "even spread, stored lengths and routings", True
        while requirement.verdict(candidate) is None and requirement.closer(candidate):
            pass
        return "searched again", requirement.verdict(candidate) is wanted

    def _closer_forms(self, candidate: Candidate) -> None:
        if "forms" not in candidate.done:
            self.study.bandwidth(candidate, "alltoall")

    def _check_proof(self, candidate: Candidate) -> None:
        """Evaluate even spreading over shortest paths, and what is stored of a candidate, once."""
        if "proof" in candidate.done:
            return
        candidate.done.add("proof")
        network = network_of(self.study.fabric(candidate))
        demand = alltoall(network)
        if len(demand.sources) == 0:
            return
        problem = ConcurrentFlow(network, demand, find(network, demand, self.study.seed))
        access = network.access_fraction()
        load, hops = problem.spread()
        upper = min(float(problem.capacity.sum()) / hops, problem.node_cut())
        bound = Bound(problem.lower(load), max(upper, problem.lower(load)), "spread evenly over shortest paths")
        proof = self.proofs.get(candidate.spec)
        if proof is not None and len(proof.lengths) == problem.n_classes:
            lower = max(bound.lower, routed(problem, proof))
            bound = Bound(lower, max(lower, min(bound.upper, problem.upper(proof.lengths))), "stored proof")
        candidate.narrow("alltoall", bound.capped(access))

    def _nothing_fits(self) -> list[Check]:
        """Check that every candidate fails a requirement of the conflict."""
        named = set(self.document["conflict"])
        self.wanted = [r for r in self.wanted if r.name in named]
        wrong = [c.spec for c in self.pool if self._why_not(c, -inf, True) is None]
        found = [Check(f"{spec} fails a requirement", "nothing excludes it", False) for spec in wrong]
        return found or [
            Check(f"all {len(self.pool):,} candidates fail one of {', '.join(sorted(named))}", "bounds", True)
        ]


def routed(problem: ConcurrentFlow, proof: Proof) -> float:
    """Return the theta that the stored routings carry; 0 if there are none for this problem."""
    weights = proof.weights
    if proof.routings is None or weights is None or weights.shape[1:] != (len(problem.sources),):
        return 0.0
    weights = np.maximum(weights, 0.0)
    load = np.zeros(problem.n_classes)
    for lengths, shares in zip(proof.routings, weights, strict=True):
        load += shares @ problem.trees(lengths)[0]
    theta = float(weights.sum(axis=0).min())
    return theta / max(1.0, float((load / problem.capacity).max()))
