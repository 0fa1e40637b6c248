"""Bisection: closed forms and bounds against the exact optimum of an integer program on small fabrics."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import Bounds, LinearConstraint, milp

from solvers.bisection import bisection
from solvers.network import network_of
from topologies.fabric import Fabric
from topologies.failures import damage
from topologies.registry import build


def least_halving(fabric: Fabric) -> float:
    """The least cut between halves by integer programming: sides of nodes, and for every link if it is cut."""
    n, links = len(fabric.nodes), len(fabric.links)
    a, b = (fabric.ports["node"][fabric.links[end]] for end in ("port_a", "port_b"))
    rows = np.zeros((2 * links + 1, n + links))
    for k in range(links):
        for sign, row in ((1, 2 * k), (-1, 2 * k + 1)):
            rows[row, a[k]], rows[row, b[k]], rows[row, n + k] = sign, -sign, -1
    rows[-1, : fabric.n_hosts] = 1
    half = fabric.n_hosts // 2
    low = np.append(np.full(2 * links, -np.inf), half)
    high = np.append(np.zeros(2 * links), half)
    cost = np.append(np.zeros(n), fabric.links["gbps"])
    whole = np.append(np.ones(n), np.zeros(links))
    found = milp(cost, constraints=LinearConstraint(rows, low, high), integrality=whole, bounds=Bounds(0, 1))
    assert found.success
    return float(found.fun) * fabric.planes / (fabric.n_hosts / 2 * fabric.injection_gbps)


@pytest.mark.parametrize(
    "spec",
    [
        "fat-tree:radix=4,levels=2",
        "fat-tree:hosts=12,radix=6,down=4,up=2",
        "fat-tree:hosts=10,radix=6,down=4,up=2",
        "torus:dims=4x4",
        "torus:dims=6x2",
        "hyperx:dims=4x2,p=2",
        "hyperx:dims=4,p=1",
        "full-mesh:dims=4x4",
        "full-mesh:dims=6x2",
        "rail:gpus=16,rails=2,radix=8",
    ],
)
def test_closed_forms_are_the_optimum(spec: str) -> None:
    fabric = build(spec)
    found = bisection(fabric, network_of(fabric))
    assert found.method == "closed form"
    assert found.lower == found.upper == pytest.approx(least_halving(fabric))


@pytest.mark.parametrize(
    "spec",
    [
        "torus:dims=3x4",
        "torus:dims=3x3x2",
        "hyperx:dims=3x2,p=2",
        "dragonfly:p=1,a=2,h=1,g=3",
        "jellyfish:switches=8,degree=3,hosts_per_switch=2",
        "polarfly:q=2,p=2",
        "bcube:n=3,k=1",
        "fat-tree:hosts=12,radix=6,down=3,up=3,levels=3",
        "fat-tree:hosts=16,radix=8,down=5,up=3",
        "nvlink-islands:islands=3,size=4,island_gbps=1600,scale_out=(fat-tree:radix=8)",
    ],
)
def test_bounds_enclose_the_optimum(spec: str) -> None:
    fabric = build(spec)
    found = bisection(fabric, network_of(fabric))
    # of an odd machine the program halves what an even number of hosts would be, so it may cut a little less
    slack = (1 - 1 / fabric.n_hosts) if fabric.n_hosts % 2 else 1
    assert found.lower * slack <= least_halving(fabric) + 1e-9
    assert least_halving(fabric) <= found.upper + 1e-9
    assert found.lower > 0


def test_straight_halves_are_the_published_ones_and_others_may_cut_less() -> None:
    # 1/(2a) for boards of a x a (HammingMesh, SC22); 1/(k + 1) for BCube(n, k)
    for spec, share in (
        ("hammingmesh:board=1x1,grid=32x32", 0.5),
        ("hammingmesh:board=2x2,grid=64x64", 0.25),
        ("hammingmesh:board=4x4,grid=32x32", 0.125),
        ("bcube:n=8,k=1", 0.5),
    ):
        fabric = build(spec)
        found = bisection(fabric, network_of(fabric))
        assert found.lower == found.upper == pytest.approx(share)
        assert "straight" in found.method
        assert found.least_found < share
    small = build("hammingmesh:board=2x2,grid=2x2,planes=1")
    found = bisection(small, network_of(small))
    assert least_halving(small) <= found.least_found + 1e-9 <= found.upper + 1e-9


def test_published_bisections() -> None:
    # 64 of 2,048 links, 256 of 32,768, 512 of 12,288 (TPUv4 pod); S K / (2 T) of a HyperX (Ahn et al., SC09)
    for spec, share in (
        ("torus:dims=32x32", 64 / (512 * 4)),
        ("torus:dims=128x128", 256 / (8192 * 4)),
        ("torus:dims=16x16x16,board=4x4x4", 512 / (2048 * 6)),
        ("hyperx:dims=8x8,p=8", 0.5),
        ("superpod:su=16", 1.0),
        ("hpn:segments=15", 60 / 64),
    ):
        fabric = build(spec)
        assert bisection(fabric, network_of(fabric)).upper == pytest.approx(share)


def test_damage_lowers_it() -> None:
    fabric = build("torus:dims=4x4")
    left = bisection(fabric, network_of(fabric, damage(fabric, "link host0-host1; link host4-host5")), damaged=True)
    assert left.lower <= left.upper < bisection(fabric, network_of(fabric)).lower
