"""Execution traces of PyTorch, Chakra and AICB: what is read, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import chakra_writer as chakra
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulation.workloads.imports.chakra import _NODE
from emulation.workloads.imports.protobuf import Bytes, decode
from emulation.workloads.imports.read import read_trace
from emulation.workloads.imports.summary import summary
from uet.base.errors import BadInput

ALL_REDUCE, ALL_GATHER, BROADCAST, REDUCE_SCATTER = 0, 2, 5, 7
COMP, SEND, RECV, COLLECTIVE = 4, 5, 6, 7

INTEGERS = {
    "int32": st.integers(-(2**31), 2**31 - 1), "int64": st.integers(-(2**63), 2**63 - 1),
    "uint32": st.integers(0, 2**32 - 1), "uint64": st.integers(0, 2**64 - 1),
    "sint32": st.integers(-(2**31), 2**31 - 1), "sint64": st.integers(-(2**63), 2**63 - 1),
    "fixed32": st.integers(0, 2**32 - 1), "fixed64": st.integers(0, 2**64 - 1),
    "sfixed32": st.integers(-(2**31), 2**31 - 1), "sfixed64": st.integers(-(2**63), 2**63 - 1),
    "bool": st.booleans(), "double": st.floats(allow_nan=False), "float": st.floats(width=32, allow_nan=False),
    "string": st.text(), "bytes": st.binary(),
}  # fmt: skip


def _rows(found: dict[str, Any]) -> list[tuple[Any, ...]]:
    return [
        tuple(row[k] for k in ("type", "group_size", "count", "bytes_in", "bytes_out")) for row in found["collectives"]
    ]


@given(st.data(), st.sampled_from(sorted(INTEGERS)), st.booleans())
def test_every_kind_of_attribute_is_read_back(data: st.DataObject, kind: str, many: bool) -> None:
    value = data.draw(st.lists(INTEGERS[kind]) if many else INTEGERS[kind])
    written = chakra.node(5, "n", COMP, [chakra.attribute("a", value, kind, many)])
    (attribute,) = decode(Bytes(written, "x"), _NODE)["attributes"]
    assert attribute["name"] == "a"
    assert (attribute["list"].get("values", []) if many else attribute["value"]) == value


@given(st.binary(max_size=80))
def test_bytes_that_are_no_chakra_end_in_one_sentence(data: bytes) -> None:
    try:
        for message in Bytes(data, "x").messages():
            decode(message, _NODE)
    except BadInput as error:
        assert len(error.messages) == 1
        assert str(error).startswith("x: byte ")


def _collective(number: int, kind: int, n_bytes: int, group: str = "", integer: str = "int64", **more: Any) -> bytes:
    attributes = [chakra.attribute("comm_type", kind, integer), chakra.attribute("comm_size", n_bytes, integer)]
    attributes += [chakra.attribute("pg_name", group, "string"), chakra.attribute("involved_dim", [True], "bool", True)]
    return chakra.node(number, f"c{number}", COLLECTIVE, attributes, **more)


def _message(number: int, kind: int, peer: int, n_bytes: int, **more: Any) -> bytes:
    side = "comm_dst" if kind == SEND else "comm_src"
    fields = {side: peer, "comm_size": n_bytes, "comm_tag": 3}
    return chakra.node(number, "p2p", kind, [chakra.attribute(k, v, "int32") for k, v in fields.items()], **more)


def test_chakra_files_of_a_job(tmp_path: Path) -> None:
    for rank in range(4):
        (tmp_path / f"job.{rank}.et").write_bytes(chakra.file(
            chakra.node(0, "start", COMP, duration_us=7),
            _collective(1, ALL_REDUCE, 1000, integer="uint64", data=(0,)),
            _collective(2, ALL_GATHER, 10, group=str(1 + rank % 2), integer="fixed32", control=(1,)),
            _collective(3, REDUCE_SCATTER, 40, group=str(1 + rank % 2), integer="sint64", data=(2, 1)),
            _message(4, SEND, (rank + 1) % 4, 64, data=(3,)), _message(5, RECV, (rank - 1) % 4, 64, data=(3,)),
            chakra.node(6, "load", 2, [chakra.attribute("tensor_size", 5, "uint64")]),
            chakra.node(7, "odd", COLLECTIVE, [chakra.attribute("comm_type", 77)]),
        ))  # fmt: skip
    (tmp_path / "groups.json").write_text(json.dumps({"1": [0, 2], "2": [1, 3]}))
    wanted = [("allgather", 2, 2, 20, 40), ("allreduce", 4, 1, 1000, 1000), ("reducescatter", 2, 2, 80, 40)]
    for path, groups in ((tmp_path, None), (tmp_path / "job", tmp_path / "groups.json")):
        found = summary(read_trace(path, groups))
        assert (found["format"], found["ranks"], _rows(found)) == ("chakra", 4, wanted)
        assert found["p2p"] == {"count": 4, "bytes": 256, "sends": 4, "recvs": 4}
        assert found["calc_us"] == 28
        assert [(s["name"], s["count"]) for s in found["skipped"]] == [("MEM_LOAD", 4), ("odd", 4)]
    rank = read_trace(tmp_path).ranks[1]
    assert [c.after for c in rank.calls[:6]] == [(), (0,), (1,), (1, 2), (3,), (3,)]


def test_chakra_groups_stand_in_a_node_too(tmp_path: Path) -> None:
    listed = json.dumps([{"pg_name": "0", "ranks": [], "group_size": 8}, {"pg_name": "9", "ranks": [1, 5]}])
    nodes = [chakra.node(1, "## process_group:init ##", 1, tensors=listed), _collective(2, BROADCAST, 6, group="9")]
    (tmp_path / "x.1.et").write_bytes(chakra.file(*nodes))
    found = summary(read_trace(tmp_path / "x.1.et"))
    assert (found["recorded_ranks"], _rows(found)) == ([1], [("broadcast", 2, 1, 6, 6)])


def test_control_circles_of_the_schema_of_2023_are_left_out(tmp_path: Path) -> None:
    nodes = [_collective(1, ALL_REDUCE, 8, control=(1, 2)), _collective(2, ALL_REDUCE, 8, control=(1,), data=(1,))]
    (tmp_path / "old.0.et").write_bytes(chakra.file(*nodes, version="1.0.1"))
    found = summary(read_trace(tmp_path / "old.0.et"))
    assert _rows(found) == [("allreduce", None, 2, 16, 16)]
    assert "run in circles" in found["notes"][0]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (chakra.file(_collective(1, 0, 8))[:-3], "byte "),
        (chakra.file(version="7.1"), "is of version '7.1'"),
        (chakra.file(_collective(1, 0, 8, data=(2,)), _collective(2, 0, 8, control=(1,))), "circle of dependencies"),
        (chakra.file(_collective(1, 0, 8), _collective(1, 0, 8)), "stands twice"),
        (chakra.file(_collective(1, 0, 2**60)), "node 1 (c1): comm_size is"),
        (chakra.file(chakra.node(3, "n", 99)), "type 99 is not one of 0 to 7"),
        (chakra.file(chakra.node(3, "n", COMP, duration_us=2**50)), "node 3: lasts"),
        (b"\x7fELF" + bytes(300), "byte "),
    ],
)
def test_chakra_files_that_are_refused(tmp_path: Path, data: bytes, said: str) -> None:
    (tmp_path / "x.0.et").write_bytes(data)
    with pytest.raises(BadInput) as error:
        read_trace(tmp_path / "x.0.et")
    assert str(error.value).startswith(str(tmp_path / "x.0.et"))
    assert said in str(error.value)


def _tensor(elements: int, element_bytes: int = 4) -> list[Any]:
    return [1, 2, 0, elements, element_bytes, "cuda:0"]


def test_execution_traces_of_both_forms(tmp_path: Path) -> None:
    kinds = ["Tensor(float)", "Int", "Int", "Int", "String", "GenericList[]", "GenericList[]"]
    old = {"schema": "1.0.1", "nodes": [
        {"name": "process", "id": 1, "parent": 1},
        {"name": "record_param_comms", "id": 3, "parent": 1, "rf_id": 2, "input_types": kinds,
         "inputs": [_tensor(100), 9, 777, 0, "all_to_allv", [10] * 8, [10] * 8], "outputs": [_tensor(60)]},
        {"name": "record_param_comms", "id": 2, "parent": 1, "rf_id": 1, "input_types": kinds,
         "inputs": [[_tensor(5, 2)], 9, 777, 0, "allreduce", [], []], "outputs": [[_tensor(5, 2)]]},
        {"name": "record_param_comms", "id": 4, "parent": 1, "input_types": kinds[1:],
         "inputs": [9, 0, 0, "wait", [], []], "outputs": []},
    ]}  # fmt: skip
    (tmp_path / "et_3.json").write_text(json.dumps(old))
    found = summary(read_trace(tmp_path / "et_3.json"))
    assert (found["format"], found["recorded_ranks"]) == ("pytorch-et", [3])
    assert _rows(found) == [("allreduce", 8, 1, 10, 10), ("alltoall", 8, 1, 400, 240)]
    assert found["skipped"] == [{"name": "wait", "reason": "moves no data of its own", "count": 1}]

    groups = [{"pg_name": "0", "ranks": [], "group_size": 4}, {"pg_name": "5", "ranks": [1, 3], "group_size": 2}]
    attributes = {"collective_name": "send", "dtype": "BFloat16", "in_msg_nelems": 12, "out_msg_nelems": 12}
    attributes |= {"pg_name": "5", "pg_size": 2}
    inputs = [[_tensor(12, 2)], 1, ["5", ""], 1, "send", [], [], 1, 2, 2]
    new = {"schema": "1.1.1-chakra.0.0.4", "nodes": [
        {"name": "process", "id": 1, "ctrl_deps": 1},
        {"name": "## process_group:init ##", "id": 2, "ctrl_deps": 1, "inputs": {"values": [json.dumps(groups)]}},
        {"name": "record_param_comms", "id": 3, "ctrl_deps": 1, "inputs": {
            "values": inputs, "types": [*kinds[:1], "Int", "Tuple[String,String]", *kinds[3:], "Int", "Int", "Int"]},
         "outputs": {"values": []}, "attrs": [{"name": k, "value": v} for k, v in attributes.items()]},
    ]}  # fmt: skip
    (tmp_path / "rank1.json").write_text(json.dumps(new))
    call = read_trace(tmp_path / "rank1.json").ranks[0].calls[0]
    assert (call.kind, call.bytes_in, call.peer, call.group.ranks) == ("send", 24, 3, (1, 3))


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"schema": "2.0", "nodes": []}, "schema is '2.0'"),
        ({"schema": "1.0.1", "nodes": {}}, "nodes is not a list"),
        ({"schema": "1.0.1", "nodes": [{"name": "x"}]}, "node 0 has no id"),
        ({"schema": "1.0.1", "nodes": [{"id": 1, "parent": 2}, {"id": 2, "parent": 1}]}, "its own ancestor"),
        ({"schema": "1.0.1", "nodes": [{"id": 1}, {"id": 1}]}, "stands twice"),
        ({"schema": "1.0.1", "nodes": [{"id": 1, "name": "c10d::allreduce_", "inputs": [_tensor(-4)]}]}, "is -16"),
    ],
)
def test_execution_traces_that_are_refused(tmp_path: Path, document: Any, said: str) -> None:
    (tmp_path / "x.json").write_text(json.dumps(document))
    with pytest.raises(BadInput) as error:
        read_trace(tmp_path / "x.json")
    assert "x.json: " in str(error.value)
    assert said in str(error.value)


HEADER = "HYBRID_TRANSFORMER_FWD_IN_BCKWD model_parallel_NPU_group: 2 ep: 2 pp: 1 all_gpus: 16 pp_comm: 5\n"
LAYERS = (
    "attention\t-1\t1000\tALLGATHER\t800\t2000\tREDUCESCATTER\t800\t1\tNONE\t0\t100\n"
    "moe\t-1\t5\tALLTOALL_EP\t64\t5\tALLTOALL_EP\t64\t1\tALLREDUCE_DP_EP\t4000\t100\n"
    "grad_norm\t-1\t1\tALLGATHER\t1600\t1\tNONE\t0\t1\tALLREDUCE\t3200\t100"
)


def test_aicb_text(tmp_path: Path) -> None:
    (tmp_path / "w.txt").write_text(HEADER + "3\n" + LAYERS)
    trace = read_trace(tmp_path / "w.txt")
    found = summary(trace)
    assert (found["format"], found["ranks"], found["recorded_ranks"]) == ("aicb", 16, [0])
    assert _rows(found) == [
        ("allgather", 2, 1, 400, 800), ("allgather", 8, 1, 200, 1600), ("allreduce", 4, 1, 4000, 4000),
        ("allreduce", 8, 1, 3200, 3200), ("alltoall", 2, 2, 128, 128), ("reducescatter", 2, 1, 800, 400),
    ]  # fmt: skip
    assert found["skipped"][0]["name"] == "pp_comm"
    groups = {c.group.name: c.group.ranks for c in trace.ranks[0].calls}
    assert groups["ep"] == (0, 2)
    assert groups["dp_ep"] == (0, 4, 8, 12)
    assert groups["dp"] == tuple(range(0, 16, 2))
    assert found["calc_us"] == pytest.approx(3.015)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEADER + "4\n" + LAYERS, ":2: says 4 layers but 3 follow"),
        (HEADER, ":2: the number of layers is missing"),
        (HEADER + "3\n" + LAYERS[:-20], ":5: has"),
        (HEADER + "3\n" + LAYERS.replace("ALLTOALL_EP", "TELEPORT"), ":4: forward: 'TELEPORT' is no collective"),
        (HEADER + "3\n" + LAYERS.replace("800", "-8"), ":3: forward bytes is -8"),
        (HEADER.replace("16", "15") + "3\n" + LAYERS, ":1: 15 ranks are no multiple of 2 x 1"),
        (HEADER.replace("ep: 2", "ep: 0") + "3\n" + LAYERS, ":1: ep is 0"),
    ],
)
def test_aicb_texts_that_are_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "w.txt").write_text(text)
    with pytest.raises(BadInput) as error:
        read_trace(tmp_path / "w.txt")
    assert f"w.txt{said}" in str(error.value)
