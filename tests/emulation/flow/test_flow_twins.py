"""Twins walked as one load every port as when each is walked for itself."""

import numpy as np
import pytest

from emulation.flow import walker
from emulation.flow.simulate import simulate_flows
from emulation.flow.twins import find_twins, no_twins
from topologies.registry import build
from uet.schedule.works import build_work


@pytest.mark.parametrize(
    ("spec", "eldest"),
    [
        ("fat-tree:hosts=16,radix=8", True),  # spines, with parallel links
        ("fat-tree:radix=8,levels=3", True),  # cores of a group
        ("fat-tree:hosts=50,radix=8,levels=3", False),
        ("hammingmesh:board=2x2,grid=6x4,planes=1,radix=8", True),  # spines of the lines
        ("torus:dims=4x4", False),
    ],
)
def test_folding_changes_nothing(monkeypatch, spec, eldest):
    fabric = build(spec)
    work = build_work("permutation:size=300000", fabric.n_hosts)
    folded = simulate_flows(fabric, work)
    assert bool((find_twins(fabric).many > 1).any()) == eldest
    monkeypatch.setattr(walker, "find_twins", no_twins)
    plain = simulate_flows(fabric, work)
    assert np.array_equal(folded.flows["fct_ps"], plain.flows["fct_ps"])
    assert folded.ports["sent_bytes"] == pytest.approx(plain.ports["sent_bytes"])


def test_every_port_of_a_twin_has_the_eldests_for_leader():
    twins = find_twins(build("fat-tree:hosts=16,radix=8"))  # 4 leaves, 2 spines with 2 links from each leaf
    assert twins.many.tolist() == [1] * 16 + [1] * 4 + [2, 2]
    assert sorted(np.unique(twins.run)) == [0, 1, 2]
    assert (twins.run[twins.leader] > 0).all()
    assert len(np.unique(twins.leader)) == 16 + 16 + 8 + 8  # hosts' ports, leaves' down and to one spine, one spine's
