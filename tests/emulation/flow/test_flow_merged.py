"""Merged all-to-alls give what all their flows one by one give."""

import numpy as np
import pytest

from emulation.flow.merged import moved_ports
from emulation.flow.options import FlowSettings
from emulation.flow.simulate import simulate_flows
from topologies.registry import build
from topologies.symmetry import named, twins, verified
from uet.schedule.equal import as_rule
from uet.schedule.works import build_work

FABRICS = (
    "fat-tree:hosts=32,radix=8,levels=3",
    "fat-tree:hosts=27,radix=8,levels=3",  # the last leaf and pod are not full
    "fat-tree:hosts=24,radix=8,down=6,up=2",
    "hammingmesh:board=2x2,grid=4x3,planes=1,radix=4",
    "torus:dims=4x3",
    "torus:dims=4x6",
    "hyperx:dims=3x3,p=2",
)


@pytest.mark.parametrize("spec", FABRICS)
def test_merging_changes_nothing(spec):
    fabric = build(spec)
    work = as_rule(f"alltoall:size={fabric.n_hosts * 20_000}", fabric.n_hosts)
    merged, plain = simulate_flows(fabric, work), simulate_flows(fabric, work.schedule())
    assert len(merged.flows) <= len(plain.flows) == merged.totals["flows"] == merged.totals["finished"]
    assert merged.totals["data_packets"] == plain.totals["data_packets"]
    for name in ("fct_us", "finish_us", "slowdown"):
        assert merged.totals[name] == pytest.approx(plain.totals[name], abs=2e-3)
    assert merged.ports["sent_bytes"] == pytest.approx(plain.ports["sent_bytes"])


@pytest.mark.parametrize("spec", FABRICS)
def test_symmetries_move_ports_onto_ports(spec):
    fabric = build(spec)
    node = fabric.ports["node"]
    for nodes in verified(fabric, (twins(fabric), *named(fabric))):
        ports = moved_ports(fabric, nodes)
        assert np.array_equal(np.sort(ports), np.arange(len(ports)))
        assert np.array_equal(node[ports], nodes[node])
        assert np.array_equal(node[fabric.ports["peer"]][ports], nodes[node[fabric.ports["peer"]]])


def test_a_full_tree_has_three_kinds_of_flows():
    fabric = build("fat-tree:radix=8,levels=3")
    merged = simulate_flows(fabric, as_rule("alltoall:size=1280000", 128))
    # inside a leaf, inside a pod, between pods; each with 3, 12 and 112 others
    assert sorted(merged.flows["count"]) == [128 * 3, 128 * 12, 128 * 112]


def test_every_second_shift_of_a_torus_serves():
    fabric = build("torus:dims=6x8")
    merged = simulate_flows(fabric, as_rule("alltoall:size=480000", 48))
    assert merged.totals["channels"] <= 4 * 47  # four kinds of hosts, by the parity of their coordinates


def test_only_whole_and_equal_alltoalls_are_merged():
    assert as_rule("alltoall:size=1MiB", 16).message_bytes == 65536
    assert as_rule("alltoall:size=1MiB,algorithm=linear", 16).message_bytes == 65536
    for work in ("permutation:size=1MiB", "alltoall:size=1MiB,algorithm=bruck", "alltoall:size=1MiB,ranks=8"):
        assert as_rule(work, 16) is None
    assert as_rule("alltoall:size=100", 16) is None  # 25 floats for 16 ranks
    assert as_rule("alltoall:size=1000001", 4096).message_bytes == 245  # a byte more or less in millions


def test_one_path_per_pair_is_not_merged():
    fabric = build("fat-tree:hosts=16,radix=8")
    work = as_rule("alltoall:size=320000", 16)
    result = simulate_flows(fabric, work, FlowSettings(balancer="ecmp"))
    assert len(result.flows) == 240 == result.totals["flows"]
    assert np.array_equal(
        result.flows["fct_ps"],
        simulate_flows(fabric, build_work("alltoall:size=320000", 16), FlowSettings(balancer="ecmp")).flows["fct_ps"],
    )
