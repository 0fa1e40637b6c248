"""Every command does what it says, and its JSON document has the fields that programs rely on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from asking import Capture, ask_json, ask_text

from uet.cli.main import run

SMALL = "fat-tree:hosts=16,radix=8,levels=2"


def test_topology_show(capsys: Capture) -> None:
    shown = ask_json(capsys, "topology", "show", "hammingmesh:board=2x2,grid=16x16,planes=4")
    assert shown["schema"] == "uet.topology.show/1"
    counts = {key: shown[key] for key in ("hosts", "switches", "planes", "diameter", "injection_gbps")}
    assert counts == {"hosts": 1024, "switches": 128, "planes": 4, "diameter": 4, "injection_gbps": 6400}
    assert shown["cables"] == {"dac": 4096, "aoc": 4096}
    assert shown["link_classes"] == {"trace": 4096, "dac": 4096, "aoc": 4096}
    assert shown["links"] == sum(shown["link_classes"].values())
    assert "1,024" in ask_text(capsys, "topology", "show", "hammingmesh:board=2x2,grid=16x16,planes=4")


def test_a_spec_may_be_a_file(capsys: Capture, tmp_path: Path) -> None:
    (tmp_path / "tree.yaml").write_text("family: fat-tree\nhosts: 16\nradix: 8\n")
    from_file = ask_json(capsys, "topology", "show", str(tmp_path / "tree.yaml"))
    assert from_file["hosts"] == 16
    assert from_file["switches"] == ask_json(capsys, "topology", "show", SMALL)["switches"]


def test_topology_list_names_every_family_and_key(capsys: Capture) -> None:
    families = {f["name"]: f for f in ask_json(capsys, "topology", "list")["families"]}
    assert {"fat-tree", "hammingmesh"} <= set(families)
    for family in families.values():
        assert family["summary"]
        assert all(key["meaning"] for key in family["keys"])
    text = ask_text(capsys, "topology", "list")
    assert all(name in text for name in families)


@pytest.mark.parametrize("suffix", ["json", "graphml", "dot"])
def test_topology_export(capsys: Capture, tmp_path: Path, suffix: str) -> None:
    import networkx as nx

    path = tmp_path / f"fabric.{suffix}"
    assert ask_json(capsys, "topology", "export", SMALL, str(path))["file"] == str(path)
    assert run(["topology", "export", SMALL, str(path)]) == 2  # exists
    assert "--force" in capsys.readouterr().err
    assert ask_text(capsys, "topology", "export", SMALL, str(path), "--force").strip() == str(path)
    hosts, links = 16, 16 + 16
    if suffix == "json":
        assert ask_json(capsys, "topology", "show", str(path))["links"] == links
    elif suffix == "graphml":
        graph = nx.read_graphml(path)
        assert sum(kind == "host" for _, kind in graph.nodes(data="kind")) == hosts
        assert graph.number_of_edges() == links
    else:
        assert path.read_text().count(" -- ") == links


@pytest.mark.parametrize("spec", [SMALL, "hammingmesh:board=2x2,grid=3x3", "fat-tree:hosts=64,radix=8,levels=3"])
def test_topology_draw(capsys: Capture, tmp_path: Path, spec: str) -> None:
    path = tmp_path / "fabric.png"
    ask_text(capsys, "topology", "draw", spec, str(path))
    assert path.read_bytes().startswith(b"\x89PNG")


def test_cost_is_the_published_one_to_the_dollar(capsys: Capture) -> None:
    tree = ask_json(
        capsys, "cost", "fat-tree:hosts=1024,radix=64,levels=2,planes=16", "--catalogue", "hammingmesh-2022"
    )
    assert (tree["cost_usd"], tree["switches"], tree["cables"]) == (25303040, 768, {"dac": 16384, "aoc": 16384})
    mesh = ask_json(capsys, "cost", "hammingmesh:board=2x2,grid=16x16,planes=4", "--catalogue", "hammingmesh-2022")
    assert (mesh["cost_usd"], mesh["switches"], mesh["cables"]) == (5411840, 128, {"dac": 4096, "aoc": 4096})
    for bill in (tree, mesh):
        assert bill["per_accelerator_usd"] == bill["cost_usd"] / 1024
        assert sum(line["total_usd"] for line in bill["bom"]) == bill["cost_usd"]
        assert bill["power_w"] == sum(line["power_w"] for line in bill["bom"])
    assert "5,411,840 USD" in ask_text(capsys, "cost", "hammingmesh:board=2x2,grid=16x16,planes=4")


def test_catalogues(capsys: Capture) -> None:
    names = [c["name"] for c in ask_json(capsys, "catalogue", "list")["catalogues"]]
    assert "hammingmesh-2022" in names
    prices = {p["kind"]: p["price_usd"] for p in ask_json(capsys, "catalogue", "show", "hammingmesh-2022")["part"]}
    assert prices == {"switch": 14280, "dac": 272, "aoc": 603}
    for name in names:
        assert name in ask_text(capsys, "catalogue", "list")
        assert "source:" in ask_text(capsys, "catalogue", "show", name)


def test_workload_show(capsys: Capture) -> None:
    shown = ask_json(capsys, "workload", "show", "allreduce:algorithm=ring,size=1MiB", "--ranks", "16")
    assert (shown["steps"], shown["messages"], shown["pairs"]) == (30, 16 * 30, 16)
    assert shown["total_bytes"] == 16 * 30 * 2**20 // 16
    assert shown["operations"] == {"send": 480, "recv": 480, "reduce": 240, "copy": 0, "calc": 0}
    assert "30" in ask_text(capsys, "workload", "show", "allreduce:size=1MiB", "--ranks", "16")


def test_simulate_leaves_a_run_folder(capsys: Capture, tmp_path: Path) -> None:
    from pyarrow import parquet

    out = tmp_path / "run"
    command = ["simulate", "permutation:size=64KiB", "--on", SMALL, "--seed", "5", "--out", str(out)]
    document = ask_json(capsys, *command)
    assert document["schema"] == "uet.simulate/1"
    assert document["seed"] == 5
    assert document["flows"] == document["finished"] == 16
    for name in ("data_packets", "retransmissions", "trims", "drops", "ecn_marks", "acks", "nacks", "rto", "events",
                 "packet_hops", "sim_us", "cpu_s", "compile_s", "startup_s", "wall_s", "peak_rss_bytes"):  # fmt: skip
        assert document[name] is not None
    assert document["data_packets"] == 16 * 16
    assert list(document["fct_us"]) == list(document["finish_us"])
    assert document["fct_us"]["first"] <= document["fct_us"]["p50"] <= document["fct_us"]["max"]
    flows = parquet.read_table(out / "flows.parquet").to_pydict()
    assert max(flows["fct_ps"]) / 1e6 == document["fct_us"]["max"]
    ports = parquet.read_table(out / "ports.parquet")
    assert ports.num_rows == 2 * (16 + 16)
    assert json.loads((out / "summary.json").read_text())["fct_us"] == document["fct_us"]
    manifest = json.loads((out / "manifest.json").read_text())
    assert (manifest["status"], manifest["seed"], manifest["profile"]) == ("complete", 5, "uet-1.0")
    assert run(command) == 2  # the folder exists
    capsys.readouterr()
    again = ask_json(capsys, *command, "--force")
    assert again["folder"] == str(out)
    assert json.loads((out / "manifest.json").read_text())["digests"] == manifest["digests"]


def test_simulate_takes_failures_whole_packets_and_unfinished_flows(capsys: Capture) -> None:
    command = ["simulate", "permutation:size=64KiB", "--on", "fat-tree:hosts=32,radix=8,levels=2"]
    whole = ask_json(capsys, *command)
    slowed = ask_json(capsys, *command, "--fail", "link leaf0-spine1 rate=20Gbps")
    assert slowed["finished"] == 32 and slowed["fct_us"]["max"] > whole["fct_us"]["max"]
    smaller = ask_json(capsys, *command, "--packet-bytes", str(2048 + int(whole["settings"]["mtu.overhead_bytes"])))
    assert smaller["settings"]["mtu.payload_bytes"] == 2048
    cut = ask_json(capsys, *command, "--end", "2us", "--allow-unfinished")
    assert cut["status"] == "unfinished" and cut["finished"] < 32
    assert run([*command, "--payload", "2048", "--packet-bytes", "2174"]) == 2
    assert "give one of them" in capsys.readouterr().err


def test_simulate_tells_people_the_same(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UET_SEED", "7")
    text = ask_text(capsys, "simulate", "permutation:size=16KiB", "--on", SMALL, "--quiet")
    assert "16 of 16 finished" in text
    assert run(["simulate", "permutation:size=16KiB", "--on", SMALL, "--verbose"]) == 0
    assert "preparing kernels" in capsys.readouterr().err
    monkeypatch.delenv("UET_SEED")
    monkeypatch.setenv("UET_SIMULATE_SEED", "8")
    assert ask_json(capsys, "simulate", "permutation:size=16KiB", "--on", SMALL)["seed"] == 8


def test_a_run_that_is_cut_short_is_told_with_exit_code_3_and_kept(capsys: Capture, tmp_path: Path) -> None:
    command = ["simulate", "permutation:size=1MiB", "--on", SMALL, "--end", "3us", "--out", str(tmp_path / "run")]
    document = ask_json(capsys, *command, code=3)
    assert document["schema"] == "uet.simulate/1"
    assert document["status"] == "unfinished"
    assert document["finished"] < document["flows"]
    assert len(document["errors"]) == 1
    assert document["fct_us"]["max"] is None
    assert json.loads((tmp_path / "run" / "manifest.json").read_text())["status"] == "invalid"
    assert run(command[:-2]) == 3
    assert "were not done at the end" in capsys.readouterr().err


def test_an_interrupted_run_is_kept_and_marked(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from emulation.packet.simulate import Simulation

    advance = Simulation.advance

    def interrupted(self: Simulation, max_events: int = 0) -> bool:
        advance(self, 100)
        raise KeyboardInterrupt

    monkeypatch.setattr("emulation.packet.warmup.warm_up", lambda fabric, settings: 0.0)
    monkeypatch.setattr(Simulation, "advance", interrupted)
    command = ["simulate", "permutation:size=1MiB", "--on", SMALL, "--out", str(tmp_path / "run")]
    document = ask_json(capsys, *command, code=130)
    assert document["status"] == "partial"
    assert document["events"] > 0
    assert json.loads((tmp_path / "run" / "manifest.json").read_text())["status"] == "partial"


def test_settings_reach_the_simulation(capsys: Capture) -> None:
    command = ["simulate", "permutation:size=64KiB", "--on", SMALL]
    plain = ask_json(capsys, *command)
    assert plain["settings"]["lb.entropies"] == 64
    small = ask_json(
        capsys, *command, "--set", "lb.entropies=1", "--payload", "1024", "--no-trim", "--profile", "htsim"
    )
    assert small["settings"]["lb.entropies"] == 1
    assert small["data_packets"] == 4 * plain["data_packets"]
    assert small["network"]["trimming"] is False
    assert small["profile"] == "htsim"


def test_passing_packets_through_their_bytes_changes_nothing(capsys: Capture) -> None:
    command = ["simulate", "permutation:size=64KiB", "--on", SMALL]
    plain, bytes_ = ask_json(capsys, *command), ask_json(capsys, *command, "--wire")
    assert plain["wire_refusals"] is None
    assert bytes_["wire_refusals"] == 0
    for name in ("fct_us", "finish_us", "events", "acks", "trims"):
        assert bytes_[name] == plain[name]


def test_a_connection_matrix_runs_with_the_profile_of_htsim(capsys: Capture, tmp_path: Path) -> None:
    (tmp_path / "two.cm").write_text("Nodes 16\nConnections 2\n0->1 start 0 size 10000\n2->3 start 5 size 20000\n")
    document = ask_json(capsys, "simulate", str(tmp_path / "two.cm"), "--on", SMALL)
    assert (document["flows"], document["profile"]) == (2, "htsim")


def test_parameters_list_units_and_defaults(capsys: Capture) -> None:
    rows = ask_json(capsys, "parameters")["parameters"]
    found = {row["key"]: row for row in rows}
    assert found["lb.entropies"]["default"] == 64
    assert {"queue.bdp", "rto.init_us", "ack.trigger_bytes"} <= set(found)
    assert all(row["meaning"] for row in rows)
    assert "lb.entropies" in ask_text(capsys, "parameters", "--profile", "htsim")


def test_parameters_show_what_controllers_derive_from_a_network(capsys: Capture) -> None:
    network = ["--linkspeed-gbps", "1200", "--rtt-us", "10", "--payload", "1000"]
    shown = ask_json(capsys, "parameters", *network)
    nscc = shown["derived"]["nscc"]
    assert (nscc["scaling_a"], nscc["scaling_b"], nscc["target_qdelay_us"]) == (10, 0.625, 7.5)
    assert (nscc["bdp_bytes"], nscc["max_wnd_bytes"]) == (1_500_000, 2_250_000)
    assert (nscc["fi"], nscc["fi_scale"], nscc["eta"], nscc["alpha"]) == (50_000, 2.5, 1_500, 10 / 3)
    assert (nscc["qa_period_us"], nscc["qa_threshold_us"]) == (17.5, None)
    assert "1000 bytes is not legal" in shown["warnings"][0]
    dropping = ask_json(capsys, "parameters", *network, "--set", "trim.enabled=0")["derived"]["nscc"]
    assert (dropping["target_qdelay_us"], dropping["qa_threshold_us"]) == (10, 40)
    values = {row["key"]: row["value"] for row in shown["parameters"]}
    assert (values["cc.window_bytes"], values["queue.bdp"], values["ecn.last_hop"]) == (2_250_000, 1, 1)
    assert run(["parameters", "--rtt-us", "0"]) == 2
    assert run(["parameters", "--set", "nscc.gama=1"]) == 2
    assert "did you mean 'nscc.gamma'" in capsys.readouterr().err


def test_new_writes_parts_that_load(capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = ask_json(capsys, "new", "cc", "Mine")
    assert (made["file"], made["option"]) == ("mine.py", "--cc ./mine.py:Mine")
    assert len((tmp_path / "mine.py").read_text().splitlines()) <= 60
    assert "--lb ./other.py:Mine" in ask_text(capsys, "new", "lb", "Mine", "--file", "other.py")
    assert run(["new", "cc", "Mine"]) == 2
    assert "mine.py is there already" in capsys.readouterr().err
    assert run(["new", "cc", "Mine", "--force"]) == 0
    for wrong in (["new", "cc", "2x"], ["new", "pp", "Mine"], ["new", "lb", "Mine", "--file", "nowhere/x.py"]):
        assert run(wrong) == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mine.py", "other.py"]


def test_wire(capsys: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    packet = "1184fffe0001000100010001"  # a RUD request that opens a PDC
    decoded = ask_json(capsys, "wire", "decode", packet, "--link", "uet")
    assert decoded["headers"][0]["name"] == "pds.rud_req"
    assert decoded["headers"][0]["fields"]["psn"] == 0x10001
    (tmp_path / "packet.json").write_text(json.dumps(decoded))
    assert ask_json(capsys, "wire", "encode", str(tmp_path / "packet.json"))["hex"] == packet
    assert ask_text(capsys, "wire", "encode", str(tmp_path / "packet.json")).strip() == packet
    assert "RUD_REQ" in ask_text(capsys, "wire", "decode", packet, "--link", "uet")
    fields = ask_json(capsys, "wire", "describe", "pds.ack_cc")["fields"]
    assert "sack_bitmap" in [f["name"] for f in fields]
    assert "sack_bitmap" in ask_text(capsys, "wire", "describe", "pds.ack_cc")
    unread = ask_json(capsys, "wire", "decode", "00", code=2)
    assert unread["headers"] == []
    assert unread["errors"]


def test_wire_decodes_captures(capsys: Capture, tmp_path: Path) -> None:
    from uet.transport.wire.capture import write_capture

    path = tmp_path / "two.pcapng"
    frame = bytes.fromhex("ffffffffffff0011223344550800") + bytes(46)
    write_capture(path, [(1000, frame), (2000, frame)])
    packets = ask_json(capsys, "wire", "decode", str(path))["packets"]
    assert [(p["number"], p["time_ps"]) for p in packets] == [(1, 1000), (2, 2000)]
    assert all(p["headers"][0]["name"] == "eth" for p in packets)
    assert "packet 2" in ask_text(capsys, "wire", "decode", str(path))


def test_doctor(capsys: Capture) -> None:
    document = ask_json(capsys, "doctor")
    checks = {c["name"]: c for c in document["checks"]}
    assert checks["python"]["ok"] is True
    assert checks["libraries"]["ok"] is True
    assert document["can_simulate"] is (checks["compiler"]["ok"] and checks["kernel cache"]["ok"])
    for check in checks.values():
        assert check["value"]
        assert check["remedy"] if check["ok"] is False else True
    assert "This machine" in ask_text(capsys, "doctor")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(capsys: Capture, shell: str) -> None:
    assert "_UET_COMPLETE" in ask_text(capsys, "completion", shell)


def test_bandwidth(capsys: Capture, tmp_path: Path) -> None:
    found = ask_json(capsys, "bandwidth", "hammingmesh:board=2x2,grid=4x4")
    assert found["fraction"] == found["fraction_uncapped"] == pytest.approx(63 / (2 * 8 * 4 * 3))
    assert found["gbps_per_accelerator"] == pytest.approx(found["fraction"] * 6400)
    assert found["lower"] <= found["upper"] and found["exact"] and found["method"]
    assert found["domain"] == "scale-out" and found["fraction_of_peak"] is None and found["profile"] is None
    picture = tmp_path / "profile.png"
    arguments = ("bandwidth", SMALL, "--pattern", "allreduce", "--fail", "switch leaf0", "--plot", str(picture))
    profile = ask_json(capsys, *arguments)
    assert profile["cut_off"] == 4 and picture.stat().st_size > 5000
    assert [step["size"] for step in profile["profile"]] == [2, 4, 12]
    assert {"gbps_per_accelerator", "lower", "upper", "domain"} <= set(profile["profile"][0]["best"])
    assert run(arguments) == 2  # the picture exists
    assert "--force" in capsys.readouterr().err
    assert "Locality profile" in ask_text(capsys, "bandwidth", SMALL, "--by-size")


def test_bandwidth_without_anybody_to_talk_to(capsys: Capture) -> None:
    leaves = "; ".join(f"switch leaf{k}" for k in range(4))
    found = ask_json(capsys, "bandwidth", SMALL, "--fail", leaves, code=3)
    assert "fewer than two accelerators" in found["errors"][0]
