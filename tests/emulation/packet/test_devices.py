"""Hosts with two devices: island links beside a scale-out network, neither of which holds up the other."""

from __future__ import annotations

import numpy as np
import pytest

from emulation.loggops.simulate import run_loggops
from emulation.packet.devices import Devices
from emulation.packet.simulate import Simulation, SimulationSettings, simulate
from topologies.registry import build
from uet.base.errors import BadInput
from uet.schedule.collectives import hierarchical, in_network
from uet.schedule.model import ScheduleBuilder

ISLANDS = "nvlink-islands:islands=4,size=4,island_gbps=3600,scale_out=(rail:rails=4,radix=8)"


def test_hosts_of_islands_have_a_nic_and_a_device_on_the_island() -> None:
    fabric = build(ISLANDS)
    devices = Devices(fabric)
    rows, n = devices.rows(), fabric.n_hosts
    assert devices.n_endpoints == 2 * n
    assert rows["node"].tolist() == [*range(n), *range(n)]
    assert rows["other"].tolist() == [*range(n, 2 * n), *range(n)]
    kinds = fabric.links["kind"][fabric.ports["link"]]
    owners = devices.owners()
    for endpoint, row in enumerate(rows):
        ports = np.arange(row["first_port"], row["first_port"] + row["n_ports"])
        assert len(ports) and np.all(owners[ports] == endpoint)
        assert len(set(kinds[ports])) == 1
    assert (owners >= 0).sum() == rows["n_ports"].sum()
    source, target = devices.of_pairs(np.array([0, 0, 5]), np.array([3, 4, 6]))
    assert (source.tolist(), target.tolist()) == ([n, 0, n + 5], [n + 3, 4, n + 6])


@pytest.mark.parametrize(
    "spec", ["fat-tree:hosts=16,radix=8", "hammingmesh:board=2x2,grid=2x2", "nvlink-islands:size=4"]
)
def test_hosts_with_links_of_one_kind_have_one_device_with_all_ports(spec: str) -> None:
    fabric = build(spec)
    rows = Devices(fabric).rows()
    assert rows["node"].tolist() == list(range(fabric.n_hosts)) and set(rows["other"]) == {-1}
    assert rows["n_ports"].tolist() == fabric.nodes["n_ports"][: fabric.n_hosts].tolist()


def test_a_busy_nic_does_not_hold_up_the_island() -> None:
    """Rank 0 sends 1 MiB to each of the twelve hosts outside, and meanwhile the same to a host of its island."""
    fabric, size = build(ISLANDS), 2**20
    builder = ScheduleBuilder("both", 16, size)
    builder.transfer(0, np.arange(4, 16), size)
    builder.transfer(0, 1, size)
    flows = simulate(fabric, builder.build()).flows
    inside = flows["dst"] < 4
    alone_ps = size * 8_000 // 3600
    assert alone_ps < flows["fct_ps"][inside].max() < 3 * alone_ps + 5_000_000
    assert flows["fct_ps"][~inside].max() > 12 * size * 8_000 // 400
    assert set(flows["src"]) == {0} and sorted(flows["dst"]) == [1, *range(4, 16)]


def test_queues_grow_with_the_rate_of_the_port() -> None:
    fabric = build(ISLANDS)
    simulation = Simulation(fabric, hierarchical.allreduce(16, 2**16, island=4), SimulationSettings())
    gbps = fabric.links["gbps"][fabric.ports["link"]]
    assert np.array_equal(simulation.world.tables["sim_port"]["speed"], gbps / 400)


@pytest.mark.parametrize(("controller", "balancer"), [("constant", "oblivious"), ("nscc", "reps")])
def test_chunks_keep_both_domains_busy(controller: str, balancer: str) -> None:
    """2 (m - 1)/m D/g bytes of every rank go through its NIC: the bound, as the island is faster."""
    fabric, size = build(ISLANDS), 2**23
    options = SimulationSettings(controller=controller, balancer=balancer)
    bound_ps = 2 * 3 / 4 * size / 4 * 8_000 / 400
    reached = {}
    for chunks in (1, 32):
        schedule = hierarchical.allreduce(16, size, island=4, chunks=chunks)
        reached[chunks] = bound_ps / simulate(fabric, schedule, options).flows["finish_ps"].max()
    assert reached[1] < 0.65 and reached[32] > 0.85


def test_switches_that_reduce_are_refused() -> None:
    schedule = in_network.allreduce(16, 2**10)
    with pytest.raises(BadInput, match="do not add up data; choose another algorithm, such as ring"):
        Simulation(build(ISLANDS), schedule, SimulationSettings())
    with pytest.raises(BadInput, match="do not add up data"):
        run_loggops(schedule)
