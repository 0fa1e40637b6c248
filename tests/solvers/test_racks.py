"""Racks: equal to trying every assignment, never worse than the usual layout, bounds and certificates that hold."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from itertools import product
from math import ceil, inf

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from solvers.racks import RackResult, assign_racks
from solvers.racks_problem import RackLimits, RackProblem, Rate, cables_usd, cheapest_cover
from solvers.racks_verify import rack_certificate, verify_racks
from topologies.cabling import cable_list
from topologies.catalogue.catalogue import Catalogue, load_catalogue
from topologies.fabric import Fabric, FabricBuilder, Order
from topologies.fitting import cables_by_reach
from topologies.racks import RackModel
from topologies.registry import build
from topologies.routes import ROUTE_NODE, WORD, Routes
from uet.base.errors import BadInput

UNIT_M = 0.04445
MOST_PLACEMENTS = 20_000
KINDS = ("dac", "aoc", "optic")


@dataclass(frozen=True)
class Small:
    """A fabric of few devices in a small hall."""

    fabric: Fabric
    catalogue: Catalogue
    model: RackModel
    limits: RackLimits

    def solved(self, explain: bool = True) -> RackResult:
        return assign_racks(self.fabric, self.catalogue, self.model, self.limits, explain=explain)

    def placements(self) -> float:
        """At most so many ways to put each device anywhere."""
        m, devices = self.model, self.fabric.n_hosts + self.fabric.order.switches
        racks = self.limits.racks or ceil(devices / min(m.rack_units, m.accelerators_per_rack))
        hosts = racks * m.rack_units / m.accelerator_units
        return hosts**self.fabric.n_hosts * (racks * m.rack_units) ** self.fabric.order.switches


def part(name: str, kind: str, **figures: float) -> dict[str, object]:
    return {"name": name, "kind": kind, "source": "made up", "date": "2025", "confidence": "estimate", **figures}


def catalogue(reach: list[float], price: list[int], breakout: list[int]) -> Catalogue:
    """Three cables of rising reach and price, and a switch, all of 400 Gb/s."""
    cables = [
        part(f"{kind}-x", kind, gbps=400, reach_m=r, price_usd=p, breakout=b, power_w=2)
        for kind, r, p, b in zip(KINDS, reach, price, breakout, strict=True)
    ]
    switch = part("switch-x", "switch", gbps=400, radix=16, breakout=4, price_usd=1, power_w=100)
    host = part("host-x", "accelerator", gbps=400, power_w=100)
    return Catalogue(name="x", title="made up", date="2025", cabling="rack", part=[*cables, switch, host])


def fabric(homes: list[int], leaves: int, spine: bool, board: bool, reserve: int, gbps: float, planes: int) -> Fabric:
    """Hosts on leaves, perhaps a spine above them, perhaps two hosts on a board, and cables in reserve."""
    build = FabricBuilder(len(homes))
    switches = build.switches("leaf", leaves, 1)
    if board:
        build.links([0], [1], "trace", gbps, 1)
    build.links(range(len(homes)), switches[np.array(homes) % leaves], "dac", gbps, 25)
    cables = {"dac": planes * (len(homes) + reserve)}
    if spine:
        top = build.switches("spine", 1, 2)
        build.links(switches, np.repeat(top, leaves), "aoc", gbps, 100)
        cables["aoc"] = planes * leaves
    routes = Routes("none", ROUTE_NODE.zeros(0), WORD.zeros(0), 1, "nothing is routed")
    order = Order(planes * (leaves + spine), cables)
    return build.build("small", "small", planes, order, routes, parameters={"radix": 16})


@st.composite
def smalls(draw: st.DrawFn) -> Small:
    leaves, spine = draw(st.integers(1, 2)), draw(st.booleans())
    planes = 2 if leaves == 1 and not spine and draw(st.booleans()) else 1
    homes = draw(st.lists(st.integers(0, 1), min_size=2, max_size=4 - spine))
    for leaf in range(min(leaves, len(homes))):
        homes[leaf] = leaf
    net = fabric(
        homes,
        leaves,
        spine,
        draw(st.booleans()),
        draw(st.integers(0, 2)),
        draw(st.sampled_from([400, 200, 100])),
        planes,
    )
    reach = sorted(
        draw(st.lists(st.sampled_from([0.4, 0.5, 0.6, 0.8, 1.0, 1.4, 2.5]), min_size=3, max_size=3, unique=True))
    )
    price = sorted(draw(st.lists(st.integers(1, 30), min_size=3, max_size=3)))
    breakout = draw(st.sampled_from([[1, 1, 1], [1, 1, 1], [2, 2, 2], [4, 2, 1]]))
    model = RackModel(
        rack_units=draw(st.integers(3, 5)),
        accelerators_per_rack=draw(st.integers(2, 3)),
        accelerator_units=draw(st.sampled_from([1, 1, 0.5])),
        racks_per_row=draw(st.sampled_from([0, 1, 2])),
        row_pitch_m=0.3, rack_pitch_m=0.2, tray_m=0.1, slack_m=0.1, length_step_m=draw(st.sampled_from([0.1, 0.2])),
    )  # fmt: skip
    racks = draw(st.sampled_from([None, None, 1, 2, 3]))
    power = draw(st.sampled_from([None, None, 250.0, 320.0, 420.0]))
    small = Small(net, catalogue(reach, price, breakout), model, RackLimits(racks, power))
    assume(small.placements() <= MOST_PLACEMENTS)
    return small


def bought_usd(prices: list[tuple[float, float, int]], lengths: list[float]) -> float:
    """Return the least price of pieces (reach, price, links each) for cables of one rate, by trying all."""
    best = inf
    most = [ceil(len(lengths) / each) for *_, each in prices]
    for pieces in product(*(range(n + 1) for n in most)):
        usd = sum(n * p for n, (_, p, _) in zip(pieces, prices, strict=True))
        ends = sorted({0.0, *lengths})
        if usd < best and all(
            sum(n * e for n, (r, _, e) in zip(pieces, prices, strict=True) if r >= at - 1e-9)
            >= sum(x >= at for x in lengths)
            for at in ends
        ):
            best = usd
    return best


class Everything:
    """Every assignment of a small problem, priced by its own means."""

    def __init__(self, small: Small, problem: RackProblem) -> None:
        self.small, self.problem, self.m = small, problem, small.model
        self.devices = list(zip(problem.item.tolist(), problem.offset.tolist(), strict=True))
        gbps = float(problem.cables["gbps"][0])
        self.prices = [
            (float(p.reach_m or 0), float(p.price_usd or 0), min(p.breakout, int(p.gbps // gbps)))
            for p in small.catalogue.part if p.kind in KINDS
        ]  # fmt: skip
        self.known: dict[tuple[float, ...], float] = {}

    def best(self) -> float:
        return self._from(0, [])

    def _from(self, i: int, placed: list[tuple[int, float]]) -> float:
        problem, m = self.problem, self.m
        if i == problem.items:
            return self._usd(placed)
        best, height = inf, float(problem.height[i])
        steps = m.accelerator_units if problem.hosts[i] else m.switch_units
        heights = [k * steps for k in range(int(m.rack_units / steps) + 1) if k * steps + height <= m.rack_units]
        if not problem.hosts[i]:
            heights = [m.rack_units - h - height for h in heights]
        for rack, low in product(range(problem.racks), heights):
            together = [j for j, (r, _) in enumerate(placed) if r == rack]
            apart = all(low >= placed[j][1] + problem.height[j] or placed[j][1] >= low + height for j in together)
            mine = [*together, i]
            hosts = sum(int(problem.hosts[j]) for j in mine)
            watts = sum(float(problem.power_w[j]) for j in mine)
            if apart and hosts <= m.accelerators_per_rack and watts <= (self.small.limits.rack_power_w or inf):
                best = min(best, self._from(i + 1, [*placed, (rack, low)]))
        return best

    def _usd(self, placed: list[tuple[int, float]]) -> float:
        cables = self.problem.cables.tolist()
        length = [self._length(placed, c[1], c[3]) if c[3] >= 0 else 0.0 for c in cables]
        for k, c in enumerate(cables):
            if c[3] < 0:
                like = [
                    n for n, d in zip(length, cables, strict=True)
                    if d[3] >= 0 and d[5] == c[5] and (c[1] < 0 or c[1] in (d[1], d[3]))
                ]  # fmt: skip
                length[k] = max(like, default=0.0)
        key = tuple(sorted(length))
        if key not in self.known:
            self.known[key] = bought_usd(self.prices, length)
        return self.known[key]

    def _length(self, placed: list[tuple[int, float]], a: int, b: int) -> float:
        m = self.m
        (rack_a, low_a), (rack_b, low_b) = (placed[self.devices[d][0]] for d in (a, b))
        unit_a, unit_b = low_a + self.devices[a][1], low_b + self.devices[b][1]
        run = abs(unit_a - unit_b) * UNIT_M
        if rack_a != rack_b:
            away = sum(abs(self.problem.position_m[rack_a] - self.problem.position_m[rack_b]).tolist())
            run = (2 * m.rack_units - unit_a - unit_b) * UNIT_M + 2 * m.tray_m + away
        return ceil((run + 2 * m.slack_m) / m.length_step_m - 1e-9) * m.length_step_m


def check_exact(small: Small) -> None:
    found = small.solved(explain=False)
    best = Everything(small, found.problem).best()
    if best == inf:
        assert found.outcome.status == "infeasible"
        return
    assert found.outcome.status == "optimal"
    assert found.outcome.objective == pytest.approx(best)
    assert found.outcome.bound == pytest.approx(best)
    assert found.place is not None and found.layout is not None
    assert found.problem.problems(found.place) == []
    assert found.usual_usd is None or found.usual_usd >= best - 1e-9
    cabling = found.problem.cabling(found.layout)
    assert cabling is not None
    assert cabling.too_short == 0
    assert cables_usd(cabling) == pytest.approx(best)


@settings(max_examples=12, deadline=None)
@given(smalls())
def test_equal_to_every_assignment(small: Small) -> None:
    check_exact(small)


@pytest.mark.soak
@settings(max_examples=400, deadline=None)
@given(smalls())
def test_equal_to_every_assignment_at_length(small: Small) -> None:
    check_exact(small)


ETHERNET = load_catalogue("ethernet-800g-2024")
FABRICS = (
    "fat-tree:hosts=48,radix=32,levels=2",
    "rail:gpus=32,rails=4,radix=16",
    "hammingmesh:board=2x2,grid=4x4",
    "dragonfly:a=4,p=2,h=2",
    "torus:dims=4x4x2,board=2x2x1",
)


@pytest.mark.parametrize("spec", FABRICS)
def test_never_worse_than_the_usual_layout_and_the_certificate_holds(spec: str) -> None:
    net = build(spec)
    found = assign_racks(net, ETHERNET, time_limit_s=5)
    usual = cables_usd(cable_list(net, ETHERNET, "rack"))
    assert found.usual_usd == pytest.approx(usual)
    assert found.outcome.objective is not None and found.outcome.bound is not None
    assert found.outcome.bound - 1e-6 <= found.outcome.objective <= usual + 1e-6
    assert all(holds for *_, holds in verify_racks(rack_certificate(found)))


def two_racks() -> Small:
    """Four hosts on a leaf below a spine, in racks of four units: one rack is not enough."""
    net = fabric([0, 0, 0, 0], 1, True, False, 1, 400, 1)
    model = RackModel(rack_units=4, accelerators_per_rack=4, tray_m=0.1, slack_m=0.1, length_step_m=0.1)
    return Small(net, catalogue([0.4, 1.5, 9], [10, 30, 100], [1, 1, 1]), model, RackLimits())


def test_wrong_certificates_are_found_out() -> None:
    right = json.loads(json.dumps(rack_certificate(two_racks().solved())))
    assert all(holds for *_, holds in verify_racks(right))
    rack, unit = right["place"]["rack"], right["place"]["unit"]
    wrong = {
        "own place, within": {"place": {"rack": rack, "unit": [unit[0] + 0.5, *unit[1:]]}},
        "own place": {"place": {"rack": rack, "unit": [unit[1], *unit[1:]]}},
        "everything has a place": {"place": {"rack": rack[1:], "unit": unit[1:]}},
        "cost": {"cost_usd": right["cost_usd"] - 1},
        "less than": {"bound_usd": right["bound_usd"] + 10, "by_program": False},
        "the cost is the bound": {"bound_usd": right["bound_usd"] - 10},
        "racks": {"limits": {**right["limits"], "racks": 1}},
        "nothing fits": {"place": None, "status": "infeasible"},
    }
    for word, change in wrong.items():
        claims = verify_racks({**right, **change})
        assert any(word in claim for claim, _, holds in claims if not holds), word
    with pytest.raises(BadInput, match="assign them again"):
        verify_racks({"place": None})


def test_limits_that_exclude_each_other_are_named() -> None:
    small = two_racks()
    one = replace(small, limits=RackLimits(racks=1)).solved()
    assert [(c.requirement, c.asked, c.possible, c.cheapest) for c in one.conflicts] == [("racks", 1, 2, True)]
    # hosts draw 101 W, the leaf 105 W and the spine 101 W, with half of the 2 W of every cable
    fed = replace(small, limits=RackLimits(racks=2, rack_power_w=300)).solved()
    possible = {c.requirement: c.possible for c in fed.conflicts}
    assert possible["racks"] == 3
    assert possible["rack_power_w"] == pytest.approx(307, abs=1)
    short = replace(small, catalogue=catalogue([0.2, 0.3, 0.35], [10, 30, 100], [1, 1, 1])).solved()
    assert [c.requirement for c in short.conflicts] == ["reach_m"]
    assert short.conflicts[0].possible is not None and short.conflicts[0].possible > 0.35


def test_limits_are_checked_and_figures_nobody_knows_are_named() -> None:
    small = two_racks()
    with pytest.raises(BadInput, match="racks=0 must be greater than 0"):
        replace(small, limits=RackLimits(racks=0)).solved()
    with pytest.raises(BadInput, match="what an accelerator draws"):
        assign_racks(build(FABRICS[0]), ETHERNET, None, RackLimits(rack_power_w=1e5))


def test_an_interrupt_keeps_the_best_placement(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    for step in ("solvers.racks_search._anneal", "solvers.racks_bound.RackBound.prices"):
        with monkeypatch.context() as patched:
            patched.setattr(step, stop)
            found = assign_racks(build(FABRICS[0]), ETHERNET)
        assert found.outcome.interrupted and found.outcome.status == "feasible"
        assert found.outcome.objective == found.usual_usd
        assert all(holds for *_, holds in verify_racks(rack_certificate(found)))


def test_pieces_are_shared_by_the_cheapest_cover() -> None:
    # one piece of four short links is dearer than one long link each; the long pieces have room for a short link
    rate = Rate(100, tuple(p for p in catalogue([1, 2, 3], [40, 50, 60], [4, 2, 1]).part if p.kind in KINDS))
    assert cheapest_cover(rate, np.array([1, 0, 0])).tolist() == [1, 0, 0]
    assert cheapest_cover(rate, np.array([1, 1, 0])).tolist() == [0, 1, 0]
    assert cheapest_cover(rate, np.array([4, 1, 1])).tolist() == [1, 1, 1]


def test_racks_that_feed_little_are_as_many_as_it_takes() -> None:
    small = two_racks()
    fed = replace(small, limits=RackLimits(rack_power_w=120)).solved()
    assert fed.outcome.solved and fed.problem.racks == 6
    assert fed.place is not None and sorted(fed.place.rack.tolist()) == list(range(6))
    assert replace(small, limits=RackLimits(rack_power_w=50)).solved(explain=False).outcome.status == "infeasible"


def test_heights_that_binary_numbers_do_not_hold_are_on_the_grid() -> None:
    net = fabric([0, 0, 0, 0], 1, True, True, 0, 400, 1)
    model = RackModel(rack_units=4, accelerators_per_rack=4, accelerator_units=0.3)
    found = assign_racks(net, ETHERNET, model)
    assert found.place is not None and found.outcome.status == "optimal"
    for i in range(found.problem.items):
        assert found.place.unit[i] in found.problem.grid(i)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 6), min_size=3, max_size=3),
    st.lists(st.integers(1, 60), min_size=3, max_size=3),
    st.lists(st.sampled_from([1, 2, 3, 4]), min_size=3, max_size=3),
)
def test_the_cheapest_cover_equals_all_covers(count: list[int], price: list[int], breakout: list[int]) -> None:
    offers = [p for p in catalogue([1, 2, 3], price, breakout).part if p.kind in KINDS]
    rate = Rate(100, tuple(cables_by_reach(Catalogue(name="x", title="x", date="x", part=offers), 100)))
    need = np.array(count[: len(rate.parts)])
    prices = [(float(p.reach_m or 0), float(p.price_usd or 0), p.links_each(100)) for p in rate.parts]
    lengths = [reach for (reach, *_), n in zip(prices, need.tolist(), strict=True) for _ in range(n)]
    bought = cheapest_cover(rate, need)
    assert sum(n * p for n, (_, p, _) in zip(bought.tolist(), prices, strict=True)) == bought_usd(prices, lengths)


def test_certificates_are_checked_without_an_optimizer(monkeypatch: pytest.MonkeyPatch) -> None:
    stored = rack_certificate(assign_racks(build(FABRICS[0]), ETHERNET, time_limit_s=5))
    for solver in ("solvers.mip.solve", "solvers.racks_mip.solve", "solvers.racks_bound.solve"):
        monkeypatch.setattr(solver, None)
    assert all(holds for *_, holds in verify_racks(stored))
