"""GOAL text and binary: the reference's bytes, round trips, and complaints about broken files."""

import hashlib
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uet.base.errors import BadInput
from uet.schedule.collectives import ring
from uet.schedule.goal import convert, read_batches, read_goal, write_goal
from uet.schedule.model import ANY, CALC, COPY, RECV, REDUCE, SEND, Schedule, ScheduleBuilder
from uet.schedule.works import build_work

EAGER = "num_ranks 2\n\nrank 0 {\na: send 1000b to 1 tag 5\n}\n\nrank 1 {\na: recv 1000b from 0 tag 5\n}\n"
TWICE = "num_ranks 1\n\nrank 0 {\na: calc 5\na: calc 600 cpu 1\nb: calc 1\nb requires a\n}\n"


def _file(path: Path, text: str) -> Path:
    file = path / "t.goal"
    file.write_text(text)
    return file


def _same(a: Schedule, b: Schedule) -> None:
    assert a.n_ranks == b.n_ranks
    for name in ("operations", "first_dependency", "dependencies"):
        assert np.array_equal(getattr(a, name), getattr(b, name)), name
    for name in ("on_start", "declared"):
        one, other = getattr(a, name), getattr(b, name)
        assert (one is None) == (other is None) and (one is None or np.array_equal(one, other)), name


@pytest.mark.parametrize(
    ("text", "sha256", "size"),
    [
        (EAGER, "0d688c68ead673345b86a02a34b502086d1c651c427875a0b07bb8237c5c20ca", 148),
        (TWICE, "677bce0916c4342a66550238f1230556309d8e1ff9cb6c7725e5a554f6ff51a1", 167),
    ],
    ids=["one message", "a label twice: the first counts"],
)
def test_binaries_are_those_of_txt2bin(tmp_path: Path, text: str, sha256: str, size: int) -> None:
    """Hashes of files written by LogGOPSim's txt2bin (commit 76451de)."""
    convert(_file(tmp_path, text), tmp_path / "t.bin")
    data = (tmp_path / "t.bin").read_bytes()
    assert len(data) == size and hashlib.sha256(data).hexdigest() == sha256


def test_the_layout_of_a_node(tmp_path: Path) -> None:
    """Two dependents of each kind, declared out of order; wildcards are all ones."""
    text = (
        "num_ranks 1\nrank 0 {\nx: recv 7b from -1 tag -1 cpu 2 nic 3\ny: calc 9\nz: calc 8 cpu 1\n"
        "z requires x\ny requires x\ny irequires z\n}\n"
    )
    convert(_file(tmp_path, text), tmp_path / "t.bin")
    data = (tmp_path / "t.bin").read_bytes()
    assert struct.unpack_from("<QIBBQQ", data) == (4223, 1, 2, 3, 22, len(data) - 8)
    block = data[30:]
    assert struct.unpack_from("<III", block) == (3, 1, 0)
    nodes = [struct.unpack_from("<IBIQIBBIIII", block, 12 + 39 * i) for i in range(3)]
    assert nodes[0] == (0, 2, 2**32 - 1, 7, 2**32 - 1, 2, 3, 2, 0, 0, 2)
    assert nodes[1] == (2, 3, 0, 9, 0, 0, 0, 0, 2, 0, 2)
    assert nodes[2] == (1, 3, 0, 8, 0, 1, 0, 0, 2, 1, 2)
    assert struct.unpack_from("<III", block, 12 + 39 * 3) == (2, 1, 1)


def test_what_a_text_means(tmp_path: Path) -> None:
    text = (
        "// a comment\nnum_ranks 2\r\n\nrank 0 {\r\n  l1 : send 10 b to 1 tag 3 cpu 1 nic 2 \n/* more\n} */\n"
        "\tl2: calc 5\nl2 irequires l1\n  calc 7\n}\nrank 1 {\nsend1: recv 10b from -1\n}"
    )
    schedule = read_goal(_file(tmp_path, text))
    ops = schedule.operations
    assert ops["kind"].tolist() == [SEND, CALC, CALC, RECV]
    assert ops[["rank", "peer", "tag", "bytes", "cpu", "nic"]].tolist()[0] == (0, 1, 3, 10, 1, 2)
    assert ops["duration_ps"].tolist() == [0, 5000, 7000, 0]
    assert ops["peer"].tolist() == [1, -1, -1, ANY]
    assert schedule.dependencies.tolist() == [0] and schedule.on_start is not None
    assert schedule.on_start.tolist() == [True]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", r"t.goal:1:1: expected 'num_ranks NUMBER'"),
        ("num_ranks 0\n", r"t.goal:1:1: expected 'num_ranks NUMBER' with at least one rank"),
        ("num_ranks 2\nrank 1 {\n}\n", r"t.goal:2:1: expected rank 0 here"),
        ("num_ranks 2\nrank 0 {\n}\n", r"t.goal:4:1: expected 'rank 1 \{'"),
        ("num_ranks 1\nrank 0\n{\n}\n", r"t.goal:2:7: expected 'rank 0 \{'"),
        ("num_ranks 1\nrank 0 {\ncalc 5\n", r"t.goal:4:1: rank 0 is not closed; add '\}'"),
        ("num_ranks 1\nrank 0 {\ncalc -5\n}\n", r"t.goal:3:6: expected a whole number"),
        ("num_ranks 1\nrank 0 {\ncalc 5.5\n}\n", r"t.goal:3:7: expected the end of the line"),
        ("num_ranks 1\nrank 0 {\ncalc 5 // no\n}\n", r"t.goal:3:8: expected the end of the line"),
        ("num_ranks 1\nrank 0 {\ncalc 99999999999999999999\n}\n", r"t.goal:3:6: the number is too large"),
        ("num_ranks 1\nrank 0 {\ncalc 5 cpu 256\n}\n", r"t.goal:3:12: the number is too large"),
        ("num_ranks 1\nrank 0 {\nsend 5 to 0\n}\n", r"t.goal:3:8: expected 'b' after the number of bytes"),
        ("num_ranks 1\nrank 0 {\nsend 5b from 0\n}\n", r"t.goal:3:9: expected 'to RANK'"),
        ("num_ranks 1\nrank 0 {\nrecv 5b to 0\n}\n", r"t.goal:3:9: expected 'from RANK'"),
        ("num_ranks 1\nrank 0 {\nsend 5b to -1\n}\n", r"t.goal:3:12: expected a whole number"),
        ("num_ranks 2\nrank 0 {\na: send 5b to 1 tag 1 nic 0 cpu 0\n}\n", r"t.goal:3:29: expected the end of the line"),
        (
            "num_ranks 1\nrank 0 {\na: calc 5\nb requires a\n}\n",
            r"t.goal:4:1: the label is not defined above in rank 0",
        ),
        (
            "num_ranks 1\nrank 0 {\na: calc 5\na requires b\nb: calc 1\n}\n",
            r"t.goal:4:12: the label is not defined above",
        ),
        ("num_ranks 1\nrank 0 {\na: calc 5\na needs a\n}\n", r"t.goal:4:3: expected ':', 'requires' or 'irequires'"),
        ("num_ranks 1\nrank 0 {\nsend: calc 5\n}\n", r"t.goal:3:5: expected a whole number"),
        ("num_ranks 1\nrank 0 {\na: cal 5\n}\n", r"t.goal:3:4: expected send, recv or calc"),
        ("num_ranks 1\nrank 0 {\n5: calc 5\n}\n", r"t.goal:3:1: expected an operation, a label or '\}'"),
        ("num_ranks 2\nrank 0 {\nsend 1b to 2\n}\nrank 1 {\n}\n", r"rank 0 sends to rank 2 but ranks are 0..1"),
        ("num_ranks 1\nrank 0 {\ncalc 4000000000000000000\n}\n", r"106 days"),
    ],
)
def test_broken_texts_are_explained_with_line_and_column(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        read_goal(_file(tmp_path, text))


def test_labels_of_another_rank_are_unknown(tmp_path: Path) -> None:
    text = "num_ranks 2\nrank 0 {\na: calc 1\n}\nrank 1 {\nb: calc 1\nb requires a\n}\n"
    with pytest.raises(BadInput, match=r"t.goal:7:12: the label is not defined above in rank 1"):
        read_goal(_file(tmp_path, text))


@st.composite
def _schedules(draw: st.DrawFn) -> Schedule:
    """Schedules sorted by rank, as files are, with dependencies forwards and backwards."""
    n_ranks = draw(st.integers(1, 4))
    builder = ScheduleBuilder("t", n_ranks, 0)
    counts = [draw(st.integers(0, 6)) for _ in range(n_ranks)]
    for rank, count in enumerate(counts):
        start = builder.n_operations
        for _ in range(count):
            after = tuple(draw(st.lists(st.integers(start, start + count - 1), max_size=3)))
            kind = draw(st.sampled_from([SEND, RECV, CALC]))
            size = draw(st.sampled_from([0, 1, 77, 2**40]))
            common = {"after": after, "cpu": draw(st.integers(0, 255))}
            if kind == CALC:
                builder.add(CALC, rank, duration_ps=size * 1000, **common)
            else:
                peer = draw(st.integers(ANY if kind == RECV else 0, n_ranks - 1))
                tag, nic = draw(st.sampled_from([ANY, 0, 5, 2**32 - 2])), draw(st.integers(0, 255))
                builder.add(kind, rank, peer=peer, bytes=size, tag=tag, nic=nic, **common)
    schedule = builder.build()
    m = len(schedule.dependencies)
    on_start = np.array(draw(st.lists(st.booleans(), min_size=m, max_size=m)), np.bool_)
    return replace(schedule, on_start=on_start if on_start.any() else None, data_bytes=0)


@settings(max_examples=60, deadline=None)
@given(schedule=_schedules())
def test_texts_and_binaries_say_all_of_a_schedule(schedule: Schedule, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("goal")
    write_goal(schedule, path / "a.goal")
    _same(read_goal(path / "a.goal"), schedule)
    write_goal(schedule, path / "a.bin")
    convert(path / "a.goal", path / "b.bin")
    assert (path / "a.bin").read_bytes() == (path / "b.bin").read_bytes()
    convert(path / "a.bin", path / "b.goal")
    convert(path / "b.goal", path / "c.bin")
    assert (path / "a.bin").read_bytes() == (path / "c.bin").read_bytes()


def test_the_order_of_declaration_survives(tmp_path: Path) -> None:
    text = "num_ranks 1\nrank 0 {\na: calc 1\nb: calc 2\nc: calc 3\nc requires a\nb requires a\n}\n"
    convert(_file(tmp_path, text), tmp_path / "t.bin")
    write_goal(read_goal(tmp_path / "t.goal"), tmp_path / "again.bin")
    assert (tmp_path / "again.bin").read_bytes() == (tmp_path / "t.bin").read_bytes()
    schedule = read_goal(tmp_path / "t.bin")
    assert schedule.declared is not None and schedule.declared.tolist() == [1, 0]


def test_batches_cover_many_ranks_and_one_large_one(tmp_path: Path) -> None:
    schedule = build_work("alltoall:size=1201", 600)  # 359,400 messages
    write_goal(schedule, tmp_path / "a.bin")
    write_goal(schedule, tmp_path / "a.goal")
    convert(tmp_path / "a.goal", tmp_path / "b.bin")
    assert (tmp_path / "a.bin").read_bytes() == (tmp_path / "b.bin").read_bytes()
    assert sum(1 for _ in read_batches(tmp_path / "a.goal")) > 2
    assert len(read_goal(tmp_path / "a.bin").operations) == len(schedule.operations)
    builder = ScheduleBuilder("large", 1, 0)
    builder.calc(np.zeros(300_000, int), 1000)
    write_goal(builder.build(), tmp_path / "c.goal")
    assert len(read_goal(tmp_path / "c.goal").operations) == 300_000


def test_reductions_and_copies_become_calcs(tmp_path: Path) -> None:
    schedule = ring.allreduce(3, 30, "uint8")
    assert REDUCE in schedule.operations["kind"] and COPY not in schedule.operations["kind"]
    write_goal(schedule, tmp_path / "r.goal", reduce_ps_per_byte=1000)
    calcs = read_goal(tmp_path / "r.goal").operations
    assert calcs["duration_ps"][calcs["kind"] == CALC].tolist() == [10_000] * 6


def test_what_goal_cannot_say_is_refused(tmp_path: Path) -> None:
    builder = ScheduleBuilder("across", 2, 0)
    calc = builder.calc(0, 1)
    builder.calc(1, 1, after=(calc,))
    with pytest.raises(BadInput, match="rank 1 waits for one of rank 0"):
        write_goal(builder.build(), tmp_path / "t.goal")
    builder = ScheduleBuilder("some", 1, 0)
    calcs = builder.calc([0, 0], 1)
    builder.calc(0, 1, after=tuple(calcs))
    with pytest.raises(BadInput, match="waits for some of a set"):
        write_goal(replace(builder.build(), needed=np.array([0, 0, 1], np.int32)), tmp_path / "t.goal")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d[:10], "cut off after 10 bytes"),
        (lambda d: d[:40], "cut off within its table"),
        (lambda d: d[:-1], "block of rank 1 lies outside"),
        (lambda d: (2342).to_bytes(8, "little") + d[8:], "--save-mem"),
        (lambda d: d[:46] + b"\x09" + d[47:], "rank 0: its block does not end"),
        (lambda d: d[:62] + b"\x07" + d[63:], "neither send, recv nor calc"),
        (lambda d: d[:58] + b"\x01" + d[59:], "dependency counts do not agree"),
    ],
)
def test_corrupt_binaries_are_refused(tmp_path: Path, change, words: str) -> None:  # type: ignore[no-untyped-def]
    convert(_file(tmp_path, EAGER), tmp_path / "t.bin")
    data = (tmp_path / "t.bin").read_bytes()
    (tmp_path / "t.bin").write_bytes(change(data))
    with pytest.raises(BadInput, match=words):
        read_goal(tmp_path / "t.bin")


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        read_goal(tmp_path / "absent.goal")
