"""Receiver credit: targets, pacing, round robin, speculation, wrapping counts, requests, oversubscription."""

import numpy as np
import pytest

from uet.transport.engine import Capacity, Engine
from uet.transport.oversubscription import review
from uet.transport.plugins import balancer_address, controller_address, split_credit
from uet.transport.record import Net, NextHeader, PdsType
from uet.transport.reply import ALONE, COUNT_MASK
from uet.transport.settings import chosen, delay_targets, fill
from uet.transport.wire.codes import CcType, ControlType

GBPS, RTT_US, WINDOW = 400, 10, 750_000
PACKET = 4096 + 108 + 4  # nominal bytes of a full request that carries a credit target
UNIT_PS = 256 * 8 * 1000 / GBPS


def engine(cc="rccc", senders=2, messages=8, **overrides):
    """Return an engine whose endpoint 0 receives from endpoints 1, 2, ..."""
    settled = chosen("uet-1.0", overrides)
    network = {
        "cc.base_rtt_us": RTT_US, "cc.line_gbps": GBPS, "cc.window_bytes": WINDOW, "rto.init_us": 100,
        "rccc.max_bytes": WINDOW, **delay_targets(settled, RTT_US, True),
    }  # fmt: skip
    name, credit = split_credit(cc)
    row = fill(network | settled, 1, controller_address(name), balancer_address("oblivious"), credit)
    initiators, targets = np.ones(senders + 1, np.int64), np.zeros(senders + 1, np.int64)
    initiators[0], targets[0] = 0, senders
    return Engine(row, Capacity(initiators, targets, messages, 4096))


def packet(e, slot):
    return e.table("packet")[slot]


def send_all(e, endpoint, now=0):
    slots = []
    while (slot := e.next_packet(endpoint, now)) is not None:
        slots.append(slot)
    return slots


def credit(e, endpoint):
    """The credit row of an endpoint's only PDC; the receiver's are those of endpoint 0, in order of arrival."""
    return e.table("credit")[int(e.table("endpoint")["first_pdc"][endpoint])]


def grants(e, until_ps):
    """Let the receiver's pacer tick and return (time, sender, credit granted in all [256 B])."""
    found = []
    while e.next_timer() <= until_ps and len(found) < 1000:
        now = e.next_timer()
        e.on_timer(now)
        for slot in send_all(e, 0, now):
            p = packet(e, slot)
            if p["pds_type"] == PdsType.CP and p["next_hdr"] == ControlType.CREDIT:
                found.append((now, int(p["dst"]), int(p["argument"]) >> 8))
    return found


def test_names_of_controllers_say_whether_credit_is_used():
    assert split_credit("nscc") == ("nscc", 0)
    assert split_credit("rccc") == ("rccc", ALONE)
    assert split_credit("nscc+rccc") == split_credit("rccc+nscc") == ("nscc", 1)
    assert split_credit("./mine.py:Mine+rccc") == ("./mine.py:Mine", 1)


def test_a_request_asks_for_what_its_sender_lacks():
    e = engine()
    e.post(1, 0, 100 * 4096)
    slots = send_all(e, 1)
    assert len(slots) == 100
    for k, slot in enumerate(slots):
        p = packet(e, slot)
        unsent, balance = (99 - k) * PACKET, WINDOW - (k + 1) * PACKET
        lack = min(unsent, WINDOW) - balance
        lack = max(lack, PACKET) if unsent else lack  # while speculating, at least one packet's worth
        assert p["pds_type"] == PdsType.RUD_CC_REQ
        assert p["cc_state"] == (-(-lack // 256)) & COUNT_MASK
        assert p["wire_bytes"] == 4096 + 126 + 4


def test_without_a_window_credit_alone_stops_the_sender_which_may_overdraw_by_one_packet():
    e = engine()
    e.post(1, 0, 10**7)
    n = len(send_all(e, 1))
    assert n == -(-WINDOW // PACKET)
    assert WINDOW - n * PACKET == credit(e, 1)["balance"] <= 0


def test_the_pacer_serves_senders_in_turn_just_below_the_link_rate():
    e = engine()
    for sender in (1, 2):
        e.post(sender, 0, 10**6)
    for one, two in zip(send_all(e, 1), send_all(e, 2), strict=True):
        e.receive(one, 1_000_000)
        e.receive(two, 1_000_000)
    found = grants(e, 40_000_000)
    asking = [g for g in found if g[2] <= credit(e, 0)["wanted"]]
    assert [g[1] for g in asking[:8]] == [1, 2] * 4
    gaps = np.diff([g[0] for g in asking[:20]])
    assert np.all(np.abs(gaps - 64 * UNIT_PS / 0.99) <= 1)
    assert [g[2] for g in asking[:6:2]] == [64, 128, 192]
    wanted = [int(e.table("credit")[k]["wanted"]) for k in range(2)]
    first_slow = next(k for k, g in enumerate(found) if g[2] > wanted[g[1] - 1])
    assert all(g[2] <= wanted[g[1] - 1] for g in found[:first_slow])  # nobody is served in advance while one asks
    assert {max(g[2] for g in found[:first_slow] if g[1] == k) for k in (1, 2)} == set(wanted)


def test_satisfied_senders_get_credit_in_advance_up_to_a_window():
    e = engine(senders=1)
    e.post(1, 0, 2 * 4096)
    for slot in send_all(e, 1):
        e.receive(slot, 1_000_000)
    found = grants(e, 10**9)
    surplus = int(credit(e, 0)["granted"] - credit(e, 0)["wanted"])
    assert WINDOW >> 8 <= surplus < (WINDOW >> 8) + 64
    assert len(found) == 1 + surplus // 64
    none = engine(senders=1, **{"rccc.slow_credit": 0})
    none.post(1, 0, 2 * 4096)
    for slot in send_all(none, 1):
        none.receive(slot, 1_000_000)
    assert all(g[2] <= max(credit(none, 0)["wanted"], 0) for g in grants(none, 10**9))


def test_the_first_answer_voids_what_nobody_granted():
    e = engine()
    e.post(1, 0, 10 * 4096)
    first = e.next_packet(1, 0)
    e.receive(first, 1_000_000)
    (ack,) = send_all(e, 0, 1_000_000)
    assert packet(e, ack)["code"] >> 4 == CcType.CREDIT
    e.receive(ack, 2_000_000)
    assert credit(e, 1)["balance"] == 0
    assert e.next_packet(1, 2_000_000) is None
    e.on_timer(e.next_timer())
    (grant,) = send_all(e, 0, 2_000_000)
    e.receive(grant, 3_000_000)
    asked = -(-PACKET // 256)  # all that a speculating sender asks for
    assert credit(e, 1)["balance"] == asked * 256
    assert e.next_packet(1, 3_000_000) is not None


def test_credit_is_counted_modulo_2_to_the_24():
    e = engine(senders=1)
    e.post(1, 0, 10**6)
    start = COUNT_MASK - 20
    credit(e, 1)["received"] = credit(e, 0)["granted"] = credit(e, 0)["wanted"] = start
    for slot in send_all(e, 1):
        e.receive(slot, 1_000_000)
    wanted = int(credit(e, 0)["wanted"])
    assert start < wanted
    e.on_timer(e.next_timer())
    assert credit(e, 0)["granted"] == min(start + 64, wanted) > COUNT_MASK
    for slot in send_all(e, 0, 1_000_000):
        e.receive(slot, 2_000_000)
    assert credit(e, 1)["received"] == credit(e, 0)["granted"]


def test_a_trimmed_request_puts_its_sender_back_in_line():
    e = engine(senders=1, **{"rccc.slow_credit": 0})
    e.post(1, 0, 3 * 4096)
    first, second, _ = send_all(e, 1)
    e.receive(first, 1_000_000)
    grants(e, 90_000_000)
    assert (credit(e, 0)["listed"], e.table("pacer")["ticking"][0]) == (0, 0)
    packet(e, second)["net"] |= Net.TRIMMED | Net.CONTROL
    e.receive(second, 90_000_000)
    assert credit(e, 0)["listed"] == 1
    assert e.next_timer() == 90_000_000


def test_a_sender_whose_first_packets_are_all_trimmed_goes_on():
    e = engine(senders=1)
    e.post(1, 0, 10**6)
    for slot in send_all(e, 1):
        packet(e, slot)["net"] |= Net.TRIMMED | Net.CONTROL
        e.receive(slot, 1_000_000)
    nacks = send_all(e, 0, 1_000_000)
    for slot in nacks:
        assert packet(e, slot)["spdcid"] == 0
        e.receive(slot, 2_000_000)
    assert credit(e, 1)["balance"] <= 0
    assert len(send_all(e, 1, 2_000_000)) == 1  # one packet may go without credit until the target exists


def test_a_starving_sender_asks_once_per_round_trip_until_it_is_heard():
    e = engine(senders=1, **{"rccc.slow_credit": 0})
    e.post(1, 0, 4096)
    for slot in send_all(e, 1):
        e.receive(slot, 1_000_000)
    for slot in send_all(e, 0, 1_000_000):
        e.receive(slot, 2_000_000)  # the ACK: all is done and speculation over
    grants(e, 50_000_000)
    credit(e, 1)["balance"] = 0
    e.post(1, 0, 8 * 4096, now_ps=60_000_000)
    (request,) = send_all(e, 1, 60_000_000)
    p = packet(e, request)
    assert (p["pds_type"], p["next_hdr"]) == (PdsType.CP, ControlType.CREDIT_REQUEST)
    assert p["argument"] == (int(credit(e, 1)["received"]) + -(-8 * PACKET // 256)) & COUNT_MASK
    e.post(1, 0, 4096, now_ps=60_000_001)
    assert send_all(e, 1, 60_000_001) == []
    again = []  # the request is lost: the timer repeats it
    while not again and e.next_timer() < 10**9:
        now = e.next_timer()
        e.on_timer(now)
        again = send_all(e, 1, now)
    assert packet(e, again[0])["next_hdr"] == ControlType.CREDIT_REQUEST
    e.receive(again[0], now + 1)
    assert credit(e, 0)["listed"] == 1


@pytest.mark.parametrize("cc", ["rccc", "nscc+rccc"])
def test_acks_carry_credit_only_where_no_window_needs_their_room(cc):
    e = engine(cc, senders=1)
    e.post(1, 0, 4096)
    (slot,) = send_all(e, 1)
    e.receive(slot, 1_000_000)
    (ack,) = send_all(e, 0, 1_000_000)
    assert packet(e, ack)["code"] >> 4 == (CcType.CREDIT if cc == "rccc" else CcType.NSCC)
    assert packet(e, ack)["next_hdr"] == NextHeader.NONE


def pacer(**fields):
    e = engine(senders=1, **{"rccc.oversubscribed": 1})
    row = e.table("pacer")
    row["due_ps"] = 1
    for name, value in fields.items():
        row[name] = value
    rate = review(e.world.handle, 0, 20_000_000)
    return rate, e.table("pacer")[0]


def test_grants_slow_down_with_marks_and_far_trims_and_speed_up_without():
    rate, row = pacer(packets=100, marks=100)
    assert (row["marked"], rate) == (0.5, pytest.approx(1 - (0.5 - 0.3) * 0.5))
    assert 20_000_000 + 0.75 * 15_000_000 <= row["due_ps"] <= 20_000_000 + 1.25 * 15_000_000
    assert row["packets"] == row["marks"] == 0
    rate, _ = pacer(packets=100, trims=30, far_trims=20)
    assert rate == pytest.approx(0.8)
    rate, _ = pacer(packets=100, trims=30)  # the last hop is what credit itself takes care of
    assert rate == 1
    rate, row = pacer(rate=0.5, packets=10, streak=3)
    assert (rate, row["streak"]) == (pytest.approx(0.5 + 0.01 * 8), 4)
    rate, _ = pacer(rate=0.5, packets=10, marks=1, streak=3)
    assert rate == pytest.approx(0.51)
    rate, _ = pacer(rate=0.02, packets=10, trims=10, far_trims=10)
    assert rate == 0.01
