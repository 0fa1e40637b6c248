"""The life of a PDC: the table itself, opening, closing from either side, rows and rings used again."""

from itertools import pairwise, product

import numpy as np
import pytest
from engine_net import LATENCY_PS, Net2, nth

from uet.transport.engine import Capacity
from uet.transport.lifecycle import ACTION, N_INPUTS, NEXT, TRANSITIONS, Action, Input, State
from uet.transport.record import NackCode, PdsFlag
from uet.transport.state import PDC, PDC_CLOSED, RECEIVED_DONE, ROD, SENT_DONE, SENT_FAILED


def test_the_arrays_are_the_table():
    for state, what in product(State, Input):
        index = state * N_INPUTS + what
        following, action = TRANSITIONS.get((state, what), (None, Action.NOTHING))
        assert NEXT[index] == (-1 if following is None else following)
        assert ACTION[index] == action


def test_every_state_is_reached_and_left():
    reached, edges = {State.CLOSED}, [(a, b) for (a, _), (b, _) in TRANSITIONS.items()]
    for _ in State:
        reached |= {b for a, b in edges if a in reached}
    assert reached == set(State)
    assert {a for a, b in edges if a != b} == set(State)


def test_a_failure_ends_every_state_in_which_packets_are_outstanding():
    waiting = {State.SYN_SENT, State.ESTABLISHED, State.QUIESCE, State.ACK_WAIT, State.CLOSE_WAIT}
    assert all(TRANSITIONS[s, Input.FATAL] == (State.ERROR, Action.FAIL) for s in waiting)


def test_syn_goes_until_the_first_answer_only():
    net = Net2()
    for _ in range(3):
        net.engine.post(0, 1, 4096)
    net.pump()
    slots = [slot for _, slot in net.flight]
    assert [int(net.record(s)["pds_flags"]) & PdsFlag.SYN for s in slots] == [PdsFlag.SYN] * 3
    assert [int(net.record(s)["dpdcid"]) for s in slots] == [0, 1, 2]
    assert net.pdc(0)["state"] == State.SYN_SENT
    net.run()
    assert net.pdc(0)["state"] == State.ESTABLISHED and net.pdc(1)["state"] == State.TARGET_ESTABLISHED
    net.engine.post(0, 1, 100, now_ps=net.now)
    net.pump()
    last = net.record(net.flight[-1][1])
    assert not last["pds_flags"] & PdsFlag.SYN and last["dpdcid"] == net.pdc(1)["pdcid"]


def test_syn_packets_open_one_pdc_in_any_order():
    net = Net2()
    net.engine.post(0, 1, 5 * 4096)
    net.pump()
    net.flight.reverse()
    net.run()
    assert net.engine.table("endpoint")["open"].tolist() == [1, 1]
    assert (SENT_DONE, 0, 0) in net.done and (RECEIVED_DONE, 1, 0) in net.done


def closed(net: Net2) -> bool:
    return (net.engine.table("pdc")["state"] == State.CLOSED).all() and (
        net.engine.table("endpoint")["open"] == 0
    ).all()


@pytest.mark.parametrize("lost", [None, ("CP 4", 0), ("ACK_CC", 1)])
def test_the_initiator_closes_whatever_is_lost(lost):
    net = Net2()
    net.engine.post(0, 1, 10)
    net.run()
    assert net.engine.close(0, 1, net.now)
    net.run(nth(*lost) if lost else None)
    assert closed(net) and net.done[-1] == (PDC_CLOSED, 0, 0)
    assert not net.engine.close(0, 1, net.now), "it is no longer there"


def test_a_close_lets_its_messages_through_first():
    net = Net2()
    for handle in range(4):
        net.engine.post(0, 1, 9000, handle=handle)
    assert net.engine.close(0, 1, 0)
    assert net.pdc(0)["state"] == State.QUIESCE
    net.run(nth("RUD_REQ", 2))
    assert closed(net)
    assert [d for d in net.done if d[0] == SENT_DONE] == [(SENT_DONE, 0, k) for k in range(4)]
    assert net.seen.index("CP 4") > max(i for i, s in enumerate(net.seen) if s == "RUD_REQ")


def test_messages_posted_after_a_close_open_another_pdc():
    net = Net2(pairs=((0, 1),), capacity=Capacity(np.array([2, 0]), np.array([0, 2]), 8, 64))
    net.engine.post(0, 1, 10)
    net.engine.close(0, 1, 0)
    net.engine.post(0, 1, 20, handle=1)
    net.run()
    states = net.engine.table("pdc")["state"].tolist()
    assert sorted(states) == sorted([State.CLOSED, State.ESTABLISHED, State.CLOSED, State.TARGET_ESTABLISHED])
    assert {d[2] for d in net.done if d[0] == SENT_DONE} == {0, 1}


@pytest.mark.parametrize("lost", [None, ("CP 5", 0), ("CP 4", 0)])
def test_the_target_may_ask_for_the_close(lost):
    net = Net2()
    net.engine.post(0, 1, 10)
    net.run()
    assert net.engine.close_pdc(1, net.now)
    assert net.pdc(1)["state"] == State.TARGET_CLOSING
    net.run(nth(*lost) if lost else None)
    assert closed(net) and net.seen.count("CP 4") >= 1


def test_a_target_that_is_not_listened_to_gives_up():
    net = Net2(pdc__close_request_us=50)
    net.engine.post(0, 1, 10)
    net.run()
    net.engine.close_pdc(1, net.now)
    net.run(lambda p: p["src"] == 1)
    assert net.pdc(1)["state"] == State.CLOSED
    assert net.engine.reasons()["PDC_CLOSE_TIMEOUT"] == 1


def test_rows_and_rings_are_used_again_and_a_new_start_is_far_from_the_old():
    net, starts = Net2(pdc__quiet_us=0), []
    for k in range(5):
        net.engine.post(0, 1, 30_000, handle=k, now_ps=net.now)
        starts.append(int(net.pdc(0)["tx_start"]))
        net.run()
        assert net.pdc(0)["ring"] == -1, "nothing is outstanding"
        net.engine.close(0, 1, net.now)
        net.run()
    assert {d[2] for d in net.done if d[0] == SENT_DONE} == set(range(5))
    assert int(net.engine.table("core")["used_rings"][0]) == 1
    for a, b in pairwise(starts):
        assert min((a - b) % 2**32, (b - a) % 2**32) >= 2**16


def test_an_old_syn_delivers_nothing_after_the_close():
    net = Net2(pdc__quiet_us=0)
    net.engine.post(0, 1, 10)
    net.pump()
    old = net.record(net.flight[0][1]).copy()
    net.run()
    net.engine.close(0, 1, net.now)
    net.run()
    before = list(net.done)
    net.inject(old)
    net.run()
    assert net.done == before and closed(net)
    assert net.seen[-1] == f"NACK {NackCode.INV_DPDCID:#x}"
    assert net.engine.reasons()["REFUSED_OLD_SYN"] == 1


def test_a_quick_second_pdc_is_challenged_and_renumbers():
    net = Net2(pdc__quiet_us=0)
    for k in range(2):
        net.engine.post(0, 1, 9000, handle=k, now_ps=net.now)
        net.run()
        if k == 0:
            net.engine.close(0, 1, net.now)
            net.run()
    assert f"NACK {NackCode.NEW_START_PSN:#x}" in net.seen
    assert net.pdc(0)["tx_start"] == net.pdc(1)["rx_start"]
    assert [d for d in net.done if d[0] == RECEIVED_DONE] == [(RECEIVED_DONE, 1, 0)] * 2


def test_a_target_that_chooses_every_start_costs_a_round_trip():
    net = Net2(pdc__start_psn_challenge=1)
    net.engine.post(0, 1, 100)
    net.run()
    assert net.done[0][0] == RECEIVED_DONE and net.seen[:2] == ["RUD_REQ", f"NACK {NackCode.NEW_START_PSN:#x}"]
    assert net.engine.reasons()["RETX_RENUMBERED"] == 1


def test_a_pending_pdc_that_nobody_takes_up_is_dropped():
    net = Net2(pdc__start_psn_challenge=1, pdc__new_us=50, rto__max_retries=0)
    net.engine.post(0, 1, 100)
    net.run(lambda p: p["src"] == 1)
    assert net.pdc(1)["state"] == State.CLOSED
    assert net.done == [(SENT_FAILED, 0, 0)]


def test_retries_end_in_an_error_and_the_row_comes_back():
    net = Net2(rto__max_retries=2)
    net.engine.post(0, 1, 5000, handle=9)
    net.run(lambda p: True)
    assert net.done == [(SENT_FAILED, 0, 9)]
    assert net.engine.reasons()["PDC_TIMEOUT"] == 1
    assert net.pdc(0)["state"] == State.CLOSED and net.engine.table("endpoint")["outstanding"][0] == 0
    net.now += 1_000_000_000  # pdc.quiet_us
    net.engine.post(0, 1, 10, handle=10, now_ps=net.now)
    net.run()
    assert net.done[-1] == (SENT_DONE, 0, 10)


def test_a_full_target_is_asked_again_after_a_pause():
    net = Net2(
        pairs=((0, 2), (1, 2)),
        capacity=Capacity(np.array([1, 1, 0]), np.array([0, 0, 1]), 8, 64),
        nack__retx_us=100,
        pdc__quiet_us=0,
    )
    net.engine.post(0, 2, 10, handle=0)
    net.run()
    net.engine.post(1, 2, 10, handle=1, now_ps=net.now)
    net.step(), net.step(), net.pump()
    began = net.now
    assert net.seen[-1] == f"NACK {NackCode.NO_PDC_AVAIL:#x}"
    net.engine.close(0, 2, net.now)
    net.run()
    assert (SENT_DONE, 1, 1) in net.done
    assert net.engine.reasons()["HELD"] >= 1 and net.now - began >= 100 * LATENCY_PS


def test_a_target_that_stays_full_fails_the_message():
    net = Net2(pairs=((0, 2), (1, 2)), capacity=Capacity(np.array([1, 1, 0]), np.array([0, 0, 1]), 8, 64))
    net.engine.post(0, 2, 10, handle=0)
    net.run()
    net.engine.post(1, 2, 10, handle=1, now_ps=net.now)
    net.run()
    assert net.done[-1] == (SENT_FAILED, 1, 1)
    assert net.engine.reasons()["HELD"] == 5 and net.engine.reasons()["PDC_REFUSED"] == 1


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"dpdcid": 77}, NackCode.INV_DPDCID),
        ({"spdcid": 99}, NackCode.PDC_HDR_MISMATCH),
        ({"psn_add": 5000}, NackCode.PSN_OOR_WINDOW),
        ({"pds_type": 3}, NackCode.PDC_MODE_MISMATCH),
    ],
)
def test_packets_that_do_not_belong_are_refused_with_their_code(fields, code):
    net = Net2()
    net.engine.post(0, 1, 10)
    net.run()
    net.engine.post(0, 1, 10, now_ps=net.now)
    net.pump()
    packet = net.record(net.flight[0][1]).copy()
    if "psn_add" in fields:
        fields = {"psn": (int(packet["psn"]) + fields["psn_add"]) % 2**32}
    net.run()
    received = [d for d in net.done if d[0] == RECEIVED_DONE]
    net.inject(packet, **fields)
    net.run()
    assert net.seen[-1] == f"NACK {int(code):#x}"
    assert [d for d in net.done if d[0] == RECEIVED_DONE] == received
    assert net.pdc(0)["state"] == State.ESTABLISHED, "a NACK about nothing outstanding changes nothing"


def test_a_syn_beyond_the_window_is_invalid():
    net = Net2(pairs=((0, 1),))
    net.engine.post(0, 1, 10)
    net.pump()
    packet = net.record(net.flight[0][1]).copy()
    net.run()
    net.inject(packet, psn=(int(packet["psn"]) + 3000) % 2**32, dpdcid=3000)
    net.run()
    assert net.seen[-1] == f"NACK {NackCode.INVALID_SYN:#x}"


def test_the_psn_range_of_a_pdc_is_limited():
    net = Net2(capacity=Capacity(np.array([2, 0]), np.array([0, 2]), 8, 64), pdc__psn_range=3, pdc__quiet_us=0)
    for k in range(3):
        net.engine.post(0, 1, 9000, handle=k, now_ps=net.now)
        net.run()
    assert {d[2] for d in net.done if d[0] == SENT_DONE} == {0, 1, 2}
    assert any(d[0] == PDC_CLOSED for d in net.done)


def test_an_ordered_and_an_unordered_pdc_stand_side_by_side():
    net = Net2(capacity=Capacity(np.array([2, 0]), np.array([0, 2]), 8, 64))
    net.engine.post(0, 1, 10, handle=0)
    net.engine.post(0, 1, 10, handle=1, mode=ROD)
    net.run()
    assert sorted(d for d in net.done if d[0] == SENT_DONE) == [(SENT_DONE, 0, 0), (SENT_DONE, 0, 1)]
    assert net.engine.high_water()["pdcs"] == 2


def test_an_idle_pdc_takes_less_than_a_kibibyte():
    net = Net2(pairs=((0, 1), (1, 0)))
    for k in range(2):
        net.engine.post(k, 1 - k, 200_000)
    net.run()
    tables = net.engine.world.tables
    per_pdc = PDC.dtype.itemsize + tables["cc_state"].itemsize + tables["lb_state"].itemsize
    per_pdc += 2 * 2 * tables["directory"].itemsize + tables["heap"].itemsize * 8  # twice the entries, all timers
    assert per_pdc <= 1024
    assert (tables["pdc"]["ring"] == -1).all() and (tables["pdc"]["rx_words"] == -1).all()
