"""The testbed: real frames through veth pairs or memory, impairments, twins, captures and what is left behind."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

import uet
from emulation.packet.impair import Impairments, parse_impairments
from emulation.testbed.addresses import ip, mac
from emulation.testbed.namespaces import Wires
from emulation.testbed.run import compare_captures
from uet.base.errors import BadInput, CheckFailed, NoAnswer, Unavailable
from uet.cli.main import run as main
from uet.transport.wire.capture import read_capture

TREE = "fat-tree:hosts=4,radix=4,levels=2"
ROUGH = "loss=0.05,burst=0.002,duplicate=0.05,reorder=0.2,corrupt=0.03"


def run(work: str, on: str = TREE, **arguments: object) -> uet.api.testbed.TestbedRun:
    options = {"links": "memory", "clock": "virtual", "retries": -1} | arguments
    return uet.run_testbed(uet.plan_testbed(work, on, **options))


def namespaces_work() -> bool:
    if os.geteuid() != 0:
        return False
    try:
        Wires(1, 1500, 4, [mac(0)]).close()
    except Unavailable:
        return False
    return True


netns = [
    pytest.mark.netns,
    pytest.mark.skipif(not namespaces_work(), reason="needs root, network namespaces, veth and AF_PACKET"),
]


@pytest.mark.parametrize(
    "work",
    ["allreduce:algorithm=ring,size=40KB", "alltoall:size=64KB", "barrier", "permutation:size=30000"],
)
@pytest.mark.parametrize(("cc", "lb"), [("nscc", "reps"), ("rccc", "oblivious")])
def test_every_byte_arrives_over_a_rough_network(work: str, cc: str, lb: str) -> None:
    done = run(work, cc=cc, lb=lb, impair=ROUGH, seed=3)
    assert done.problem is None
    assert done.summary["correct"]
    s = done.summary
    if work != "barrier":
        assert s["drops_injected"] > 0
        assert s["duplicated_injected"] > 0
        assert s["reordered_injected"] > 0
        assert 0 < s["frames_refused"] <= 2 * s["corrupt_injected"]  # corrupted frames may be doubled, or lost first


@pytest.mark.parametrize("options", [{"ip_version": 6}, {"native_ip": True}, {"ip_version": 6, "native_ip": True}])
def test_all_encapsulations_carry_a_collective(options: dict[str, object]) -> None:
    assert run("allreduce:algorithm=ring,size=40KB", impair=ROUGH, **options).problem is None


def test_trimmed_frames_are_answered() -> None:
    done = run("incast:fan_in=7,size=200KB", "fat-tree:hosts=8,radix=4,levels=3", settings={"queue.bdp": 0.2})
    assert done.problem is None
    assert done.summary["trims"] > 0


@pytest.mark.parametrize("version", [4, 6])
def test_secured_frames_carry_all_data_and_what_is_forged_or_replayed_goes_nowhere(version: int) -> None:
    secure = {"tss.enabled": 1}
    done = run("permutation:size=400KB", impair=ROUGH, seed=3, settings=secure, ip_version=version)
    assert done.problem is None
    s, tss = done.summary, done.summary["tss"]
    assert tss["replayed"] > 0  # doubled on the way
    assert tss["forged"] > 0  # a bit was flipped
    assert s["frames_refused"] >= sum(tss[why] for why in ("replayed", "forged", "short", "not_uet", "not_secured"))
    assert s["trims"] == 0


def test_secured_frames_show_no_header_of_uet(tmp_path: Path) -> None:
    file = tmp_path / "ports.pcapng"
    assert run("permutation:size=10000", pcap=file, settings={"tss.enabled": 1}).problem is None
    for frame in read_capture(file):
        names = [h["name"] for h in uet.decode(frame.data)["headers"]]
        assert "tss" in names and not any(name.startswith(("pds", "ses")) for name in names)


def test_trimming_and_security_exclude_each_other() -> None:
    with pytest.raises(BadInput, match="loses its tag"):
        run("permutation:size=10000", settings={"tss.enabled": 1, "trim.enabled": 1})


def test_corruption_that_no_crc_catches_is_found_in_the_data() -> None:
    done = run("permutation:size=300KB", impair="corrupt=0.2", crc="none")
    assert isinstance(done.problem, CheckFailed)
    assert not done.summary["correct"]
    assert done.problem.exit_code == 4


def test_a_dead_network_ends_in_an_error_not_in_a_hang() -> None:
    done = run("allreduce:algorithm=ring,size=40KB", impair="loss=0.97", retries=2)
    assert isinstance(done.problem, NoAnswer)
    assert done.summary["status"] == "failed"


def test_the_capture_shows_every_frame(tmp_path: Path) -> None:
    file = tmp_path / "ports.pcapng"
    done = run("permutation:size=30000", pcap=file)
    frames = list(read_capture(file))
    assert len(frames) == done.summary["frames"]
    assert sum(len(f.data) for f in frames) == done.summary["frame_bytes"]
    times = [f.time_ps for f in frames]
    assert times == sorted(times)
    assert not any(uet.decode(f.data)["errors"] for f in frames[:20])


def test_equal_seeds_give_equal_captures_and_others_do_not(tmp_path: Path) -> None:
    files = [tmp_path / f"{k}.pcapng" for k in range(3)]
    for file, seed in zip(files, (5, 5, 6), strict=True):
        run("permutation:size=30000", pcap=file, seed=seed, impair=ROUGH)
    assert compare_captures(files[0], files[1]) == 0
    assert compare_captures(files[0], files[2]) > 0


def test_impairments_are_read_and_checked() -> None:
    assert parse_impairments("loss=0.01, reorder=0.2") == Impairments(loss=0.01, reorder=0.2)
    for wrong in ("lost=0.1", "loss=much", "loss=1", "loss=-0.1"):
        with pytest.raises(BadInput):
            parse_impairments(wrong)


def test_addresses_tell_hosts_apart() -> None:
    assert mac(0) == "02:00:00:00:00:01"
    assert (ip(255), ip(65535)) == ("10.0.1.0", "10.1.0.0")
    assert len({ip(k, 6) for k in range(300)}) == 300


def test_wrong_arguments_are_refused_before_anything_is_built() -> None:
    for arguments in ({"links": "string"}, {"clock": "sand"}, {"dilation": 2.0, "link_gbps": 1.0}, {"link_gbps": -1.0}):
        with pytest.raises(BadInput):
            run("barrier", **arguments)
    with pytest.raises(BadInput, match="at most"):
        uet.run_testbed(uet.plan_testbed("barrier", "fat-tree:hosts=128,radix=16"))


def test_the_command_plans_without_building(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["testbed", "run", "barrier", "--on", TREE, "--dry-run", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert (plan["namespaces"], plan["veth_pairs"], plan["ranks"]) == (5, 4, 4)


def test_the_command_reports_what_the_contract_names(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--on", TREE, "--links", "memory", "--clock", "virtual", "--impair", "loss=0.02", "--json"]
    assert main(["testbed", "run", "allreduce:algorithm=ring,size=40KB", *arguments, "--retries", "infinite"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["correct"] is True
    assert set(report) >= {
        "bytes", "goodput_gbps", "fct_us", "retransmissions", "trims", "ecn_marks", "drops_injected",
        "corrupt_injected", "reordered_injected", "duplicated_injected", "kept_pace", "packets_per_s", "cpu_s",
        "namespaces_left",
    }  # fmt: skip
    assert main(["testbed", "run", "barrier", "--on", TREE, "--links", "memory", "--retries", "some"]) == 2


class TestNamespaces:
    pytestmark = netns

    @pytest.mark.parametrize(("cc", "lb"), [("nscc", "reps"), ("rccc", "oblivious"), ("constant", "bitmap")])
    def test_twins_do_not_differ_in_a_byte(self, cc: str, lb: str) -> None:
        done = run("allreduce:algorithm=ring,size=40KB", links="veth", cc=cc, lb=lb, impair=ROUGH)
        assert done.problem is None
        assert done.summary["twin_differing_bytes"] == 0
        assert done.summary["captured_bytes"] > 40_000
        assert done.summary["namespaces_left"] == 0

    def test_real_time_gives_right_data(self) -> None:
        done = run("alltoall:size=32KB", links="veth", clock="wall", impair="loss=0.02")
        assert done.problem is None
        assert done.summary["frames_lost"] == 0

    def test_a_frame_crosses_a_wire_unchanged_both_ways(self) -> None:
        wires = Wires(2, 9000, 4, [mac(0), mac(1)])
        try:
            frame = bytes.fromhex("020000000001020000000002") + b"\x08\x00" + np.arange(100, dtype=np.uint8).tobytes()
            wires.fabric_sockets[0].send(frame)
            assert wires.host_sockets[0].recv(9999) == frame
            wires.host_sockets[1].send(frame)
            assert wires.fabric_sockets[1].recv(9999) == frame
        finally:
            wires.close()
        assert uet.api.testbed.open_namespaces() == 0
