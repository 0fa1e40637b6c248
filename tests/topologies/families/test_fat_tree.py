from __future__ import annotations

import numpy as np
import pytest
from checks import check_routes, check_tables, networkx_hops, with_table
from hypothesis import given, settings
from hypothesis import strategies as st

from topologies.deadlock import check_deadlock
from topologies.distances import Graph, hop_matrix
from topologies.metrics import distances
from topologies.registry import build
from uet.base.errors import BadInput

# Counts per plane from the cost table of HammingMesh (Hoefler et al., SC22): switches, DAC, AoC.
PUBLISHED = [
    ("hosts=1024", 1024, 48, 1024, 1024, 4),
    ("hosts=1024,down=42,up=22", 1024, 34, 1050, 550, 4),
    ("hosts=1024,down=51,up=13", 1024, 26, 1071, 273, 4),
    ("hosts=16384,levels=3", 16384, 1280, 16384, 32768, 6),
    ("hosts=16384,levels=3,down=42,up=22", 16384, 795, 16422, 17204, 6),
    ("hosts=16384,levels=3,down=51,up=13", 16384, 519, 16422, 8372, 6),
    # DeepSeek-AI, Insights into DeepSeek-V3, ISCA'25, table 3: 2- and 3-level trees of 64-port switches
    ("levels=2", 2048, 96, 2048, 2048, 4),
    ("levels=3", 65536, 5120, 65536, 131072, 6),
]


@pytest.mark.parametrize(("keys", "hosts", "switches", "dac", "aoc", "diameter"), PUBLISHED)
def test_published_counts(keys, hosts, switches, dac, aoc, diameter):
    fabric = build(f"fat-tree:{keys},planes=16")
    assert fabric.n_hosts == hosts
    assert fabric.order.switches == 16 * switches == 16 * fabric.n_switches
    assert fabric.order.cables == {"dac": 16 * dac, "aoc": 16 * aoc}
    assert fabric.link_classes() == {"dac": 16 * hosts, "aoc": 16 * aoc}
    assert distances(fabric).diameter == diameter


@pytest.mark.parametrize(("k", "hosts", "cores"), [(4, 16, 4), (8, 128, 16), (16, 1024, 64)])
def test_full_three_level_trees_are_wired_in_pods(k, hosts, cores):
    """Al-Fares et al., SIGCOMM 2008: up-link i of a leaf to aggregation i of its pod, j of that to core i*k/2+j."""
    fabric = build(f"fat-tree:radix={k},levels=3")
    half = k // 2
    assert (fabric.n_hosts, fabric.n_switches) == (hosts, 5 * k * k // 4)
    leaf0, agg0, core0 = (fabric.node_number(f"{name}0") for name in ("leaf", "agg", "core"))
    far = fabric.ports["node"][fabric.ports["peer"]]
    for leaf in range(k * half):
        first = fabric.nodes["first_port"][leaf0 + leaf]
        assert far[first : first + half].tolist() == list(range(leaf * half, (leaf + 1) * half))
        assert far[first + half : first + k].tolist() == [agg0 + leaf // half * half + i for i in range(half)]
    for agg in range(k * half):
        first = fabric.nodes["first_port"][agg0 + agg] + half
        assert far[first : first + half].tolist() == [core0 + agg % half * half + j for j in range(half)]
    assert len(fabric.nodes) - core0 == cores
    assert fabric.nodes["group"][: fabric.n_hosts].tolist() == [h // half**2 for h in range(hosts)]


def random_trees():
    def keys(radix, levels, down, share):
        most = (1, radix, radix * radix // 2)[levels - 1] * (down if levels > 1 else radix)
        taper = f",down={down}" if levels > 1 else ""
        return f"fat-tree:hosts={max(1, round(min(most, 50) * share))},radix={radix},levels={levels}{taper}"

    even = st.integers(2, 5).map(lambda h: 2 * h)
    return even.flatmap(
        lambda r: st.builds(keys, st.just(r), st.integers(1, 3), st.integers(1, r - 1), st.floats(0, 1))
    )


@settings(max_examples=25, deadline=None)
@given(random_trees())
def test_any_tree_is_within_its_radix_and_routed_minimally(spec):
    fabric = build(spec)
    check_tables(fabric)
    radix = fabric.parameters["radix"]
    assert fabric.nodes["n_ports"].max() <= radix
    assert fabric.order.switches == fabric.n_switches
    check_routes(fabric)
    check_routes(with_table(fabric))
    assert np.array_equal(hop_matrix(Graph.of(fabric), np.arange(len(fabric.nodes))), networkx_hops(fabric))


def test_a_small_last_pod_is_reached_over_the_cores_that_have_it():
    fabric = build("fat-tree:hosts=33,radix=8,levels=3")  # pods of 16 hosts; the last one has a single host
    assert fabric.routes.words["value"][0] == 2
    check_routes(fabric)
    assert check_deadlock(fabric).acyclic


@pytest.mark.parametrize("spec", ["hosts=1024", "hosts=1024,radix=16,levels=3", "hosts=968,radix=16,levels=3"])
def test_trees_do_not_deadlock(spec):
    check = check_deadlock(build(f"fat-tree:{spec}"))
    assert check.acyclic
    assert check.dead_ends == 0
    assert not check.cycle


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("hosts=2049", r"more than the 2048 .*nearest: hosts=2048, levels=3 or radix=66"),
        ("hosts=65,levels=1", r"more than the 64 .*nearest: hosts=64, levels=2 or radix=66"),
        ("hosts=70000,levels=3", r"nearest: hosts=65536 or radix=66"),
        ("down=40,up=32", r"down \+ up <= radix .*nearest: down=40,up=24"),
        ("down=64", r"both at least 1.*nearest: down=63,up=1"),
        ("radix=7,levels=3", r"radix=7 must be even.*nearest: 6 or 8"),
        ("levels=1,up=3", "up=3 needs a level above"),
    ],
)
def test_bad_keys_name_the_rule_and_the_nearest_legal_values(keys, message):
    with pytest.raises(BadInput, match=message):
        build(f"fat-tree:{keys}")


def test_remedies_are_legal():
    assert build("fat-tree:hosts=2049,levels=3").n_hosts == 2049
    assert build("fat-tree:hosts=2049,radix=66").n_hosts == 2049
