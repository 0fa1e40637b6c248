"""The bound by cuts beside collectives: known values, the bound of `uet bandwidth`, below every algorithm."""

from __future__ import annotations

import numpy as np
import pytest

from solvers.allreduce import Job, cut_bound
from solvers.cut_time import cut_time_us, spread_time_us
from topologies.failures import no_damage
from uet.api.fabrics import build
from uet.base.spec import parse_spec
from uet.schedule.collectives.library import ALGORITHMS, ROOTED
from uet.schedule.works import asked_of, build_work

TREE = "fat-tree:hosts=16,radix=8,levels=2"
NARROW = "fat-tree:hosts=24,radix=8,levels=2,down=6,up=2"
ISLANDS = "nvlink-islands:islands=4,size=8,island_gbps=7200,scale_out=(rail:radix=16)"
FABRICS = (TREE, NARROW, ISLANDS, "hammingmesh:board=2x2,grid=2x2", "torus:dims=4x4")
SIZE = 3_000_000
US = SIZE * 8 / 1000 / 400  # one vector over one link of 400 Gb/s


def _bound(work: str, spec: str) -> float | None:
    fabric = build(spec)
    asked = asked_of(parse_spec(f"{work},size={SIZE}"), fabric.n_hosts)
    assert asked is not None
    return cut_time_us(fabric, asked)


@pytest.mark.parametrize(
    ("work", "spec", "vectors"),
    [
        ("allreduce:algorithm=ring", TREE, 2 * 15 / 16),
        ("allreduce:algorithm=in-network", TREE, 1),
        ("reducescatter:ranks=5", TREE, 4 / 5),
        ("alltoall:algorithm=direct", TREE, 15 / 16),
        ("broadcast:root=3", TREE, 1),
        ("gather:root=3", TREE, 15 / 16),
        ("scatter:root=3", TREE, 15 / 16),
        ("alltoall:algorithm=direct", NARROW, 6 * 18 / 24 / 2),  # six hosts below a leaf with two uplinks
        ("gather:root=3", NARROW, 23 / 24),
        ("allreduce:algorithm=ring", ISLANDS, 2 * (3 / 4) / 8),
        ("allreduce:algorithm=ring", "hammingmesh:board=2x2,grid=2x2", 2 * 15 / 16 / 4),
    ],
)
def test_known_bounds(work: str, spec: str, vectors: float) -> None:
    assert _bound(work, spec) == pytest.approx(vectors * US)


@pytest.mark.parametrize("spec", FABRICS)
def test_allreduce_has_the_bound_of_its_bandwidth(spec: str) -> None:
    fabric = build(spec)
    job = Job(np.arange(fabric.n_hosts))
    gbps = cut_bound(fabric, [job], no_damage(fabric)) * fabric.injection_gbps
    assert _bound("allreduce:algorithm=ring", spec) == pytest.approx(SIZE * 8 / 1000 / gbps * fabric.planes)


@pytest.mark.parametrize("spec", FABRICS)
def test_no_algorithm_moves_less_than_the_bound(spec: str) -> None:
    fabric = build(spec)
    for kind in ALGORITHMS.keys() - {"barrier"}:
        for name in ALGORITHMS[kind]:
            if name in ("dual-rings", "in-network"):
                continue
            special = ",root=5" if kind in ROOTED else ",island=4" if name == "hierarchical" else ""
            text = f"{kind}:algorithm={name},size={SIZE}{special}"
            asked = asked_of(parse_spec(text), fabric.n_hosts)
            assert asked is not None
            least, spread = cut_time_us(fabric, asked), spread_time_us(fabric, build_work(text, fabric.n_hosts))
            assert least is not None and spread is not None
            assert 0 < least <= spread * (1 + 1e-9), text


def test_other_works_have_none() -> None:
    assert asked_of(parse_spec("permutation:size=1MiB"), 16) is None
    assert asked_of(parse_spec("allreduce:algorithm=ring,first_steps=2,size=1MiB"), 16) is None
    barrier, alone = asked_of(parse_spec("barrier"), 16), asked_of(parse_spec("allreduce:size=1MiB,ranks=1"), 16)
    assert barrier is not None and cut_time_us(build(TREE), barrier) is None
    assert alone is not None and cut_time_us(build(TREE), alone) is None
