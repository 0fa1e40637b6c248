"""Every input of a design is taken and binds: stated tighter than what was chosen without it, the choice moves."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from solvers.design.design import Answer, design
from solvers.design.facts import document
from solvers.design.spec import DesignSpec, checked
from uet.base.errors import BadInput

FREE = {"accelerators": 64, "injection_gbps": 1600, "families": ["torus", "hyperx", "fat-tree"], "alltoall": 0.1}


def answer(**keys: Any) -> Answer:
    return design(checked(DesignSpec.model_validate({**FREE, **keys}), "test"), extras=False)


@cache
def without() -> Answer:
    found = answer()
    assert found.winner is not None and found.outcome.status == "optimal"
    return found


JOB = {"model": "moe", "tensor": 1, "pipeline": 1, "expert": 64, "batch": 64, "tflops": 40000}
BINDING: dict[str, dict[str, Any]] = {
    "accelerators": {"accelerators": 144},
    "catalogue": {"catalogue": "ethernet-400g-2024"},
    "families": {"families": ["fat-tree"]},
    "alltoall": {"alltoall": 0.9},
    "bisection": {"bisection": 0.9},
    "profile 32 alltoall": {"profile": [{"size": 32, "bandwidth": 0.9}]},
    "step_s of moe": {"workloads": [{**JOB, "step_s": 0.6}]},
    "traffic": {"traffic": {"gbps": [[0, 32 * 1500], [32 * 1500, 0]]}},
    "resilience": {"resilience": {"failures": 1, "keep": 0.99, "pattern": "alltoall"}},
    "growth": {"growth": {"accelerators": 256}, "families": ["fat-tree", "hammingmesh"]},
}
"""What is asked in addition, by the name of the requirement or key."""


@pytest.mark.parametrize("name", BINDING)
def test_an_input_moves_the_choice(name: str) -> None:
    free, bound = without(), answer(**BINDING[name])
    assert free.winner is not None
    if bound.winner is None:
        assert name in {c.requirement for c in bound.conflicts}
        return
    assert bound.winner.spec != free.winner.spec or bound.winner.cost_usd != free.winner.cost_usd
    assert all(r.verdict(bound.winner) for r in bound.requirements)
    for asked in bound.requirements:
        if asked.name == name:  # what was chosen without it certainly does not have it
            study = bound.study
            other = next(c for c in bound.better if c.spec == free.winner.spec)
            assert asked.verdict(other) is False and study.spec != free.study.spec


@pytest.mark.parametrize("name", ["budget_usd", "power_kw", "racks", "reach_m", "availability"])
def test_a_limit_beyond_what_was_chosen_moves_the_choice_or_is_in_the_conflict(name: str) -> None:
    keys: dict[str, Any] = {"accelerators": 96, "injection_gbps": 400, "families": ["fat-tree"], "excess": 0,
                            "catalogue": "ethernet-400g-2024", "alltoall": 0.5, "availability": 0.01}  # fmt: skip
    if name == "availability":
        keys["accelerators"] = 24  # every candidate is looked at for the conflict
    free = answer(**keys)
    assert free.winner is not None
    free.study.lay_out(free.winner)
    told = document(free)["design"]
    tight = {
        "budget_usd": told["cost_usd"] * 0.99, "power_kw": told["power_w"] / 1000 * 0.9, "racks": told["racks"] - 1,
        "reach_m": told["longest_cable_m"] - 1, "availability": 0.999999,
    }[name]  # fmt: skip
    bound = answer(**{**keys, name: tight})
    if bound.winner is None:
        assert bound.outcome.status == "infeasible" and name in {c.requirement for c in bound.conflicts}
        return
    assert bound.winner.cost_usd >= free.winner.cost_usd and bound.winner.spec != free.winner.spec
    assert all(r.verdict(bound.winner) for r in bound.requirements)


def test_allreduce_and_radix_bind() -> None:
    """All members carry allreduce in full or are not known to; a need beyond the ports excludes all of them."""
    keys = {"alltoall": None, "allreduce": 1.0, "accelerators": 64}
    full = answer(**keys)
    assert full.winner is not None and full.winner.gbps("allreduce")[0] >= 800 * (1 - 1e-6)
    with pytest.raises(BadInput, match="more than the 800"):
        answer(**{**keys, "allreduce": "900 Gbps"})
    broken_out = {"catalogue": "ethernet-800g-2024", "cabling": "published", "injection_gbps": 800, "accelerators": 200,
                  "families": ["fat-tree"], "alltoall": 0.5}  # fmt: skip
    free, narrow = answer(**broken_out), answer(**broken_out, radix=64)
    assert free.winner is not None and free.winner.parameters.radix > 64
    assert narrow.winner is not None and narrow.winner.parameters.radix <= 64


def test_all_errors_come_at_once() -> None:
    wrong = {"alltoall": "900 Tbps", "bisection": "900 Tbps", "growth": {"accelerators": 3},
             "profile": [{"size": 999, "bandwidth": 0.5}],
             "traffic": {"gbps": [[0, 1, 1], [0, 0, 0], [0, 0, 0]]}}  # fmt: skip
    with pytest.raises(BadInput) as caught:
        answer(**wrong)
    assert len(caught.value.messages) == 5
