"""The packet simulator: exact unloaded times, conservation, bounds, determinism, and the byte codec."""

import hashlib
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulation.packet.simulate import Simulation, SimulationSettings, simulate
from topologies.registry import build
from uet.base.errors import BadInput, NoAnswer
from uet.schedule.model import RECV, SEND, ScheduleBuilder
from uet.schedule.works import build_work

TREE_16 = "fat-tree:hosts=16,radix=4,levels=3,latency_ns=1000"
HTSIM = {"profile": "htsim"}

SMALL_FABRICS = (
    TREE_16,
    "fat-tree:hosts=12,radix=8,levels=2,down=6,up=2",
    "hammingmesh:board=2x2,grid=2x2,planes=1",
    "hammingmesh:board=3x2,grid=2x3,planes=1",
)


def run(fabric, work, **options):
    fabric = build(fabric)
    return simulate(fabric, build_work(work, fabric.n_hosts, options.get("seed", 1)), SimulationSettings(**options))


@pytest.mark.parametrize(
    ("size", "fct_us"),
    # uet-htsim (commit 40ccb05): base RTT and one 2 MB flow on a 3-tier 400 Gb/s tree with 1 us links
    [(4_086, 12.5057), (2_000_000, 53.0499)],
)
def test_a_lone_flow_takes_exactly_the_time_of_the_reference(size, fct_us):
    result = run(TREE_16, f"sendrecv:src=0,dst=13,size={size}", **HTSIM)
    assert float(f"{result.totals['fct_us']['max']:.6g}") == fct_us


def test_acks_of_a_lone_flow_are_as_many_as_in_the_reference():
    result = run(TREE_16, "sendrecv:src=0,dst=13,size=2000000", **HTSIM)
    # uet-htsim: 490 packets, 124 ACKs
    assert (result.totals["data_packets"], result.totals["acks"]) == (490, 124)


def test_base_round_trip_is_that_of_the_longest_path():
    # uet-htsim: 12.5057 us for three tiers, 8.3371 us for two, 400 Gb/s and 1 us links
    three = run(TREE_16, "sendrecv:src=0,dst=13,size=1", **HTSIM)
    two = run("fat-tree:hosts=8,radix=4,levels=2,latency_ns=1000", "sendrecv:src=0,dst=7,size=1", **HTSIM)
    assert round(three.totals["base_rtt_us"], 4) == 12.5057
    assert round(two.totals["base_rtt_us"], 4) == 8.3371


@settings(max_examples=12, deadline=None)
@given(
    fabric=st.sampled_from(SMALL_FABRICS),
    work=st.sampled_from(["permutation:size=200000", "incast:fan_in=7,size=60000", "alltoall:size=96000"]),
    seed=st.integers(1, 1000),
    window=st.sampled_from([None, 5_000, 60_000]),
    trim=st.sampled_from([0, 1]),
    cc=st.sampled_from(["constant", "nscc", "rccc", "nscc+rccc"]),
)
def test_nothing_is_lost_and_nothing_beats_light(fabric, work, seed, window, trim, cc):
    overrides = {"trim.enabled": trim, "queue.bdp": 0.2}
    if window:
        overrides["cc.window_bytes"] = window
    result = run(fabric, work, seed=seed, controller=cc, overrides=overrides)
    totals, flows = result.totals, result.flows
    assert totals["finished"] == totals["flows"] == len(flows)
    assert totals["retransmissions"] <= totals["trims"] + totals["drops"] + totals["rto"]
    assert totals["data_packets"] == flows["packets"].sum()
    ports = build(fabric).nodes["n_ports"][flows["src"]]
    shortest_ps = 2 * 500_000 + flows["bytes"] * 8_000 / 400 / ports  # two links, all ports at 400 Gb/s
    assert np.all(flows["fct_ps"] >= shortest_ps)
    if not trim:
        assert totals["trims"] == 0


@pytest.mark.parametrize("fabric", SMALL_FABRICS)
def test_every_slot_comes_back(fabric):
    built = build(fabric)
    simulation = Simulation(built, build_work("alltoall:size=480000", built.n_hosts), SimulationSettings())
    while not simulation.advance():
        pass
    engine = simulation.engine
    free, slot = 0, int(engine.table("core")["free_packet"][0])
    while slot >= 0:
        free, slot = free + 1, int(engine.table("slot")["next"][slot])
    queued = simulation.world.tables["events"].tables["wheel"]["pending"][0]
    assert 0 <= int(engine.table("core")["used_packets"][0]) - free <= queued  # the rest still travels as late ACKs
    assert not engine.table("pdc")["in_flight"].any()


def test_an_incast_is_bounded_by_the_last_link():
    result = run(TREE_16, "incast:fan_in=12,size=400000", overrides={"cc.window_bytes": 100_000, "queue.bdp": 0.3})
    on_the_wire = 12 * 98 * (4096 + 126) - 12 * 98 * 4096 + 12 * 400_000
    assert result.totals["finish_us"]["max"] * 1e6 >= on_the_wire * 8_000 / 400
    assert result.totals["trims"] == result.totals["retransmissions"] > 0


def test_the_byte_codec_changes_nothing():
    options = {"seed": 3, "overrides": {"queue.bdp": 0.3}}
    plain = run(TREE_16, "incast:fan_in=8,size=300000", **options)
    wired = run(TREE_16, "incast:fan_in=8,size=300000", wire=True, **options)
    assert wired.totals["wire_refusals"] == 0
    assert plain.totals["trims"] > 0
    assert np.array_equal(plain.flows, wired.flows)
    assert np.array_equal(plain.ports, wired.ports)


def test_security_costs_its_bytes_and_sealing_for_real_changes_nothing_else():
    options = {"seed": 3, "overrides": {"tss.enabled": 1}}
    open_ = run(TREE_16, "incast:fan_in=8,size=300000", seed=3, overrides={"trim.enabled": 0})
    secured = run(TREE_16, "incast:fan_in=8,size=300000", **options)
    sealed = run(TREE_16, "incast:fan_in=8,size=300000", wire=True, **options)
    assert np.array_equal(secured.flows, sealed.flows)
    assert sealed.totals["wire_refusals"] == 0 and sealed.totals["trims"] == 0
    tss = sealed.totals["tss"]
    assert tss["sealed"] == tss["opened"] == sealed.totals["data_packets"] + sealed.totals["acks"]
    assert open_.settings["mtu.overhead_bytes"] + 24 == secured.settings["mtu.overhead_bytes"]
    assert secured.totals["fct_us"]["max"] > open_.totals["fct_us"]["max"]


DIGEST = """
import hashlib, json
from emulation.packet.simulate import SimulationSettings, simulate
from topologies.registry import build
from uet.schedule.works import build_work
fabric = build("hammingmesh:board=2x2,grid=2x2,planes=1")
work = build_work("incast:fan_in=9,size=50000", fabric.n_hosts)
result = simulate(fabric, work, SimulationSettings(seed=7, overrides={"queue.bdp": 0.1, "cc.window_bytes": 60000}))
data = hashlib.sha256(result.flows.tobytes() + result.ports.tobytes()).hexdigest()
print(json.dumps([data, result.totals["events"], result.totals["trims"]]))
"""


def _digest(environment):
    done = subprocess.run(
        [sys.executable, "-c", DIGEST], env={**os.environ, **environment}, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def test_plain_python_and_compiled_code_agree_bit_for_bit():
    compiled, plain = _digest({"NUMBA_DISABLE_JIT": "0"}), _digest({"NUMBA_DISABLE_JIT": "1"})
    assert compiled == plain
    assert compiled[2] > 0


def test_the_seed_decides_everything():
    def digest(seed):
        result = run(TREE_16, "permutation:size=400000", seed=seed)
        return hashlib.sha256(result.flows["finish_ps"].tobytes()).hexdigest()

    assert digest(5) == digest(5) != digest(6)


def test_a_placement_moves_the_ranks():
    fabric = build(TREE_16)
    work = build_work("sendrecv:src=0,dst=1,size=10000", 2)
    far = simulate(fabric, work, SimulationSettings(placement=np.array([0, 15])))
    near = simulate(fabric, work, SimulationSettings(placement=np.array([4, 5])))
    assert (far.flows["src"][0], far.flows["dst"][0]) == (0, 15)
    assert far.totals["fct_us"]["max"] > near.totals["fct_us"]["max"]
    with pytest.raises(BadInput, match="different host"):
        simulate(fabric, work, SimulationSettings(placement=np.array([3, 3])))


def test_waiting_for_each_other_is_no_answer():
    builder = ScheduleBuilder("circle", 2, 100)
    receives = builder.add(RECV, [0, 1], peer=[1, 0], bytes=100)
    builder.add(SEND, [0, 1], (receives,), peer=[1, 0], bytes=100)
    with pytest.raises(NoAnswer, match="4 of 4 operations can never start"):
        simulate(build(TREE_16), builder.build())


def test_too_little_time_is_no_answer():
    with pytest.raises(NoAnswer, match="raise the end time"):
        run(TREE_16, "permutation:size=2000000", end_ps=10_000_000)


def test_running_out_of_retries_is_no_answer():
    starved = {"queue.bdp": 0.05, "trim.enabled": 0, "rto.max_retries": 1, "rto.init_us": 20}
    with pytest.raises(NoAnswer, match=r"ran out of retries; raise rto\.max_retries"):
        run(TREE_16, "incast:fan_in=15,size=500000", overrides=starved)


def test_too_many_ranks_and_unknown_settings_are_bad_input():
    with pytest.raises(BadInput, match="needs 32 hosts"):
        simulate(build(TREE_16), build_work("permutation:size=1000", 32))
    with pytest.raises(BadInput, match=r"did you mean 'queue.bdp'"):
        run(TREE_16, "permutation:size=1000", overrides={"queue.bpd": 1})


IR_OF_THE_LOOP = """
import tempfile, os
os.environ["NUMBA_CACHE_DIR"] = tempfile.mkdtemp()
from emulation.events import event_queue, schedule
queue = event_queue(64, 100_000, 16)
schedule(queue.handle, 1_000, 1)
(code,) = schedule.inspect_llvm().values()
start = next(line for line in code.splitlines() if line.startswith("define") and "@_ZN9emulation6events" in line)
body = code[code.index(start):]
body = body[:body.index("\\n}")]
assert "ret i32" in body
print(body.count("NRT_incref") + body.count("NRT_decref"))
"""


def test_kernels_count_no_references():
    """Reference counting of arrays once cost four to six times the run time; rows are bare pointers."""
    done = subprocess.run([sys.executable, "-c", IR_OF_THE_LOOP], capture_output=True, text=True, check=True)
    assert int(done.stdout) == 0


def test_the_loop_is_compiled_for_one_signature():
    from emulation.packet.loop import run as loop

    run(TREE_16, "sendrecv:src=0,dst=1,size=1000")
    run(SMALL_FABRICS[2], "permutation:size=1000")
    assert len(loop.signatures) == 1
