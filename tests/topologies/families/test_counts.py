"""Closed forms and published counts of the families; figures carry their source."""

from __future__ import annotations

import numpy as np
import pytest

from topologies.families import free_form
from topologies.metrics import distances
from topologies.registry import build
from uet.base.errors import BadInput


def between_switches(fabric):
    """Links of one plane of which no end is a host."""
    ends = fabric.ports["node"][np.stack([fabric.links["port_a"], fabric.links["port_b"]])]
    return int(np.all(ends >= fabric.n_hosts, axis=0).sum())


# hosts, links of one plane, diameter, mean distance: closed forms of k-ary n-cubes (Dally and Towles, ch. 5);
# the twisted ones as published for TPU v4 (Jouppi et al., ISCA 2023: 8 -> 6 and 10 -> 6 hops) and by networkx
TORI = [
    ("8x8", 64, 128, 8, 4.063492063492063),
    ("4x4x4", 64, 192, 6, 3.0476190476190474),
    ("32x32", 1024, 2048, 32, 16.01564027370479),
    ("4x4x8", 128, 384, 8, 4.0315),
    ("4x4x8,twisted", 128, 384, 6, 3.4646),
    ("4x8x8", 256, 768, 10, 5.0196),
    ("4x8x8,twisted", 256, 768, 6, 4.3294),
    ("2x2x2x2x2x2", 64, 192, 6, 3.0476190476190474),
]


@pytest.mark.parametrize(("dims", "hosts", "links", "diameter", "mean"), TORI)
def test_tori(dims, hosts, links, diameter, mean):
    fabric = build(f"torus:dims={dims}")
    d = distances(fabric)
    assert (fabric.n_hosts, len(fabric.links), d.diameter, d.router_diameter) == (hosts, links, diameter, diameter)
    assert d.avg_distance == pytest.approx(mean, abs=5e-5)
    assert fabric.order.switches == 0


def test_published_torus_of_boards():
    """HammingMesh (SC22), cost table: a 32x32 torus of 2x2 boards has 1,024 optical cables per plane."""
    fabric = build("torus:dims=32x32,board=2x2,planes=4")
    assert fabric.order.cables == {"aoc": 4096}
    assert fabric.link_classes() == {"trace": 4096, "aoc": 4096}


def test_tpu_v4_pod():
    """Jouppi et al., ISCA 2023: 64 cubes of 4x4x4, 48 switches of 128 used ports: 3,072 optical links."""
    fabric = build("torus:dims=16x16x16,board=4x4x4")
    assert fabric.link_classes() == {"trace": 9216, "aoc": 3072}
    assert np.bincount(fabric.nodes["group"]).tolist() == [64] * 64


# routers, router links, degrees, mean router distance: MMS graphs (Besta and Hoefler, SC14)
@pytest.mark.parametrize(
    ("q", "routers", "links", "degree"),
    [
        (3, 18, 45, 5),
        (4, 32, 96, 6),
        (5, 50, 175, 7),
        (7, 98, 539, 11),
        (8, 128, 768, 12),
        (9, 162, 1053, 13),
        (13, 338, 3211, 19),
        (17, 578, 7225, 25),
        (25, 1250, 23125, 37),
    ],
)
def test_slim_flies(q, routers, links, degree):
    fabric = build(f"slimfly:q={q}")
    p = -(-degree // 2)
    assert (fabric.n_switches, fabric.n_hosts, between_switches(fabric)) == (routers, p * routers, links)
    assert np.all(fabric.nodes["n_ports"][fabric.n_hosts :] == p + degree)
    d = distances(fabric)
    assert (d.diameter, d.router_diameter) == (4, 2)


def test_slim_fly_of_the_deployment():
    """Blach et al., NSDI 2024: 50 switches, 200 hosts; the Hoffman-Singleton graph has mean distance 13/7."""
    d = distances(build("slimfly:q=5,p=1"))
    assert d.avg_distance == pytest.approx(2 + 13 / 7)
    assert build("slimfly:q=5").n_hosts == 200


@pytest.mark.parametrize(
    ("q", "routers", "links"), [(2, 7, 9), (4, 21, 50), (7, 57, 224), (8, 73, 324), (13, 183, 1274)]
)
def test_polar_flies(q, routers, links):
    """q^2 + q + 1 routers, q (q + 1)^2 / 2 links, q + 1 quadrics of degree q (Lakhotia et al., SC22)."""
    fabric = build(f"polarfly:q={q},p=1")
    assert (fabric.n_switches, between_switches(fabric)) == (routers, links)
    degree = fabric.nodes["n_ports"][fabric.n_hosts :] - 1
    assert np.count_nonzero(degree == q) == q + 1
    assert np.count_nonzero(degree == q + 1) == q * q
    assert distances(fabric).router_diameter == 2


def test_dragonflies():
    """Balanced Dragonfly of Kim et al. (ISCA 2008) and those of the cost table of HammingMesh (SC22)."""
    fabric = build("dragonfly:p=4,a=8,h=4")
    assert (fabric.n_hosts, fabric.n_switches, between_switches(fabric)) == (1056, 264, 1452)
    assert (distances(fabric).diameter, distances(fabric).router_diameter) == (5, 3)
    small = build("dragonfly:p=8,a=16,h=8,g=8,routers_per_box=2,planes=16")
    assert (small.n_hosts, small.order.switches) == (1024, 16 * 64)
    assert small.order.cables == {"dac": 16 * 1920, "aoc": 16 * 512}
    large = build("dragonfly:p=17,a=32,h=16,g=30,radix=64,planes=16")
    assert (large.n_hosts, large.order.switches) == (16320, 16 * 960)
    assert large.order.cables == {"dac": 16 * 31200, "aoc": 16 * 7680}
    assert distances(large).diameter == 5


def test_dragonfly_of_the_largest_published_comparison():
    """DeepSeek-AI (ISCA'25), table 3: 261,632 endpoints, 16,352 switches, 384,272 links between switches."""
    fabric = build("dragonfly:p=16,a=32,h=16,g=511")
    assert (fabric.n_hosts, fabric.n_switches, between_switches(fabric)) == (261632, 16352, 384272)


@pytest.mark.parametrize(
    ("g", "a", "h"), [(5, 3, 3), (7, 3, 3), (6, 3, 3), (4, 5, 2), (2, 3, 1), (9, 4, 2), (8, 16, 8)]
)
def test_global_links_are_dealt_evenly(g, a, h):
    fabric = build(f"dragonfly:p=1,a={a},h={h},g={g}")
    ends = [fabric.nodes["group"][fabric.ports["node"][fabric.links[e]]] for e in ("port_a", "port_b")]
    across = ends[0] != ends[1]
    assert across.sum() == g * a * h // 2
    pairs = np.zeros((g, g), int)
    np.add.at(pairs, (np.minimum(*ends)[across], np.maximum(*ends)[across]), 1)
    counts = pairs[np.triu_indices(g, 1)]
    assert counts.max() - counts.min() <= 1
    assert np.all(fabric.nodes["n_ports"][fabric.n_hosts :] <= 1 + a - 1 + h)


def test_dragonfly_plus():
    fabric = build("dragonfly-plus:p=4,leaves=4,spines=4,h=4")
    assert (fabric.n_hosts, fabric.n_switches) == (17 * 16, 17 * 8)
    assert between_switches(fabric) == 17 * (16 + 4 * 4 // 2)
    d = distances(fabric)
    assert (d.diameter, d.router_diameter) == (5, 3)


def test_hyperx():
    """8x8, p=8 (Ahn et al., SC09): 64 routers, 448 links, mean router distance 16/9."""
    fabric = build("hyperx:dims=8x8,p=8")
    assert (fabric.n_hosts, fabric.n_switches, between_switches(fabric)) == (512, 64, 448)
    assert distances(build("hyperx:dims=8x8,p=1")).avg_distance == pytest.approx(2 + 16 / 9)
    assert fabric.order.cables == {"dac": 512, "aoc": 448}


def test_ub_mesh_pod():
    """UB-Mesh (arXiv 2503.20377): 8x8x4x4 accelerators of degree 20."""
    fabric = build("full-mesh:dims=8x8x4x4")
    assert (fabric.n_hosts, len(fabric.links), distances(fabric).diameter) == (1024, 10240, 4)
    assert np.all(fabric.nodes["n_ports"] == 20)


@pytest.mark.parametrize(("n", "k", "hosts", "switches", "links"), [(8, 1, 64, 16, 128), (4, 2, 64, 48, 192)])
def test_bcubes(n, k, hosts, switches, links):
    """Guo et al., SIGCOMM 2009."""
    fabric = build(f"bcube:n={n},k={k}")
    assert (fabric.n_hosts, fabric.n_switches, len(fabric.links)) == (hosts, switches, links)
    assert distances(fabric).diameter == 2 * (k + 1)


@pytest.mark.parametrize(
    "keys", ["switches=30,degree=5", "switches=12,degree=10", "switches=8,degree=7", "switches=40,degree=2"]
)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_random_graphs_are_regular_simple_and_connected(keys, seed):
    fabric = build(f"jellyfish:{keys},hosts_per_switch=2,seed={seed}")
    graph = fabric.to_networkx()
    assert all(graph.number_of_edges(u, v) == 1 and u != v for u, v in graph.edges())
    assert len(set(fabric.nodes["n_ports"][fabric.n_hosts :].tolist())) == 1
    assert distances(fabric).unreachable_pairs == 0
    again = build(f"jellyfish:{keys},hosts_per_switch=2,seed={seed}")
    assert np.array_equal(again.ports, fabric.ports)


def test_free_form():
    fabric = build("free-form:switches=4,hosts_per_switch=2,graph=1123.2.3,gbps=100")
    assert (fabric.n_hosts, fabric.n_switches, between_switches(fabric)) == (8, 4, 6)
    assert fabric.order.cables == {"dac": 8, "aoc": 6} and distances(fabric).router_diameter == 2
    parameters = free_form.Parameters(switches=4, hosts_per_switch=2, graph="1123.2.3")
    assert free_form.graph_text(free_form.cables(parameters)) == "1123.2.3"
    for keys, word in (("graph=1.2", "2 lists for 4"), ("graph=1.0.3", "switch 1 with '0'"),
                       ("graph=1.2.3,radix=3", "nearest: radix=4")):  # fmt: skip
        with pytest.raises(BadInput, match=word):
            build(f"free-form:switches=4,hosts_per_switch=2,{keys}")


def test_xpander():
    fabric = build("xpander:switches=36,degree=5,hosts_per_switch=3")
    assert (fabric.n_hosts, between_switches(fabric)) == (108, 90)
    assert np.all(fabric.nodes["n_ports"][fabric.n_hosts :] == 8)
    graph = fabric.to_networkx()
    assert all(graph.number_of_edges(u, v) == 1 for u, v in graph.edges())
    ends = [fabric.nodes["group"][fabric.ports["node"][fabric.links[e]]] for e in ("port_a", "port_b")]
    assert np.count_nonzero(ends[0] != ends[1]) == 90


# NVIDIA DGX SuperPOD reference architecture, DGX B200: units, GPUs, leaf, spine, core, cables per tier
@pytest.mark.parametrize(
    ("su", "gpus", "leaf", "spine", "core"),
    [
        (2, 512, 16, 8, 0),
        (4, 1024, 32, 16, 0),
        (8, 2048, 64, 32, 0),
        (16, 4096, 128, 128, 64),
        (64, 16384, 512, 512, 256),
    ],
)
def test_superpods(su, gpus, leaf, spine, core):
    fabric = build(f"superpod:su={su}")
    assert fabric.n_hosts == gpus
    assert np.bincount(fabric.nodes["level"], minlength=4).tolist() == [gpus, leaf, spine, core]
    assert fabric.order.cables == {"dac": gpus, "aoc": gpus * (2 if core else 1)}
    d = distances(fabric)
    assert d.diameter == (6 if core else 4)


def test_hpn_pod():
    """Qian et al., Alibaba HPN, SIGCOMM 2024: 15 segments."""
    fabric = build("hpn")
    assert (fabric.n_hosts, fabric.order.switches) == (15360, 240 + 120)
    assert fabric.order.cables == {"dac": 30720, "aoc": 14400}
    assert fabric.injection_gbps == 400
    assert set(fabric.links["gbps"]) == {200, 400}


def test_rails_meet_at_their_leaf():
    fabric = build("rail:gpus=4096,rails=8,radix=128,spines=64")
    levels = np.bincount(fabric.nodes["level"]).tolist()
    assert levels == [4096, 64, 64]  # the Spectrum-X template of SimAI: 64 leaves, 64 spines, 4,096 links each
    assert between_switches(fabric) == 4096
    far = fabric.ports["node"][fabric.ports["peer"]]
    leaf = far[fabric.nodes["first_port"][:4096]] - 4096
    server, rail = np.divmod(np.arange(4096), 8)
    assert np.array_equal(leaf, server // 64 * 8 + rail)


def test_rail_only_has_no_link_between_rails():
    fabric = build("rail-only:gpus=64,rails=4,radix=8")
    assert fabric.order.cables == {"dac": 64, "aoc": 64}
    assert fabric.order.switches == 4 * (4 + 2)
    assert fabric.link_classes()["nvlink"] == 64
    d = distances(fabric)
    assert d.diameter == 6
    assert fabric.injection_gbps == 400


def test_nvl72():
    """NVIDIA GB200 NVL72: 18 switch chips, 18 links a GPU, 1,296 links, 900 GB/s a GPU and direction."""
    fabric = build("nvlink-islands:island_switches=18")
    assert (fabric.n_hosts, fabric.n_switches, len(fabric.links)) == (72, 18, 1296)
    assert fabric.injection_gbps == 7200
    assert distances(fabric).diameter == 2
    assert fabric.order.switches == 0


def test_islands_take_the_order_of_their_network():
    fabric = build("nvlink-islands:islands=16,size=8,scale_out=(fat-tree:radix=16,planes=2)")
    alone = build("fat-tree:hosts=128,radix=16,planes=2")
    assert (fabric.order, fabric.planes, fabric.n_hosts) == (alone.order, 2, 128)
    assert fabric.injection_gbps == alone.injection_gbps
    assert fabric.links["gbps"].max() == 3600


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("slimfly:q=28", "q=28 must be a prime power.*nearest: q=27 or 29"),
        ("slimfly:q=2", "greater than or equal to 3"),
        ("polarfly:q=6", "nearest: q=5 or 7"),
        ("slimfly:q=5,radix=10", "needs 11 ports, more than radix=10; nearest: radix=11"),
        ("jellyfish:switches=5,degree=3,hosts_per_switch=1", "must be even"),
        ("jellyfish:switches=5,degree=5,hosts_per_switch=1", "nearest: switches=6 or degree=4"),
        ("xpander:switches=20,degree=5,hosts_per_switch=1", "nearest: switches=18 or 24"),
        ("dragonfly:p=1,a=4,h=2,g=10", "nearest: g=9"),
        ("dragonfly:p=1,a=4,h=2,routers_per_box=3", "must divide a=4"),
        ("dragonfly-plus:p=1,leaves=2,spines=2,h=2,g=6", "nearest: g=5"),
        ("torus:dims=4x4x6,twisted", "nearest: 4x4x8 or 4x8x8"),
        ("torus:dims=6x6,board=4x2", "nearest: 4 or 8 accelerators or a board of 3"),
        ("torus:dims=6x6,board=2", "board has 1 dimensions, but dims has 2"),
        ("torus:dims=1x1x1x1x1x1x2", "has 7 dimensions; legal: 1 to 6"),
        ("torus:dims=4xx4", "whole numbers joined by x"),
        ("hyperx:dims=4x4,p=2,radix=7", "needs 8 ports"),
        ("bcube:n=100,k=5", "the most are 10000000"),
        ("rail:gpus=100", "nearest: gpus=96 or 104"),
        ("rail:gpus=4096", "nearest: gpus=2048 or levels=3"),
        ("rail:gpus=512,spines=4", "must be 8 to 32"),
        ("rail-only:gpus=10000,levels=1", "more than the 512 that 1 levels"),
        ("superpod:su=0", "greater than or equal to 1"),
        ("hpn:segments=16", "less than or equal to 15"),
        ("hpn:planes=3", "planes='3'"),
        ("nvlink-islands:islands=2", r"add scale_out=\(SPEC\)"),
        ("nvlink-islands:islands=2,size=8,scale_out=(torus:dims=3x5)", "have 16 hosts, but scale_out has 15"),
        ("nvlink-islands:islands=2,size=8,gbps=100,scale_out=(fat-tree)", "gbps: belongs to the network"),
    ],
)
def test_bad_keys_name_the_rule_and_the_nearest_legal_values(spec, message):
    with pytest.raises(BadInput, match=message):
        build(spec)
