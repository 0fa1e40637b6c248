"""`uet workload import` and `record`: the document, the file, and what is refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from asking import Capture, ask_json, ask_text

from emulation.workloads.imports import kineto
from emulation.workloads.record import watched
from uet.cli.main import run

RECORDED = Path(__file__).parents[1] / "emulation" / "workloads" / "gloo_ddp"


def test_a_folder_of_traces_becomes_a_document_and_a_schedule(capsys: Capture, tmp_path: Path) -> None:
    target = tmp_path / "job.goal"
    found = ask_json(capsys, "workload", "import", str(RECORDED), "--out", str(target))
    assert found["ranks"] == 4
    assert set(found["collectives"][0]) == {"type", "count", "bytes_in", "bytes_out", "group_size"}
    assert (found["p2p"]["count"], found["skipped"], found["file"]) == (4, [], str(target))
    assert ask_json(capsys, "workload", "check", str(target))["ok"] is True
    text = ask_text(capsys, "workload", "import", str(RECORDED / "rank0.json.gz"))
    assert "reducescatter" in text
    assert "4, 1 recorded" in text


def test_what_cannot_be_read_or_matched_ends_with_2_and_leaves_nothing(capsys: Capture, tmp_path: Path) -> None:
    target = tmp_path / "job.goal"
    broken = tmp_path / "rank0.json"
    broken.write_text('{"traceEvents": [{')
    for trace in (str(broken), str(tmp_path / "absent"), str(RECORDED / "rank0.json.gz")):
        assert ask_json(capsys, "workload", "import", trace, "--out", str(target), code=2)["errors"]
    (tmp_path / "empty").mkdir()
    assert run(["workload", "import", str(tmp_path / "empty")]) == 2
    assert "has no traces" in capsys.readouterr().err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["empty", "rank0.json"]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["torchrun", "x.py"], "does not start with a Python interpreter"),
        ([sys.executable], "names no program"),
        ([sys.executable, "absent.py"], "absent.py: there is no such program"),
    ],
)
def test_commands_that_cannot_be_recorded(capsys: Capture, tmp_path: Path, command: list[str], said: str) -> None:
    assert run(["workload", "record", "--out", str(tmp_path / "t"), "--", *command]) == 2
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


FAKE_TORCH = """
import contextlib, json, os, sys, types

events, RANK = [], int(os.environ["RANK"])

@contextlib.contextmanager
def record_function(name):
    events.append({"ph": "X", "cat": "user_annotation", "name": name, "ts": len(events), "dur": 9, "args": {}})
    yield

class profile:
    def __init__(self, **keys):
        pass
    def start(self):
        events.clear()
    def stop(self):
        pass
    def export_chrome_trace(self, target):
        info = {"rank": RANK, "world_size": 2, "pg_config": [{"pg_name": "0", "ranks": [0, 1]}]}
        json.dump({"traceEvents": events, "distributedInfo": info}, open(target, "w"))

class ProcessGroup:
    pass

def all_reduce(tensor, group=None):
    arguments = {"Input Dims": [[tensor]], "Input type": ["float"]}
    events.append({"ph": "X", "name": "c10d::allreduce_", "ts": len(events), "dur": 1, "args": arguments})

class DistributedDataParallel:
    def __init__(self, process_group=None):
        pass
    def _pre_forward(self):
        pass

def module(name, **content):
    sys.modules[name] = types.ModuleType(name)
    vars(sys.modules[name]).update(content)
    return sys.modules[name]

calls = dict(
    init_process_group=lambda backend: None, destroy_process_group=lambda group=None: None, all_reduce=all_reduce,
    new_group=lambda ranks: ProcessGroup(), ProcessGroup=ProcessGroup, group=types.SimpleNamespace(WORLD=None),
    get_process_group_ranks=lambda group: [RANK] if group else [0, 1],
)
profiler = module("torch.profiler", profile=profile, record_function=record_function,
                  ProfilerActivity=types.SimpleNamespace(CPU=0))
distributed = module("torch.distributed", distributed_c10d=types.SimpleNamespace(), **calls)
hooks = "torch.distributed.algorithms.ddp_comm_hooks"
for name in ("torch.distributed.algorithms", hooks, "torch.nn"):
    module(name)
module(hooks + ".default_hooks", allreduce_hook=None)
module("torch.nn.parallel", DistributedDataParallel=DistributedDataParallel)
"""
"""Stands for PyTorch, which the tests do not install: as much of it as the recorder touches."""

PROGRAM = """
import sys
import torch.distributed as dist
from torch.distributed import distributed_c10d
assert sys.argv[1:] == ["word"] and distributed_c10d.all_reduce is dist.all_reduce
dist.init_process_group("gloo")
dist.all_reduce(10)
dist.all_reduce(5, group=dist.new_group([0]))
"""


@pytest.fixture
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    package = tmp_path / "packages" / "torch"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(FAKE_TORCH)
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    (tmp_path / "program.py").write_text(PROGRAM)
    return ["workload", "record", "--ranks", "2", "--out", str(tmp_path / "t"), "--", sys.executable]


def test_every_rank_is_started_and_its_trace_kept(capsys: Capture, tmp_path: Path, record: list[str]) -> None:
    assert run([*record[:2], "--json", *record[2:], str(tmp_path / "program.py"), "word"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [Path(f).name for f in found["files"]] == ["rank0.json.gz", "rank1.json.gz"]
    assert [(c["group_size"], c["count"], c["bytes_in"]) for c in found["collectives"]] == [(1, 2, 40), (2, 1, 40)]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["packages", "program.py", "t"]
    assert run([*record, str(tmp_path / "program.py"), "word"]) == 2  # the folder is there already


def test_a_rank_that_fails_or_does_not_communicate_ends_with_3(
    capsys: Capture, tmp_path: Path, record: list[str]
) -> None:
    for text, said in (("raise SystemExit('went wrong')", "went wrong"), ("", "left no trace")):
        (tmp_path / "program.py").write_text(text)
        assert run([*record, str(tmp_path / "program.py")]) == 3
        assert said in capsys.readouterr().err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["packages", "program.py"]


def test_both_sides_agree_on_the_mark_of_a_group() -> None:
    assert watched.GROUP_MARK == kineto.GROUP_MARK
    assert json.loads((watched.GROUP_MARK + "[0, 2]").removeprefix(kineto.GROUP_MARK)) == [0, 2]
