"""Designs: equal to exhaustive enumeration, known answers, conflicts, part mix, certificates."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from solvers.bandwidth import bandwidth
from solvers.design.candidate import Candidate, candidates
from solvers.design.certificate import verify, write_certificate
from solvers.design.design import design
from solvers.design.facts import document
from solvers.design.mix import best_mix, choose
from solvers.design.parts import Line, Shelf, cheapest, line
from solvers.design.sized import tree_demand
from solvers.design.spec import DesignSpec, Need, checked, read_design
from solvers.design.study import Study
from solvers.design.workloads import Network, step_time
from topologies.bom import bill
from topologies.catalogue.catalogue import Part
from topologies.registry import build
from uet.base.errors import BadInput


def spec(**keys: Any) -> DesignSpec:
    return checked(DesignSpec.model_validate({"accelerators": 64, "injection_gbps": 6400, **keys}), "test")


def part(name: str, usd: float, watts: float) -> Part:
    return Part.model_validate(
        {"name": name, "kind": "optic", "gbps": 400, "reach_m": 100, "price_usd": usd, "power_w": watts,
         "source": "made up", "date": "2024", "confidence": "estimate"}
    )  # fmt: skip


def exhaustive(plan: DesignSpec) -> float | None:
    """Return the least cost of a candidate that meets the bandwidths, each of them built, priced and solved for."""
    shelf = Shelf(plan.prices, plan.rule, plan.rack)
    pool, _ = candidates(plan, shelf)
    best: float | None = None
    for c in pool:  # cheapest first by the published rule, whose prices are exact
        fabric = build(c.spec)
        found = {p: bandwidth(fabric, p) for p in ("alltoall", "allreduce") if getattr(plan, p)}
        if all(
            b.fraction_uncapped >= getattr(plan, p).injections(p, plan.injection_gbps) * (1 - 1e-9)
            for p, b in found.items()
        ):
            cost = bill(fabric, plan.prices, (), "published").cost_usd
            best = cost if best is None else min(best, cost)
            break
    return best


EXACT = ("torus", "hammingmesh", "hyperx", "full-mesh", "fat-tree")


DEMANDS = st.fixed_dictionaries({
    "accelerators": st.sampled_from([16, 24, 32, 36]), "injection_gbps": st.sampled_from([1600, 2400, 6400]),
    "alltoall": st.floats(0.05, 1), "allreduce": st.floats(0.1, 1),
    "families": st.sets(st.sampled_from(EXACT), min_size=1).map(sorted),
})  # fmt: skip
SIZES = st.tuples(st.integers(1, 4), st.integers(1, 9), st.integers(1, 9))


@settings(max_examples=4)
@given(DEMANDS)
def test_equal_to_exhaustive_enumeration(demand: dict[str, Any]) -> None:
    _compare_with_enumeration(demand)


@pytest.mark.soak
@settings(max_examples=200)
@given(DEMANDS)
def test_equal_to_exhaustive_enumeration_on_200_instances(demand: dict[str, Any]) -> None:
    _compare_with_enumeration(demand)


def _compare_with_enumeration(demand: dict[str, Any]) -> None:
    plan = spec(**demand)
    answer = design(plan, extras=False)
    expected = exhaustive(plan)
    if expected is None:
        assert answer.outcome.status == "infeasible"
    elif answer.outcome.status == "optimal":
        assert answer.outcome.objective == pytest.approx(expected)
    else:  # an irregular tree whose bounds do not meet at the demand
        assert answer.outcome.status == "feasible" and answer.selection.undecided


def test_allreduce_heavy_demand_picks_a_torus_and_alltoall_heavy_demand_a_tree() -> None:
    published = {"accelerators": 1024, "families": ["fat-tree", "hammingmesh", "torus"]}
    for demand, families in (({"allreduce": 0.9}, {"torus", "hammingmesh"}), ({"alltoall": 0.9}, {"fat-tree"})):
        answer = design(spec(**published, **demand), extras=False)
        assert answer.outcome.status == "optimal" and answer.winner is not None
        assert answer.winner.family.name in families
        assert answer.outcome.objective == bill(build(answer.winner.spec), answer.study.spec.prices).cost_usd


def test_sized_trees_are_candidates_that_no_listed_tree_beats() -> None:
    keys = {"accelerators": 300, "injection_gbps": 800, "catalogue": "ethernet-800g-2024", "cabling": "published"}
    free, listed = (
        design(spec(**keys, alltoall=0.5, families=families), extras=False)
        for families in (["fat-tree", "clos"], ["fat-tree"])
    )
    assert free.winner is not None and free.winner.family.name == "clos" and free.outcome.status == "optimal"
    assert free.outcome.objective == bill(build(free.winner.spec), free.study.spec.prices, (), "published").cost_usd
    assert (free.outcome.objective or 0) < (listed.outcome.objective or 0)
    told = document(free)["trees"]
    assert {(t["levels"], t["planes"]) for t in told} >= {(2, 8), (3, 8)}
    assert told[0]["spec"] == free.winner.spec and told[0]["holds"] is True
    assert all(t["cost_usd"] >= free.winner.cost_usd for t in told)


def test_a_step_time_asks_the_tree_for_just_the_alltoall_that_it_needs() -> None:
    job = {"model": "moe", "step_s": 60.0, "pipeline": 4, "expert": 64, "batch": 512, "tflops": 4000}
    plan = spec(accelerators=256, injection_gbps=1600, workloads=[job])
    demand = tree_demand(plan, Shelf(plan.prices, plan.rule, plan.rack))
    assert demand is not None and 0 < demand.alltoall < 1
    reduced = 256 / (2 * 255) * 1600
    seconds = [
        step_time(plan.workloads[0], Network(256, share * demand.alltoall * 1600, reduced)).total_s
        for share in (1 - 1e-6, 1)
    ]
    assert seconds[0] > 60 >= seconds[1]
    hasty = spec(accelerators=256, injection_gbps=1600, workloads=[{**job, "step_s": 0.001}])
    assert tree_demand(hasty, Shelf(plan.prices, plan.rule, plan.rack)) is None


def test_limits_bind_sized_trees() -> None:
    keys = {"accelerators": 80, "injection_gbps": 800, "catalogue": "ethernet-800g-2024", "cabling": "published",
            "families": ["clos"], "alltoall": 0.5}  # fmt: skip
    free = design(spec(**keys), extras=False)
    assert free.winner is not None
    narrow = design(spec(**keys, radix=64), extras=False)
    assert narrow.winner is not None and narrow.winner.parameters.gbps == 800
    assert narrow.winner.cost_usd > free.winner.cost_usd
    assert design(spec(**keys, budget_usd=free.winner.cost_usd * 0.99), extras=False).winner is None
    assert design(spec(**keys, growth={"accelerators": 160}), extras=False).counts == {"clos": 0}
    best = design(spec(**{**keys, "objective": "best", "budget_usd": free.winner.cost_usd}), extras=False)
    assert best.winner is not None and best.winner.bounds["alltoall"].lower >= 0.5


def test_never_worse_than_published_systems() -> None:
    """The 1,024 accelerators of HammingMesh's cost study: Hx2Mesh 5.41 M$ for 26.6 % of alltoall."""
    answer = design(spec(accelerators=1024, alltoall=0.266), extras=False)
    assert answer.outcome.objective is not None and answer.outcome.objective <= 5_411_840


def test_doubling_the_price_of_optics_does_what_the_report_predicts(tmp_path: Any) -> None:
    from topologies.catalogue.catalogue import FOLDER

    keys = {"accelerators": 64, "alltoall": 0.35, "families": ["fat-tree", "hammingmesh", "hyperx", "torus"]}
    answer = design(spec(**keys))
    text = (FOLDER / "hammingmesh-2022.toml").read_text()
    dearer = tmp_path / "dearer.toml"
    dearer.write_text(text.replace("price_usd = 603", "price_usd = 1206"))
    again = design(spec(**keys, catalogue=str(dearer)), extras=False)
    told = next(r for r in answer.repricings if (r.kind, r.factor) == ("aoc", 2.0))
    assert again.winner is not None
    assert again.outcome.objective == pytest.approx(told.cost_usd)
    assert told.changed == (again.outcome.objective < told.kept_usd)


def test_conflicts_name_the_requirements_and_the_cheapest_relaxation() -> None:
    answer = design(spec(alltoall=0.9, budget_usd=1e5, allreduce=0.1), extras=False)
    assert answer.outcome.status == "infeasible"
    assert {c.requirement for c in answer.conflicts} == {"alltoall", "budget_usd"}
    for conflict in answer.conflicts:
        key = "budget_usd" if conflict.requirement == "budget_usd" else "alltoall"
        eased = {"alltoall": 0.9, "budget_usd": 1e5, "allreduce": 0.1, key: conflict.possible}
        again = design(spec(**eased), extras=False)
        assert again.winner is not None, "the relaxation is enough"
    assert [c.cheapest for c in answer.conflicts] == [True, False]


def test_a_budget_buys_the_most_bandwidth() -> None:
    keys = {"objective": "best", "families": ["torus", "hammingmesh", "hyperx", "fat-tree"]}
    poor, rich = (design(spec(**keys, budget_usd=b), extras=False) for b in (2e5, 2e6))
    assert poor.winner is not None and rich.winner is not None
    assert poor.winner.cost_usd <= 2e5 < rich.winner.cost_usd <= 2e6
    assert poor.winner.bounds["alltoall"].lower < rich.winner.bounds["alltoall"].lower


def test_runners_up_are_of_other_kinds_and_the_front_is_not_dominated() -> None:
    answer = design(spec(alltoall=0.2))
    kinds = [answer.winner.kind] if answer.winner else []
    kinds += [c.kind for c in answer.runners_up]
    assert len(kinds) > 2 and len(set(kinds)) == len(kinds)
    assert answer.winner is not None and all(c.cost_usd >= answer.winner.cost_usd for c in answer.runners_up)
    merits = [(-c.cost_usd, c.bounds["alltoall"].lower, c.extra["flexibility"][0]) for c in answer.pareto]
    for a, b in itertools.permutations(merits, 2):
        assert not (a != b and all(x >= y for x, y in zip(a, b, strict=True)))
    told = document(answer)
    assert told["status"] == "optimal" and told["gap"] == 0 and told["design"]["cost_usd"] == answer.winner.cost_usd


def test_racks_reach_and_growth_are_limits() -> None:
    keys = {"alltoall": 0.3, "catalogue": "ethernet-400g-2024", "injection_gbps": 400, "families": ["fat-tree"]}
    free = design(spec(**keys), extras=False)
    assert free.winner is not None
    bought = bill(build(free.winner.spec), free.study.spec.prices)
    assert document(free)["design"]["cost_usd"] == pytest.approx(bought.cost_usd)
    assert design(spec(**keys, racks=1), extras=False).outcome.status == "infeasible"
    grown = design(spec(**keys, growth={"accelerators": 256}), extras=False)
    assert grown.winner is not None and grown.winner.hosts >= 256
    assert design(spec(**{**keys, "families": ["torus"]}, growth={"accelerators": 256})).counts == {"torus": 0}


def test_availability_resilience_and_profile_are_met() -> None:
    answer = design(spec(
        accelerators=16, availability=0.5, resilience={"failures": 1, "keep": 0.4}, families=["fat-tree", "torus"],
        profile=[{"size": 4, "bandwidth": 0.2}], workloads=[{"model": "gpt-3", "tensor": 2, "pipeline": 1, "batch": 8,
                                                            "step_s": 1e4}],
    ), extras=False)  # fmt: skip
    assert answer.winner is not None and answer.outcome.status == "optimal"
    assert all(r.verdict(answer.winner) for r in answer.requirements)


@settings(max_examples=40)
@given(st.lists(SIZES, min_size=1, max_size=3), st.integers(1, 60))
def test_the_mix_of_parts_is_the_cheapest_within_the_power(sizes: list[tuple[int, int, int]], limit_w: int) -> None:
    lines = [line("l", n, [part("a", usd, 9), part("b", usd + 5, watts)]) for n, usd, watts in sizes]
    found = best_mix(lines, limit_w)
    costs = []
    for counts in itertools.product(*(range(x.count + 1) for x in lines)):
        rows = [(x.count - n, n) if len(x.options) > 1 else (x.count,) for x, n in zip(lines, counts, strict=True)]
        watts, usd = (
            sum(m * v for row, values in zip(rows, each, strict=True) for m, v in zip(row, values, strict=True))
            for each in ([x.watts for x in lines], [x.usd for x in lines])
        )
        if watts <= limit_w:
            costs.append(usd)
    assert (None if found is None else found.cost_usd) == (min(costs) if costs else None)


@settings(max_examples=200)
@given(st.lists(SIZES, min_size=1, max_size=4), st.integers(1, 40), st.integers(1, 40), st.booleans())
def test_family_selection_equals_enumeration(
    sizes: list[tuple[int, int, int]], limit_w: int, budget: int, cheap: bool
) -> None:
    offers = [([line("l", n, [part("a", usd, 9), part("b", usd + 5, w)])], float(w)) for n, usd, w in sizes]
    found = choose(offers, limit_w, budget, cheap)
    mixes = [best_mix(lines, limit_w) for lines, _ in offers]
    fits = [k for k, mix in enumerate(mixes) if mix is not None and mix.cost_usd <= budget]
    if not fits:
        assert found is None
        return
    assert found is not None
    if cheap:
        assert found[1].objective == pytest.approx(min(mix.cost_usd for k in fits if (mix := mixes[k])))
    else:
        assert found[1].objective == pytest.approx(max(offers[k][1] for k in fits))


def test_lines_keep_only_options_that_can_be_best() -> None:
    kept = line("x", 3, [part("a", 5, 5), part("b", 6, 6), part("c", 7, 1)])
    assert [p.name for p in kept.options] == ["a", "c"]
    assert cheapest([kept]).cost_usd == 15
    assert isinstance(replace(kept, count=1), Line)


def test_time_limit_returns_the_best_so_far() -> None:
    answer = design(spec(alltoall=0.2), time_limit_s=1e-9, extras=False)
    assert answer.outcome.status in ("unknown", "feasible", "optimal")
    assert answer.outcome.status != "unknown" or answer.outcome.bound is not None


def test_every_error_of_a_file_is_named(tmp_path: Any) -> None:
    file = tmp_path / "wish.yaml"
    file.write_text("accelerators: none\nfamilies: [fattree]\ncatalogue: nobody\nalltoal: 1\ninjection_gbps: 400\n")
    with pytest.raises(BadInput) as caught:
        read_design(file)
    assert len(caught.value.messages) == 4
    assert all(str(file) in m for m in caught.value.messages)
    file.write_text("accelerators: 64\ninjection_gbps: 400\nalltoall: 900 Gbps\nprofile: [{size: 99, bandwidth: 0.5}]\n"
                    "workloads: [{model: gpt-3, pipeline: 3}]\n")  # fmt: skip
    with pytest.raises(BadInput) as caught:
        read_design(file)
    assert len(caught.value.messages) == 3


def test_bandwidths_are_shares_or_gbps() -> None:
    plan = spec(alltoall=0.5, allreduce="1.6 Tbps", bisection=3200)
    assert (plan.alltoall, plan.allreduce, plan.bisection) == (Need(0.5, True), Need(1600, False), Need(3200, False))
    assert plan.alltoall.injections("alltoall", 6400) == 0.5
    assert plan.allreduce is not None and plan.allreduce.injections("allreduce", 6400) == 0.25
    assert DesignSpec.model_validate(plan.model_dump(mode="json")) == plan


def test_studies_narrow_bounds_only() -> None:
    plan = spec(alltoall=0.5, families=["fat-tree", "dragonfly"], accelerators=48)
    study = Study(plan, Shelf(plan.prices, plan.rule, plan.rack))
    pool, _ = candidates(plan, study.shelf)
    for c in pool[:: max(1, len(pool) // 5)]:
        assert isinstance(c, Candidate)
        before = c.bounds["alltoall"]
        while study.bandwidth(c, "alltoall"):
            after = c.bounds["alltoall"]
            assert before.lower <= after.lower <= after.upper <= before.upper
            before = after


@pytest.fixture(scope="module")
def few_ports(tmp_path_factory: pytest.TempPathFactory) -> str:
    from topologies.catalogue.catalogue import FOLDER

    file = tmp_path_factory.mktemp("catalogue") / "few-ports.toml"
    text = (FOLDER / "hammingmesh-2022.toml").read_text()
    file.write_text(text.replace("radix = 64", "radix = 6"))
    return str(file)


def test_free_form_is_never_worse_than_members_and_its_certificate_holds(few_ports: str, tmp_path: Any) -> None:
    keys = {"accelerators": 24, "injection_gbps": 400, "catalogue": few_ports, "alltoall": 0.4}
    members = ["jellyfish", "hyperx", "fat-tree"]
    listed = design(spec(**keys, families=members), extras=False)
    free = design(spec(**keys, families=[*members, "free-form"]), time_limit_s=8, extras=False)
    assert free.winner is not None and listed.winner is not None
    assert free.winner.cost_usd <= listed.winner.cost_usd
    assert free.wiring.rows and free.counts["free-form"] >= 1
    assert free.outcome.bound is not None and free.outcome.bound <= free.winner.cost_usd
    made = next(c for c in [free.winner, *free.better] if c.family.name == "free-form")
    assert bandwidth(build(made.spec)).fraction >= 0.4 * (1 - 1e-6)
    write_certificate(tmp_path / "certificate.json", free)
    assert all(check.holds for check in verify(tmp_path))
    document_ = json.loads((tmp_path / "certificate.json").read_text())
    document_["graphs"]["options"][0].update(least=10**6, bound=1e12)
    document_["graphs"]["open_bound"] = free.winner.cost_usd
    (tmp_path / "certificate.json").write_text(json.dumps(document_))
    assert not all(check.holds for check in verify(tmp_path))


def test_traffic_between_groups_is_carried_in_full_or_told_to_be_too_much(few_ports: str) -> None:
    pairs = [[0.0] * 6 for _ in range(6)]
    for a in range(3):  # groups talk in pairs
        pairs[a][a + 3] = pairs[a + 3][a] = 800.0
    keys = {"accelerators": 12, "injection_gbps": 400, "catalogue": few_ports, "families": ["free-form", "hyperx"]}
    answer = design(spec(**keys, traffic={"gbps": pairs}), time_limit_s=60, extras=False)
    assert answer.winner is not None and answer.winner.family.name == "free-form"
    assert answer.winner.order.cables["aoc"] == 6, "two cables for each pair"
    assert answer.outcome.status == "optimal" and answer.winner.bounds["traffic"].lower >= 1 - 1e-6
    best = design(
        spec(**keys, traffic={"gbps": pairs}, objective="best", maximise="traffic",
             budget_usd=answer.winner.cost_usd - 600), time_limit_s=6, extras=False,
    )  # fmt: skip
    assert best.winner is None or best.winner.bounds["traffic"].lower < 1
    for wrong, word in (({"gbps": [[0, 1], [1]]}, "square"), ({"gbps": [[1.0, 0], [0, 0]]}, "to itself")):
        with pytest.raises(ValidationError, match=word):
            DesignSpec.model_validate({"accelerators": 12, "injection_gbps": 400, "traffic": wrong})
    for asked, word in (([[0, 9999], [0, 0]], "more than the 2400"), ([[0] * 4 + [1]] + [[0] * 5] * 4, "equal groups")):
        with pytest.raises(BadInput, match=word):
            spec(accelerators=12, injection_gbps=400, traffic={"gbps": asked})
