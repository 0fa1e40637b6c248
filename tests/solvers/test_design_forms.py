"""Closed forms against fabrics that are built and solved."""

from __future__ import annotations

import random

import pytest

from solvers.bandwidth import bandwidth
from solvers.design.forms.base import Lane, Wish, by_distance, shapes
from solvers.design.forms.families import FAMILIES
from solvers.throughput import Effort
from topologies.families import hammingmesh
from topologies.families.base import spec_text
from topologies.registry import build

ROUNDING = 1e-5


def wishes(count: int) -> list[Wish]:
    rnd = random.Random(7)
    return [
        Wish(
            rnd.choice([8, 12, 16, 24, 32, 48]), rnd.choice([400, 1600, 2400, 4800]),
            (Lane(400, rnd.choice([4, 6, 8, 12, 16])),), rnd.choice([1, 2, 4]), 16, 0.3,
        )
        for _ in range(count)
    ]  # fmt: skip


def some_members(name: str, wanted: int) -> list[object]:
    rnd, found = random.Random(name), []
    for wish in wishes(40):
        members = list(FAMILIES[name].members(wish))
        assert all(FAMILIES[name].forms(m).hosts >= wish.accelerators for m in members)
        found += rnd.sample(members, min(1, len(members)))
    return found[:wanted]


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_orders_and_bounds_hold_for_the_fabric_that_is_built(name: str) -> None:
    family = FAMILIES[name]
    members = some_members(name, 3)
    assert members
    for parameters in members:
        fabric, forms, quick = build(spec_text(name, parameters)), family.proven(parameters), family.forms(parameters)
        order = family.order(parameters)
        assert (order.switches, dict(order.cables)) == (fabric.order.switches, dict(fabric.order.cables))
        assert (fabric.n_hosts, fabric.injection_gbps) == (forms.hosts, pytest.approx(forms.injection_gbps))
        found = bandwidth(fabric, "alltoall", None, 1, Effort(0.002))
        if not found.method.startswith("below"):  # there the access links bound it
            for known in (forms, quick):
                assert known.alltoall.lower <= found.upper * (1 + ROUNDING), fabric.spec
                assert found.lower <= known.alltoall.upper * (1 + ROUNDING), fabric.spec
        reduced = bandwidth(fabric, "allreduce", None, 1, Effort(0.01))
        assert forms.allreduce.lower <= reduced.upper * (1 + ROUNDING), fabric.spec
        assert reduced.lower <= forms.allreduce.upper * (1 + ROUNDING), fabric.spec
        assert forms.bisection.lower <= forms.bisection.upper


def test_published_cuts_of_hammingmesh() -> None:
    """Exact fluid optima by linear programming: Hx2 64x64 25.40 %, Hx4 32x32 12.90 %, Hx1 32x32 51.56 %."""
    family = FAMILIES["hammingmesh"]
    for board, grid, share in (((2, 2), (64, 64), 0.2540), ((4, 4), (32, 32), 0.1290), ((1, 1), (32, 32), 0.5156)):
        found = family.forms(hammingmesh.Parameters.model_validate({"board": board, "grid": grid}))
        assert found.alltoall.upper == pytest.approx(share, abs=5e-5)


def test_shapes_carry_what_is_wanted_with_the_last_side_as_short_as_it_gets() -> None:
    found = list(shapes(100, 110, 2))
    assert (10, 10) in found
    for a, b in found:
        assert 100 <= a * b <= 110 and a <= b <= 4 * a
        assert a == b or a * (b - 1) < 100


def test_distances_of_a_complete_graph() -> None:
    assert by_distance(3, 1, 4, [3]) == pytest.approx(3)


def test_growth_needs_less_today_than_later_and_all_of_it_later() -> None:
    for name in ("fat-tree", "hammingmesh"):
        family = FAMILIES[name]
        assert family.first_stage is not None
        members = list(family.members(Wish(64, 1600, (Lane(400, 16),), 1, 16, 0.1)))
        for parameters in members[:: max(1, len(members) // 20)]:
            whole, first = family.order(parameters), family.first_stage(parameters, 16)
            assert first.switches <= whole.switches
            assert all(first.cables[kind] <= n for kind, n in whole.cables.items() if kind in first.cables)
            last = family.first_stage(parameters, family.forms(parameters).hosts)
            assert (last.switches, dict(last.cables)) == (whole.switches, dict(whole.cables))
