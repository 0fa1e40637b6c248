"""Kineto traces: the recorded one of ours, and what NCCL's events amount to."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from emulation.workloads.imports.names import element_bytes, kind_of
from emulation.workloads.imports.read import read_trace
from emulation.workloads.imports.summary import summary
from emulation.workloads.imports.timeline import timeline
from emulation.workloads.imports.trace import Call
from uet.base.errors import BadInput

RECORDED = Path(__file__).with_name("gloo_ddp")
"""Traces of examples/gloo-ddp.py on 4 ranks, PyTorch 2.13.0 on a CPU, by `uet workload record`."""


def _rows(found: dict[str, Any]) -> list[tuple[Any, ...]]:
    return [
        tuple(row[k] for k in ("type", "group_size", "count", "bytes_in", "bytes_out")) for row in found["collectives"]
    ]


def _imported(folder: Path, document: Any) -> dict[str, Any]:
    file = folder / "rank0.json"
    file.write_text(document if isinstance(document, str) else json.dumps(document))
    return summary(read_trace(file))


def test_the_recorded_job_has_the_calls_of_its_program() -> None:
    found = summary(read_trace(RECORDED))
    gradients, scalar = 256 * 257 * 4, 4  # one bucket of a linear layer; per pair and step one of each
    whole = 4000 * 4
    assert (found["format"], found["ranks"], found["recorded_ranks"]) == ("kineto", 4, [0, 1, 2, 3])
    assert _rows(found) == [
        ("allgather", 2, 2, 2 * 8, 2 * 16),  # the pairs compare how many parameters they have
        ("allgather", 4, 1, 4000, whole),
        ("allreduce", 2, 8, 4 * (gradients + scalar), 4 * (gradients + scalar)),
        ("alltoall", 4, 1, 8192, 8192),
        ("barrier", 4, 1, 0, 0),
        ("broadcast", 2, 8, 2 * (gradients + 48 + 16), 2 * (gradients + 48 + 16)),  # parameters, shapes, buckets
        ("broadcast", 4, 1, 4000, 4000),
        ("reduce", 4, 1, 4000, 4000),
        ("reducescatter", 4, 1, whole, 4000),
    ]
    assert found["p2p"] == {"count": 4, "bytes": 4 * 8 * 256 * 4, "sends": 4, "recvs": 4}
    assert (found["skipped"], found["notes"]) == ([], [])
    one = summary(read_trace(RECORDED / "rank2.json.gz"))
    assert one["by_rank"][0]["p2p"] == {"count": 2, "bytes": 2 * 8192, "sends": 0, "recvs": 2}
    assert one["by_rank"][0]["collectives"] == found["by_rank"][2]["collectives"]


def _record(name: str, identity: int, elements: int, **more: Any) -> dict[str, Any]:
    fields = {
        "External id": identity, "Collective name": name, "dtype": "BFloat16", "In msg nelems": elements,
        "Out msg nelems": elements, "Group size": 4, "Process Group Name": "7", "Process Group Ranks": "[0, 2, ...]",
        "Global rank start": 0, "Global rank stride": 2, **more,
    }  # fmt: skip
    return {"ph": "X", "cat": "cpu_op", "name": "record_param_comms", "ts": identity, "dur": 1, "args": fields}


def _kernel(identity: int, start: float, **more: Any) -> dict[str, Any]:
    name = "ncclDevKernel_AllReduce_Sum_bf16_RING_LL(ncclDevComm*)"
    arguments = {"External id": identity, **more}
    return {"ph": "X", "cat": "kernel", "name": name, "ts": start, "dur": 50, "args": arguments}


def test_a_host_event_and_its_kernel_are_one_call(tmp_path: Path) -> None:
    outside = _record("_allgather_base", 9, 100, **{"Out msg nelems": 400})["args"]
    events = [
        {"ph": "M", "name": "process_name", "args": {}}, _record("allreduce", 1, 1000), _kernel(1, 500.0),
        _record("wait", 2, 0, dtype="Byte"), _record("send", 3, 64, **{"Dst Rank": 6}),
        _record("recv", 4, 32, **{"Src Rank": 2}), _kernel(9, 700.0, **outside), _kernel(10, 900.0),
        {"ph": "X", "cat": "user_annotation", "name": "nccl:all_reduce", "ts": 1, "dur": 1, "args": {}},
        _record("allreduce", 5, 10, dtype="Decimal"),
    ]  # fmt: skip
    document = {"schemaVersion": 1, "distributedInfo": {"rank": 0, "world_size": 8}, "traceEvents": events}
    found = _imported(tmp_path, document)
    assert (found["ranks"], found["recorded_ranks"]) == (8, [0])
    assert _rows(found) == [("allgather", 4, 1, 200, 800), ("allreduce", 4, 1, 2000, 2000)]
    assert found["p2p"] == {"count": 2, "bytes": 192, "sends": 1, "recvs": 1}
    assert sorted((s["name"], s["count"]) for s in found["skipped"]) == [
        ("allreduce", 1), ("ncclDevKernel_AllReduce_Sum_bf16_RING_LL", 1), ("wait", 1),
    ]  # fmt: skip
    calls = read_trace(tmp_path / "rank0.json").ranks[0].calls
    assert next(c for c in calls if c.kind == "allreduce").group.ranks == (0, 2, 4, 6)
    assert next(c for c in calls if c.kind == "allreduce").start_us == 500.0  # when the kernel ran


def test_old_traces_tell_sizes_by_the_shapes_of_operators_and_annotations(tmp_path: Path) -> None:
    def event(name: str, start: int, shapes: list[Any], types: list[str]) -> dict[str, Any]:
        category = "cpu_op" if name.startswith("c10d") else "user_annotation"
        return {
            "ph": "X", "cat": category, "name": name, "ts": start, "dur": 5,
            "args": {"Input Dims": shapes, "Input type": types},
        }  # fmt: skip

    events = [
        event("c10d::allreduce_", 10, [[]], ["TensorList"]), event("nccl:all_reduce", 11, [[3, 100]], ["float"]),
        event("c10d::alltoall_base_", 20, [[30], [50], []], ["long int", "long int", ""]),
        event("nccl:all_to_all", 21, [[50]], ["long int"]),
        event("nccl:_reduce_scatter_base", 30, [[16, 2]], ["c10::Half"]),
        event("c10d::broadcast_", 40, [[]], ["TensorList"]),
        {"ph": "X", "cat": "kernel", "name": "ncclKernel_SendRecv_RING(x)", "ts": 50, "dur": 1, "args": {}},
    ]  # fmt: skip
    found = _imported(tmp_path, {"traceEvents": events, "distributedInfo": {"rank": 0, "world_size": 16}})
    assert _rows(found) == [
        ("allreduce", 16, 1, 1200, 1200), ("alltoall", 16, 1, 400, 240), ("reducescatter", 16, 1, 64, 4),
    ]  # fmt: skip
    assert {s["name"] for s in found["skipped"]} == {"c10d::broadcast_", "ncclKernel_SendRecv_RING"}
    assert found["notes"] == ["groups are not recorded; calls count as made by all 16 ranks"]


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ('{"traceEvents": [{"ph": "X"', "line 1 column"),
        ({"traceEvents": 5}, "traceEvents is not a list"),
        ({"traceEvents": ["?"]}, "event 0 is not a mapping"),
        ({"schemaVersion": 9, "traceEvents": []}, "schemaVersion is 9"),
        ({"traceEvents": [_record("allreduce", 1, -5)]}, "event 0 (allreduce): 'In msg nelems' is -5"),
        ({"traceEvents": [_record("allreduce", 1, 2**60)]}, "the file may be damaged"),
        ({"traceEvents": [_record("allreduce", 1, 1) | {"ts": "soon"}]}, "expected microseconds"),
        ({"traceEvents": [], "distributedInfo": {"rank": 4, "world_size": 4}}, "rank 4 of 4"),
        ({"words": []}, "no trace that uet knows"),
        ("[" * 100_000, "cut short"),
    ],
)
def test_what_is_wrong_is_named_in_one_sentence(tmp_path: Path, document: Any, said: str) -> None:
    with pytest.raises(BadInput) as error:
        _imported(tmp_path, document)
    assert len(error.value.messages) == 1
    assert str(tmp_path / "rank0.json") in str(error.value)
    if said != "cut short":
        assert said in str(error.value)


def test_a_file_cut_short_is_refused(tmp_path: Path) -> None:
    whole = (RECORDED / "rank0.json.gz").read_bytes()
    for data in (whole[:-200], gzip.compress(gzip.decompress(whole)[:-10])):
        (tmp_path / "rank0.json.gz").write_bytes(data)
        with pytest.raises(BadInput, match="cut short"):
            read_trace(tmp_path)


def test_files_must_be_of_one_job(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.json").write_text('{"traceEvents": [], "distributedInfo": {"rank": 1, "world_size": 2}}')
    with pytest.raises(BadInput, match="is of rank 1, as is"):
        read_trace(tmp_path)
    (tmp_path / "b.json").write_text('{"traceEvents": [], "distributedInfo": {"rank": 0, "world_size": 3}}')
    with pytest.raises(BadInput, match="is of a job of 3 ranks"):
        read_trace(tmp_path)
    (tmp_path / "b.json").write_text('{"schema": "1.1.0-chakra.0.0.4", "nodes": []}')
    with pytest.raises(BadInput, match="holds traces of kineto and pytorch-et"):
        read_trace(tmp_path)


def test_calls_wait_for_those_that_had_ended() -> None:
    calls = [Call("allreduce", start_us=10, duration_us=30), Call("send", start_us=20, duration_us=5)]
    calls += [Call("recv", start_us=26, duration_us=4), Call("allreduce", start_us=50, duration_us=1)]
    line = timeline(calls)
    computed = [(c.duration_us, c.after) for c in line if c.kind == "calc"]
    assert [c.kind for c in line] == ["allreduce", "calc", "send", "calc", "recv", "calc", "allreduce"]
    assert computed == [(10, ()), (6, (1,)), (10, (3, 0, 2, 4))]  # the last one from the end of the first call
    assert [c.after for c in line if c.kind != "calc"] == [(), (1,), (3,), (5,)]


def test_names_of_libraries_are_understood() -> None:
    names = {
        "c10d::_allgather_base_": "allgather", "nccl:all_to_all": "alltoall", "ncclDevKernel_SendRecv(x)": "sendrecv",
        "ncclKernel_ReduceScatter_RING_LL_Sum_float(a)": "reducescatter", "nccl:all_reduce_barrier": "barrier",
        "all_to_allv": "alltoall", "ALLREDUCE_DP_EP": "allreduce", "wait": None, "init": None,
        "c10d::recv_any_source_": "recv",
        "reduce_scatter_tensor_coalesced": "reducescatter", "gather": "gather", "nccl:coalesced": None,
    }  # fmt: skip
    assert {name: kind_of(name) for name in names} == names
    types = {"Float": 4, "c10::BFloat16": 2, "long int": 8, "Float8_e4m3fn": 1, "unsigned char": 1, "ComplexDouble": 16}
    assert {name: element_bytes(name) for name in types} == types
    assert element_bytes("Decimal") is None
