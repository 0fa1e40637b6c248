"""htsim connection matrices: what each line becomes, and each trap as a message."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from emulation.operations import operations
from emulation.workloads.connection_matrix import FIRST_OWN_ID, read_cm
from tests.schedule.schedules import run_and_check
from uet.base.errors import BadInput
from uet.schedule.model import CALC, SEND, Schedule, ScheduleBuilder
from uet.schedule.order import finish_times


def _read(path: Path, text: str) -> Schedule:
    file = path / "t.cm"
    file.write_text(text)
    return read_cm(file)


def _sends(schedule: Schedule) -> np.ndarray:  # type: ignore[type-arg]
    return schedule.operations[schedule.operations["kind"] == SEND]


def _starts(schedule: Schedule, send_ps: int) -> list[int]:
    """Start of each send if every send takes `send_ps`."""
    ops = schedule.operations
    weight = np.where(ops["kind"] == SEND, send_ps, ops["duration_ps"])
    return (finish_times(schedule, weight)[ops["kind"] == SEND] - send_ps).tolist()


def test_flows_become_sends_with_their_ids_as_tags(tmp_path: Path) -> None:
    schedule = _read(
        tmp_path, "Nodes 4\nConnections 2\n# text\n0->1 id 7 start 0 size 100\n\n3->1 start 0 size 50 prio 2\n"
    )
    sends = _sends(schedule)
    assert schedule.n_ranks == 4
    assert sends[["rank", "peer", "bytes", "tag"]].tolist() == [(0, 1, 100, 7), (3, 1, 50, FIRST_OWN_ID)]
    assert schedule.needed is None
    run_and_check(schedule)


def test_start_times_are_microseconds_and_may_share_a_host(tmp_path: Path) -> None:
    text = (
        "Nodes 3\nConnections 4\n0->1 start 5 size 9\n0->2 start 2 size 9\n0->1 start 5 size 9\n1->2 start 0 size 9\n"
    )
    schedule = _read(tmp_path, text)
    assert _starts(schedule, 1) == [5_000_000, 2_000_000, 5_000_000, 0]
    calcs = schedule.operations[schedule.operations["kind"] == CALC]
    assert calcs["duration_ps"].tolist() == [2_000_000, 3_000_000]  # one after the other on one processor


def test_a_oneshot_starts_its_flows_after_the_send_is_done_even_of_another_host(tmp_path: Path) -> None:
    text = (
        "Nodes 3\nConnections 3\nTriggers 1\n0->1 id 1 start 3 size 9 send_done_trigger 4\n"
        "1->2 id 2 trigger 4 size 9\n2->0 id 3 trigger 4 size 9\ntrigger id 4 oneshot\n"
    )
    schedule = _read(tmp_path, text)
    assert _starts(schedule, 10) == [3_000_000, 3_000_010, 3_000_010]


def test_a_multishot_starts_one_more_flow_with_each_send_done(tmp_path: Path) -> None:
    """A window of two: flows that end at 1, 4 (sorted) start the two targets in file order."""
    text = (
        "Nodes 4\nConnections 4\nTriggers 1\n0->1 id 1 start 4 size 9 send_done_trigger 1\n"
        "0->2 id 2 start 1 size 9 send_done_trigger 1\n0->3 id 3 trigger 1 size 9\n0->1 id 4 trigger 1 size 9\n"
        "trigger id 1 multishot\n"
    )
    assert _starts(_read(tmp_path, text), 10) == [4_000_000, 1_000_000, 1_000_010, 4_000_010]


def test_a_barrier_waits_for_its_count(tmp_path: Path) -> None:
    flows = "".join(f"{k}->3 id {k + 1} start {10 * k} size 9 send_done_trigger 1\n" for k in range(3))
    text = f"Nodes 4\nConnections 4\nTriggers 1\n{flows}3->0 id 9 trigger 1 size 9\ntrigger id 1 barrier count %d\n"
    assert _starts(_read(tmp_path, text % 3), 5)[3] == 20_000_005
    assert _starts(_read(tmp_path, text % 2), 5)[3] == 10_000_005


def test_messages_of_one_connection_share_an_id(tmp_path: Path) -> None:
    schedule = _read(
        tmp_path, "Nodes 2\nConnections 2\n0->1 id 1 start 0 size 10 msg 1\n0->1 id 1 start 0 size 20 msg\n"
    )
    assert _sends(schedule)["bytes"].tolist() == [10, 20]
    run_and_check(schedule)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("0->1 start 10.75 size 9", r"t.cm:3: start '10.75' is not a whole number"),
        ("0->1 start 75000000 size 9", r"t.cm:3: start 75000000 is 75 s"),
        ("0->1 start 0", r"t.cm:3: the flow has no size"),
        ("0->1 start 0 size 0", r"t.cm:3: the flow has no size"),
        ("0->0 start 0 size 9", r"t.cm:3: source and destination are both 0"),
        ("0->4 start 0 size 9", r"t.cm:3: host 4 is not one of the 4 nodes"),
        ("0->1 start 0 sise 9", r"t.cm:3: unknown key 'sise'; did you mean 'size'"),
        ("0->1 start 0 size 9 recv_done_trigger 1", r"t.cm:3: recv_done_trigger never fires"),
        ("0->1 trigger 8 size 9", r"t.cm:3: trigger 8 is not defined"),
        ("0->1 start 0 trigger 8 size 9", r"t.cm:3: the flow has a start and a trigger"),
        ("failure switch_type AGG switch_id 0 link_id 0", r"t.cm:3: failure lines .* --fail"),
        ("conection 0->1", r"t.cm:3: 'conection' starts no known line; did you mean"),
    ],
)
def test_each_trap_is_named_with_its_line(tmp_path: Path, body: str, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        _read(tmp_path, f"Nodes 4\nConnections 1\n{body}\n")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("trigger id 1 oneshot", "t.cm:6: trigger 1 needs 1 activations to start its 1 flows but only 0"),
        ("trigger id 1 barrier count 2", "t.cm:6: trigger 1 needs 2 activations"),
        ("trigger id 1 twoshot", "t.cm:6: write 'trigger id"),
        ("trigger id 1 barrier", "t.cm:6: a barrier needs 'count N'"),
        ("trigger id 1 oneshot count 2", "t.cm:6: a barrier needs 'count N', the other triggers take none"),
        ("trigger id 1 oneshot 2", "t.cm:6: '2' is not 'count N'"),
    ],
)
def test_triggers_that_cannot_work_are_refused(tmp_path: Path, body: str, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        _read(
            tmp_path,
            f"Nodes 4\nConnections 2\nTriggers 1\n0->1 id 1 start 0 size 9\n1->2 id 2 trigger 1 size 9\n{body}\n",
        )


def test_headers_ids_and_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="header says Connections 2 but the file has 1"):
        _read(tmp_path, "Nodes 4\nConnections 2\n0->1 start 0 size 9\n")
    with pytest.raises(BadInput, match="must both be there"):
        _read(tmp_path, "Connections 1\n0->1 start 0 size 9\n")
    with pytest.raises(BadInput, match=r"t.cm:4: id 1 stands already in line 3"):
        _read(tmp_path, "Nodes 4\nConnections 2\n0->1 id 1 start 0 size 9\n1->2 id 1 start 0 size 9\n")
    with pytest.raises(BadInput, match="cannot be read"):
        read_cm(tmp_path / "absent.cm")
    with pytest.raises(BadInput) as failure:
        _read(tmp_path, "Nodes 4\nConnections 2\n0->1 size 0\n1->1 size 9\n")
    assert len(failure.value.messages) == 2


def test_carriers_start_a_flow_of_a_multishot_after_its_share_of_sends(tmp_path: Path) -> None:
    flows = "".join(f"{k}->3 id {k + 1} start 0 size 9 send_done_trigger 1\n" for k in range(3))
    targets = "".join(f"3->{k} id {k + 9} trigger 1 size 9\n" for k in range(3))
    text = f"Nodes 4\nConnections 6\nTriggers 1\n{flows}{targets}trigger id 1 multishot\n"
    schedule = _read(tmp_path, text)
    steps = operations(schedule, schedule.operations["rank"], schedule.operations["peer"]).tables["step"]
    assert steps["waits"].tolist() == [0, 0, 0, 1, 2, 3, *[0] * 6]


def test_carriers_refuse_start_dependencies() -> None:
    builder = ScheduleBuilder("starts", 1, 0)
    calc = builder.calc(0, 5)
    builder.calc(0, 5, after=(calc,))
    with pytest.raises(BadInput, match="use the loggops backend"):
        operations(replace(builder.build(), on_start=np.array([True])), np.zeros(2), np.zeros(2))
