"""Loss recovery, NACKs by code, duplicates, delivery modes and reason codes, packet by packet."""

import numpy as np
import pytest
from engine_net import LATENCY_PS, RTO_US, Net2, name, nth

from uet.transport.control import send_probe
from uet.transport.engine import Capacity
from uet.transport.lifecycle import State
from uet.transport.nacks import ACTION_OF, ACTIONS, NackAction
from uet.transport.reasons import Reason
from uet.transport.record import NackCode, PdsFlag
from uet.transport.state import RECEIVED_DONE, ROD, RUDI, SENT_DONE, SENT_FAILED, UUD


def first_packet(net: Net2):
    return net.record(net.flight[0][1]).copy()


def answered(code: NackCode, net: Net2, **fields: int) -> Net2:
    """Post one packet, lose it, and let a NACK of `code` about it come back."""
    net.engine.post(0, 1, 100, handle=4)
    net.run()
    net.engine.post(0, 1, 100, handle=5, now_ps=net.now)
    net.pump()
    request = net.record(net.flight[-1][1]).copy()
    net.flight.clear()
    here = {"src": 1, "dst": 0, "spdcid": int(request["dpdcid"]), "dpdcid": int(request["spdcid"])}
    net.inject(request, pds_type=10, pds_flags=0, next_hdr=0, code=int(code), argument=0, **here, **fields)
    return net


def test_every_code_has_its_action():
    assert set(ACTIONS) == set(NackCode)
    assert all(ACTION_OF[code] == action for code, action in ACTIONS.items())
    assert ACTION_OF[0xFD] == NackAction.IGNORE


@pytest.mark.parametrize("code", [c for c, a in ACTIONS.items() if a == NackAction.FATAL])
def test_a_fatal_code_ends_the_pdc_and_its_messages(code):
    net = answered(code, Net2())
    net.step()
    assert net.done[-1] == (SENT_FAILED, 0, 5)
    assert net.pdc(0)["state"] == State.ERROR and net.engine.reasons()["PDC_NACKED"] == 1


@pytest.mark.parametrize("code", [c for c, a in ACTIONS.items() if a in (NackAction.RETRANSMIT, NackAction.SEND_AGAIN)])
def test_the_packet_is_sent_again_at_once(code):
    net = answered(code, Net2())
    net.step()
    net.pump()
    again = net.record(net.flight[-1][1])
    assert name(again) == "RUD_REQ" and again["pds_flags"] & PdsFlag.RETX and again["pds_flags"] & PdsFlag.AR
    net.run()
    assert net.done[-1] == (SENT_DONE, 0, 5)


@pytest.mark.parametrize("code", [c for c, a in ACTIONS.items() if a == NackAction.LATER])
def test_the_packet_is_sent_again_after_a_pause(code):
    net = answered(code, Net2(nack__retx_us=300))
    net.step()
    refused = net.now
    net.run(lambda p: None)
    assert net.done[-1] == (SENT_DONE, 0, 5) and net.now >= refused + 300 * LATENCY_PS
    assert net.engine.counters()["retransmitted"] == 1


def test_a_busy_target_leaves_it_to_the_timer():
    net = answered(NackCode.RCVD_SES_PROCG, Net2())
    net.run()
    assert net.done[-1] == (SENT_DONE, 0, 5) and net.engine.reasons()["RETX_TIMEOUT"] == 1


@pytest.mark.parametrize("code", list(NackCode))
def test_a_nack_about_nothing_outstanding_changes_nothing(code):
    net = answered(code, Net2(), psn=123456)
    before = net.engine.table("pdc").copy(), net.engine.counters()
    net.step()
    after = net.engine.counters()
    assert np.array_equal(net.engine.table("pdc"), before[0])
    assert after["refused"] == before[1]["refused"] + 1 and net.engine.reasons()["IGNORED_ANSWER"] == 1


def test_timeouts_double_and_each_is_noted():
    net = Net2(rto__max_retries=3)
    net.engine.post(0, 1, 10)
    sent = []
    net.run(lambda p: (sent.append(net.now) if p["src"] == 0 else None) or True)
    assert np.diff(sent).tolist() == [RTO_US * 10**6 * 2**k for k in range(3)]
    assert net.engine.reasons() == {"RETX_TIMEOUT": 3, "PDC_TIMEOUT": 1, "MESSAGE_FAILED": 1}


def test_a_new_packet_is_not_kept_waiting_by_the_doubled_timer_of_an_old_one():
    net = Net2()
    net.engine.post(0, 1, 10)
    net.run()
    net.engine.post(0, 1, 4096, handle=1, now_ps=net.now)
    while net.engine.reasons().get("RETX_TIMEOUT", 0) < 3:
        net.step(lambda p: True)
    net.pump(lambda p: True)
    began = net.now
    net.engine.on_timer(net.engine.next_timer())  # too early, set anew
    assert net.engine.next_timer() == began + 8 * RTO_US * 10**6
    net.engine.post(0, 1, 4096, handle=2, now_ps=net.now)
    net.pump(lambda p: True)
    assert net.engine.next_timer() <= began + RTO_US * 10**6


def test_duplicates_of_the_network_are_dropped_and_retransmissions_answered():
    net = Net2()
    net.engine.post(0, 1, 10)
    net.pump()
    packet = first_packet(net)
    net.run()
    acks = net.seen.count("ACK_CC")
    net.inject(packet, dpdcid=int(packet["dpdcid"]))
    net.run()
    assert net.seen.count("ACK_CC") == acks and net.engine.reasons() == {"DUPLICATE_DROPPED": 1}
    net.inject(packet, pds_flags=int(packet["pds_flags"]) | PdsFlag.RETX)
    net.run()
    assert net.seen.count("ACK_CC") == acks + 1 and net.engine.reasons()["DUPLICATE_ANSWERED"] == 1


def test_a_setting_has_all_duplicates_answered():
    net = Net2(ack__duplicates=1)
    net.engine.post(0, 1, 10)
    net.run(nth("RUD_REQ", 0, "twice"))
    assert net.seen.count("ACK_CC") == 2
    assert [d[0] for d in net.done] == [RECEIVED_DONE, SENT_DONE]


def test_acks_are_coalesced_by_bytes():
    net = Net2()
    net.engine.post(0, 1, 16 * 4096)
    net.run()
    assert net.seen.count("ACK_CC") == 1 + 4  # the first packet, then every 16 KiB; the last asks and is the fourth
    assert net.engine.high_water()["outstanding_packets"] == 16


def test_a_trimmed_packet_is_asked_for_again_and_leaves_no_trace_in_the_receiver():
    net = Net2()
    net.engine.post(0, 1, 3 * 4096)
    net.run(nth("RUD_REQ", 1, "trim"))
    assert net.seen.count(f"NACK {NackCode.TRIMMED:#x}") == 1 and net.done[-1] == (SENT_DONE, 0, 0)
    assert net.engine.reasons() == {"REFUSED_TRIMMED": 1, "RETX_TRIMMED": 1}


def test_trims_without_end_fail_the_pdc_if_a_limit_is_set():
    net = Net2(nack__max_trims=3)
    net.engine.post(0, 1, 3 * 4096)
    second = None

    def fate(packet):
        nonlocal second
        if second is None and name(packet) == "RUD_REQ" and packet["argument"]:
            second = int(packet["psn"])
        return "trim" if name(packet) == "RUD_REQ" and packet["psn"] == second else None

    net.run(fate)
    assert net.done[-1] == (SENT_FAILED, 0, 0)
    reasons = net.engine.reasons()
    assert reasons["RETX_TRIMMED"] == 3 and reasons["PDC_TRIMMED"] == 1 and reasons["MESSAGE_FAILED"] == 1


def test_a_bitmap_is_held_only_while_packets_are_out_of_order():
    net = Net2(capacity=Capacity(np.array([1, 0]), np.array([0, 1]), 8, 256, bitmaps=1))
    net.engine.post(0, 1, 6 * 4096)
    net.run(nth("RUD_REQ", 1))
    assert net.engine.high_water()["bitmap_bits"] == 1024
    assert net.pdc(1)["rx_words"] == -1 and net.engine.table("endpoint")["bitmaps"][1] == 0


def test_without_a_bitmap_a_packet_out_of_order_is_refused_and_comes_later():
    net = Net2(capacity=Capacity(np.array([1, 0]), np.array([0, 1]), 8, 256, bitmaps=0))
    net.engine.post(0, 1, 3 * 4096)
    net.run(nth("RUD_REQ", 0))
    assert f"NACK {NackCode.NO_BITMAP:#x}" in net.seen and net.done[-1] == (SENT_DONE, 0, 0)


def test_an_ordered_pdc_goes_back_once_per_gap():
    net, order = Net2(), []
    net.engine.post(0, 1, 12 * 4096, mode=ROD)
    start = int(net.pdc(0)["tx_start"])

    def watch(packet):
        order.append((name(packet), (int(packet["psn"]) - start) % 2**32, int(packet["entropy"])))
        return lose(packet)

    lose = nth("ROD_REQ", 3)
    net.run(watch)
    requests = [(number, entropy) for kind, number, entropy in order if kind == "ROD_REQ"]
    assert [n for n, _ in requests] == [*range(12), *range(3, 12)]
    assert len({e for _, e in requests}) == 1, "one path"
    assert net.engine.reasons()["RETX_GO_BACK"] == 9 and net.engine.table("pdc")["rx_out_of_order"].sum() == 0


def test_an_ordered_pdc_delivers_messages_in_order_whatever_is_lost():
    rng = np.random.default_rng(5)
    net = Net2(rto__max_retries=-1)
    for handle in range(10):
        net.engine.post(0, 1, int(rng.integers(1, 12_000)), match_bits=handle, handle=handle, mode=ROD)
    net.run(lambda p: rng.random() < 0.2)
    assert [h for kind, _, h in net.done if kind == RECEIVED_DONE] == list(range(10))


def test_idempotent_requests_are_delivered_at_least_once_without_a_pdc_at_the_target():
    net = Net2()
    net.engine.post(0, 1, 5 * 4096, mode=RUDI)
    net.run(nth("RUDI_RESP", 2))
    assert net.done == [(SENT_DONE, 0, 0)]
    assert net.seen.count("RUDI_REQ") == 6 and net.engine.table("endpoint")["open"][1] == 0
    assert net.engine.close(0, 1, net.now, RUDI)
    assert net.engine.table("endpoint")["open"][0] == 0


def test_a_trimmed_idempotent_request_is_named_by_its_identifier():
    net = Net2()
    net.engine.post(0, 1, 100, mode=RUDI)
    net.run(nth("RUDI_REQ", 0, "trim"))
    assert net.done == [(SENT_DONE, 0, 0)] and net.engine.reasons() == {"REFUSED_TRIMMED": 1, "RETX_TRIMMED": 1}


def test_a_datagram_is_sent_once_and_never_answered():
    net = Net2()
    net.engine.post(0, 1, 500, handle=1, mode=UUD)
    net.engine.post(0, 1, 500, handle=2, mode=UUD)
    net.run(nth("UUD_REQ", 0))
    assert sorted(net.done) == [(SENT_DONE, 0, 1), (SENT_DONE, 0, 2), (RECEIVED_DONE, 1, 0)]
    assert net.seen == ["UUD_REQ", "UUD_REQ"]


def test_a_probe_measures_the_path_and_cannot_open_a_pdc():
    net = Net2()
    net.engine.post(0, 1, 10)
    assert not send_probe(net.engine.world.handle, 0, 0)
    net.run()
    assert send_probe(net.engine.world.handle, 0, net.now)
    net.pump()
    probe = first_packet(net)
    net.run()
    assert net.seen[-2:] == ["CP 6", "ACK_CC"] and probe["psn_offset"] == net.pdc(0)["probe_opaque"]
    assert net.pdc(0)["probe_ps"] == 0, "answered"


@pytest.mark.parametrize(("packets", "probes"), [(2, 0), (60, 1)])
def test_a_probe_measures_the_base_round_trip_of_longer_transfers(packets, probes):
    net = Net2(cc__probe_rtt=1)
    net.engine.post(0, 1, packets * 4096)
    net.run()
    assert net.seen.count("CP 6") == probes and net.done[-1] == (SENT_DONE, 0, 0)


def test_a_negotiation_opens_a_pdc_and_is_acknowledged():
    net = Net2()
    net.engine.post(0, 1, 10)
    net.pump()
    request = net.record(net.flight.pop()[1]).copy()
    net.inject(request, pds_type=11, next_hdr=9, ses=-1, argument=0x0102_0000, payload_bytes=4, pds_flags=0x0C)
    net.step()
    net.pump()
    assert net.seen[-1] == "ACK_CC" and net.engine.table("endpoint")["open"][1] == 1


def test_an_ack_without_congestion_state_is_taken_too():
    net = Net2()
    net.engine.post(0, 1, 3 * 4096)
    net.pump()
    request = net.record(net.flight[-1][1]).copy()
    net.flight.clear()
    here = {"src": 1, "dst": 0, "spdcid": 7, "dpdcid": int(request["spdcid"]), "psn_offset": 0}
    net.inject(request, pds_type=7, pds_flags=0, next_hdr=0, **here)
    net.step()
    assert net.done == [(SENT_DONE, 0, 0)] and net.pdc(0)["in_flight"] == 0


def test_the_trace_keeps_the_last_events():
    net = Net2(capacity=Capacity(np.array([1, 0]), np.array([0, 1]), 8, 64, trace=3), rto__max_retries=4)
    net.engine.post(0, 1, 10)
    net.run(lambda p: True)
    trace = net.engine.trace()
    assert [Reason(r) for r in trace["reason"]] == [Reason.RETX_TIMEOUT, Reason.PDC_TIMEOUT, Reason.MESSAGE_FAILED]
    assert (np.diff(trace["time_ps"]) >= 0).all() and (trace["psn"] == net.pdc(0)["tx_start"]).all()
