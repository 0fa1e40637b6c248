"""`uet simulate --backend flow`, from the command line to exit codes and run folders."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from asking import Capture, ask_json

from uet.cli.main import run

TREE = ["--on", "fat-tree:hosts=16,radix=8", "--backend", "flow"]
SHARED_FIELDS = {
    "flows", "finished", "fct_us", "finish_us", "data_packets", "retransmissions", "trims", "drops", "ecn_marks",
    "acks", "nacks", "rto", "events", "packet_hops", "sim_us", "cpu_s", "compile_s", "wall_s", "peak_rss_bytes",
    "profile", "seed", "status",
}  # fmt: skip


def test_the_document_has_the_fields_of_the_packet_simulator(capsys: Capture, tmp_path: Path) -> None:
    out = str(tmp_path / "run")
    found = ask_json(capsys, "simulate", "permutation:size=1MiB", *TREE, "--out", out)
    assert set(found) >= SHARED_FIELDS
    assert found["flows"] == found["finished"] == 16
    assert found["trims"] is None
    assert found["backend"] == "flow"
    flows = pq.read_table(tmp_path / "run" / "flows.parquet")
    assert flows.num_rows == 16
    assert max(flows["fct_ps"].to_pylist()) == round(found["fct_us"]["max"] * 1e6)
    assert json.loads((tmp_path / "run" / "manifest.json").read_text())["status"] == "complete"


def test_a_merged_alltoall_counts_all_its_flows(capsys: Capture) -> None:
    found = ask_json(capsys, "simulate", "alltoall:size=1MiB", *TREE)
    assert found["flows"] == found["finished"] == 240
    assert found["channels"] == 2


def test_too_little_time_ends_with_3_and_failures_slow_down(capsys: Capture) -> None:
    cut = ask_json(capsys, "simulate", "permutation:size=1MiB", *TREE, "--end", "10us", code=3)
    assert (cut["finished"], cut["status"]) == (0, "unfinished")
    whole = ask_json(capsys, "simulate", "permutation:size=1MiB", *TREE)
    failed = ask_json(capsys, "simulate", "permutation:size=1MiB", *TREE, "--fail", "link leaf0-spine0")
    assert failed["fct_us"]["max"] > whole["fct_us"]["max"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--cc", "nscc"], "--cc is for the packet backend, not for flow; leave it out"),
        (["--wire"], "--wire is for the packet backend, not for flow"),
        (["--lb", "best"], "no load balancer of the flow level is called 'best'"),
        (["--fail", "link leaf0-spine9"], "no node is called 'spine9'"),
        (["--set", "mtu.payload_bytes=1000"], "mtu.payload_bytes=1000 is not legal in UET"),
    ],
)
def test_mistakes_at_flow_level(capsys: Capture, arguments: list[str], complaint: str) -> None:
    assert run(["simulate", "permutation:size=1MiB", *TREE, *arguments]) == 2
    assert complaint in capsys.readouterr().err
