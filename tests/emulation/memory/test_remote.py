"""Tagged messages, writes, reads and atomics on real memory, over a medium that loses, doubles and reorders."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulation.memory.move import Faults
from emulation.memory.remote import RemoteMemory
from uet.base.errors import BadInput
from uet.transport.engine import Capacity, Engine, Order
from uet.transport.plugins import balancer_address, controller_address
from uet.transport.record import SesFlag, SesOpcode
from uet.transport.settings import chosen, delay_targets, fill
from uet.transport.state import (
    ACCESS_ATOMIC,
    ACCESS_READ,
    ACCESS_WRITE,
    RECEIVED_DONE,
    RECEIVED_FAILED,
    ROD,
    RUD,
    RUDI,
    SENT_DONE,
    SENT_FAILED,
    UUD,
)
from uet.transport.wire.codes import AtomicOp, AtomicType, ReturnCode

BAD = Faults(drop=0.1, duplicate=0.1, reorder=0.5)
KEY, SAFE_KEY = 0x1234_5678, 1 << 63 | 7
ALL = ACCESS_READ | ACCESS_WRITE | ACCESS_ATOMIC


def make(faults=None, seed=1, **overrides):
    over = {k.replace("__", ".", 1): v for k, v in overrides.items()}
    settled = chosen("uet-1.0", {"mtu.payload_bytes": 1024, "rto.max_retries": -1, **over})
    base = {
        "cc.base_rtt_us": 2.0, "cc.line_gbps": 400.0, "cc.window_bytes": 90_000.0, "rto.init_us": 16.0,
        "rccc.max_bytes": 90_000.0,
    }  # fmt: skip
    values = {**base, **delay_targets(settled, 2.0, False), **settled}
    capacity = Capacity(np.array([4, 4]), np.array([4, 4]), 128, 2048, reads=16, contexts=8, regions=16, receives=64)
    engine = Engine(fill(values, seed, controller_address("constant"), balancer_address("oblivious")), capacity)
    return RemoteMemory(engine, faults, seed)


def noise(n, seed=3):
    return np.random.default_rng(seed).integers(0, 256, n, np.uint8)


def order(opcode, n, handle, **fields):
    return Order(0, 1, opcode, n, handle=handle, **fields)


def kinds(done, kind):
    return [(int(c["handle"]), int(c["bytes"]), ReturnCode(int(c["return_code"]))) for c in done if c["kind"] == kind]


@pytest.mark.parametrize("mode", [RUD, ROD])
@pytest.mark.parametrize("faults", [None, BAD])
def test_a_write_lands_where_it_is_addressed(mode, faults):
    net = make(faults)
    net.buffers = {1: noise(9000), 2: np.zeros(20_000, np.uint8)}
    net.engine.add_region(1, KEY, 20_000, ACCESS_WRITE, handle=2)
    net.engine.submit(order(SesOpcode.WRITE, 9000, 1, match_bits=KEY, buffer_offset=500, mode=mode))
    done = net.run()
    assert kinds(done, SENT_DONE) == [(1, 9000, ReturnCode.NULL)] and len(done) == 1
    assert np.array_equal(net.buffers[2][500:9500], net.buffers[1])
    assert not net.buffers[2][:500].any() and not net.buffers[2][9500:].any()


@pytest.mark.parametrize("n", [1, 16, 17, 1024, 10_000])
@pytest.mark.parametrize("faults", [None, BAD])
def test_a_read_brings_the_memory_in_the_ack_or_as_requests(n, faults):
    net = make(faults)
    net.buffers = {1: np.zeros(n, np.uint8), 2: noise(12_000)}
    net.engine.add_region(1, KEY, 12_000, ACCESS_READ, handle=2)
    net.engine.submit(order(SesOpcode.READ, n, 1, match_bits=KEY, buffer_offset=100))
    done = net.run()
    assert kinds(done, SENT_DONE) == [(1, n, ReturnCode.NULL)]
    assert np.array_equal(net.buffers[1], net.buffers[2][100 : 100 + n])
    saved = net.engine.high_water()["guaranteed_delivery_bytes"]
    assert saved == (12 + n if n <= 16 else 0)
    used = net.engine.table("pdc")["pdcid"] > 0
    assert (net.engine.table("pdc")["saved"][used] == -1).all(), "cleared in the end"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"match_bits": 99}, ReturnCode.BAD_MKEY),
        ({"job_id": 5}, ReturnCode.BAD_JOB_ID),
        ({"buffer_offset": 3000}, ReturnCode.AT_OUT_OF_RANGE),
        ({"opcode": SesOpcode.READ}, ReturnCode.PERM_VIOLATION),
    ],
)
@pytest.mark.parametrize("faults", [None, BAD])
def test_what_is_not_allowed_fails_with_its_code_and_touches_nothing(fields, code, faults):
    net = make(faults)
    net.buffers = {1: noise(2000), 2: np.zeros(4096, np.uint8)}
    net.engine.add_region(1, KEY, 4096, ACCESS_WRITE, handle=2)
    fields = {"opcode": SesOpcode.WRITE, "match_bits": KEY, **fields}
    net.engine.submit(Order(0, 1, fields.pop("opcode"), 2000, handle=1, **fields))
    done = net.run()
    assert [(h, c) for h, _, c in kinds(done, SENT_FAILED)] == [(1, code)] and len(done) == 1
    if code != ReturnCode.AT_OUT_OF_RANGE:
        assert not net.buffers[2].any()


def test_immediate_data_tell_the_target_of_a_write():
    net = make(BAD)
    net.buffers = {1: noise(3000), 2: np.zeros(3000, np.uint8)}
    net.engine.add_region(1, KEY, 3000, ACCESS_WRITE, handle=2)
    net.engine.submit(order(SesOpcode.WRITE, 3000, 1, match_bits=KEY, header_data=77, flags=SesFlag.HEADER_DATA))
    done = net.run()
    assert [(int(c["handle"]), int(c["data"])) for c in done if c["kind"] == RECEIVED_DONE] == [(2, 77)]


def test_delivery_complete_waits_for_the_response():
    net = make(BAD)
    net.buffers = {1: noise(3000), 2: np.zeros(3000, np.uint8)}
    net.engine.add_region(1, KEY, 3000, ACCESS_WRITE, handle=2)
    net.engine.submit(order(SesOpcode.WRITE, 3000, 1, match_bits=KEY, flags=SesFlag.DELIVERY_COMPLETE))
    assert kinds(net.run(), SENT_DONE) == [(1, 3000, ReturnCode.NULL)]
    assert net.engine.high_water()["guaranteed_delivery_bytes"] == 12


@settings(max_examples=25)
@given(
    op=st.sampled_from([AtomicOp.SUM, AtomicOp.MIN, AtomicOp.MAX, AtomicOp.BXOR, AtomicOp.WRITE, AtomicOp.DIFF]),
    kind=st.sampled_from([AtomicType.UINT64, AtomicType.INT32, AtomicType.UINT8]),
    values=st.lists(st.integers(0, 100), min_size=1, max_size=6),
    seed=st.integers(1, 1000),
)
def test_atomics_happen_exactly_once_each(op, kind, values, seed):
    from emulation.memory.atomics import OPERATIONS, TYPES

    dtype = np.dtype(TYPES[kind])
    net = make(BAD, seed)
    net.buffers = {k: np.array([v], dtype).view(np.uint8).copy() for k, v in enumerate(values)}
    net.buffers[99] = np.array([40], dtype).view(np.uint8).copy()
    net.engine.add_region(1, KEY, dtype.itemsize, ACCESS_ATOMIC, handle=99)
    expected = np.array([40], dtype)
    for k, v in enumerate(values):
        net.engine.submit(
            order(SesOpcode.ATOMIC, dtype.itemsize, k, match_bits=KEY, atomic_op=op, atomic_type=kind, mode=ROD)
        )
        expected = OPERATIONS[op](expected, np.array([v], dtype)).astype(dtype)
    done = net.run()
    assert len(kinds(done, SENT_DONE)) == len(values)
    assert net.buffers[99].view(dtype)[0] == expected[0]


@pytest.mark.parametrize("faults", [None, BAD])
def test_fetching_atomics_return_the_old_value(faults):
    net = make(faults)
    net.buffers = {k: np.array([10**k], "<u8").view(np.uint8).copy() for k in range(5)}
    net.buffers[99] = np.zeros(8, np.uint8)
    net.engine.add_region(1, KEY, 8, ALL, handle=99)
    for k in range(5):
        net.engine.submit(
            order(SesOpcode.FETCHING_ATOMIC, 8, k, match_bits=KEY, atomic_op=AtomicOp.SUM,
                  atomic_type=AtomicType.UINT64, mode=ROD)
        )  # fmt: skip
    assert len(kinds(net.run(), SENT_DONE)) == 5
    assert [int(net.buffers[k].view("<u8")[0]) for k in range(5)] == [0, 1, 11, 111, 1111]
    assert int(net.buffers[99].view("<u8")[0]) == 11111


def test_compare_and_swap():
    net = make(BAD)
    operands = np.zeros(32, np.uint8)
    operands[:8], operands[16:24] = np.array([5], "<u8").view(np.uint8), np.array([9], "<u8").view(np.uint8)
    net.buffers = {1: operands.copy(), 2: operands.copy(), 99: np.array([5], "<u8").view(np.uint8).copy()}
    net.engine.add_region(1, KEY, 8, ALL, handle=99)
    for k in (1, 2):
        net.engine.submit(
            order(SesOpcode.FETCHING_ATOMIC, 8, k, match_bits=KEY, atomic_op=AtomicOp.CSWAP,
                  atomic_type=AtomicType.UINT64, mode=ROD)
        )  # fmt: skip
    net.run()
    assert [int(net.buffers[k][:8].view("<u8")[0]) for k in (1, 2, 99)] == [5, 9, 9]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"atomic_op": AtomicOp.BAND, "atomic_type": AtomicType.DOUBLE}, ReturnCode.AMO_UNSUPPORTED_OP),
        ({"atomic_type": 200}, ReturnCode.AMO_UNSUPPORTED_DT),
        ({"bytes": 7}, ReturnCode.AMO_UNSUPPORTED_SIZE),
        ({"buffer_offset": 4}, ReturnCode.AMO_UNALIGNED),
        ({"atomic_type": AtomicType.INT128, "bytes": 16}, ReturnCode.AMO_UNSUPPORTED_DT),
    ],
)
def test_impossible_atomics_fail_with_their_code(fields, code):
    net = make()
    net.buffers = {1: noise(16), 99: np.zeros(64, np.uint8)}
    net.engine.add_region(1, KEY, 64, ALL, handle=99)
    fields = {"atomic_op": AtomicOp.SUM, "atomic_type": AtomicType.UINT64, "bytes": 8, **fields}
    net.engine.submit(Order(0, 1, SesOpcode.FETCHING_ATOMIC, handle=1, match_bits=KEY, **fields))
    assert [c for _, _, c in kinds(net.run(), SENT_FAILED)] == [code]
    assert not net.buffers[99].any()


@settings(max_examples=20)
@given(
    sizes=st.lists(st.integers(0, 5000), min_size=1, max_size=6),
    early=st.lists(st.booleans(), min_size=6, max_size=6),
    bad=st.booleans(),
    seed=st.integers(1, 500),
    mode=st.sampled_from([RUD, ROD]),
)
def test_tagged_messages_find_their_receives_expected_or_not(sizes, early, bad, seed, mode):
    net = make(BAD if bad else None, seed)
    net.engine.post_receive(1, 0, 1 << 60)  # from now on messages are matched
    for k, n in enumerate(sizes):
        net.buffers[k], net.buffers[100 + k] = noise(n, k), np.zeros(n, np.uint8)
        if early[k]:
            net.post_receive(1, n, 100 + k, match_bits=k)
        net.engine.submit(order(SesOpcode.TAGGED_SEND, n, k, match_bits=k, mode=mode))
    net.run()
    for k, n in enumerate(sizes):
        if not early[k]:
            net.post_receive(1, n, 100 + k, match_bits=k)
    done = net.run()
    assert sorted(kinds(done, SENT_DONE)) == [(k, n, ReturnCode.NULL) for k, n in enumerate(sizes)]
    assert sorted(kinds(done, RECEIVED_DONE)) == [(100 + k, n, ReturnCode.OK) for k, n in enumerate(sizes)]
    for k in range(len(sizes)):
        assert np.array_equal(net.buffers[k], net.buffers[100 + k])


def test_wildcards_take_any_tag_and_order_decides():
    net = make()
    net.buffers = {k: noise(10, k) for k in range(3)} | {10 + k: np.zeros(10, np.uint8) for k in range(3)}
    net.post_receive(1, 10, 10, match_bits=0x700, ignore=0xFF)
    net.post_receive(1, 10, 11, match_bits=0x705)
    for k, tag in enumerate((0x705, 0x705, 0x801)):
        net.engine.submit(order(SesOpcode.TAGGED_SEND, 10, k, match_bits=tag, mode=ROD))
    net.run()
    assert np.array_equal(net.buffers[10], net.buffers[0]) and np.array_equal(net.buffers[11], net.buffers[1])
    net.post_receive(1, 10, 12, ignore=(1 << 64) - 1)
    assert np.array_equal(net.buffers[12], net.buffers[2])


def test_a_message_longer_than_its_receive_is_cut_and_says_so():
    net = make()
    net.buffers = {1: noise(3000), 2: np.zeros(2000, np.uint8)}
    net.post_receive(1, 2000, 2, match_bits=1)
    net.engine.submit(order(SesOpcode.TAGGED_SEND, 3000, 1, match_bits=1))
    assert kinds(net.run(), RECEIVED_DONE) == [(2, 2000, ReturnCode.TOO_LONG)]
    assert np.array_equal(net.buffers[2], net.buffers[1][:2000])


@pytest.mark.parametrize("early", [True, False])
@pytest.mark.parametrize("faults", [None, BAD])
def test_a_rendezvous_fetches_the_rest_when_it_is_wanted(early, faults):
    net = make(faults)
    net.buffers = {1: noise(9000), 2: np.zeros(9000, np.uint8)}
    net.engine.add_region(0, KEY, 9000, ACCESS_READ, handle=1)
    net.engine.post_receive(1, 0, 1 << 60)
    if early:
        net.post_receive(1, 9000, 2, match_bits=8)
    net.engine.submit(order(SesOpcode.RENDEZVOUS_TSEND, 9000, 1, match_bits=8, read_key=KEY, eager_bytes=1500))
    if not early:
        assert not kinds(net.run(), SENT_DONE), "nobody has read the rest"
        net.post_receive(1, 9000, 2, match_bits=8)
    done = net.run()
    assert kinds(done, RECEIVED_DONE) == [(2, 9000, ReturnCode.OK)]
    assert [h for h, _, _ in kinds(done, SENT_DONE)] == [1]
    assert np.array_equal(net.buffers[1], net.buffers[2])


@pytest.mark.parametrize("faults", [None, BAD])
@pytest.mark.parametrize("n", [100, 5000])
def test_a_deferred_send_comes_again_when_its_receive_is_posted(faults, n):
    net = make(faults)
    net.buffers = {1: noise(n), 2: np.zeros(n, np.uint8)}
    net.engine.post_receive(1, 0, 1 << 60)
    net.engine.submit(order(SesOpcode.DEFERRABLE_TSEND, n, 1, match_bits=8))
    assert not kinds(net.run(), SENT_DONE)
    net.post_receive(1, n, 2, match_bits=8)
    done = net.run()
    assert kinds(done, RECEIVED_DONE) == [(2, n, ReturnCode.OK)] and len(kinds(done, SENT_DONE)) == 1
    assert np.array_equal(net.buffers[1], net.buffers[2])


def test_a_deferrable_send_that_is_expected_goes_straight_through():
    net = make()
    net.buffers = {1: noise(5000), 2: np.zeros(5000, np.uint8)}
    net.post_receive(1, 5000, 2, match_bits=8)
    net.engine.submit(order(SesOpcode.DEFERRABLE_TSEND, 5000, 1, match_bits=8))
    done = net.run()
    assert len(kinds(done, SENT_DONE)) == 1 and np.array_equal(net.buffers[1], net.buffers[2])
    assert net.engine.counters()["sent"] == 5


@pytest.mark.parametrize("faults", [None, Faults(drop=0.2)])
def test_idempotent_writes_and_reads_need_a_key_that_says_so(faults):
    net = make(faults)
    net.buffers = {1: noise(5000), 2: np.zeros(5000, np.uint8), 3: np.zeros(900, np.uint8)}
    net.engine.add_region(1, SAFE_KEY, 5000, ALL, handle=2)
    net.engine.add_region(1, KEY, 5000, ALL, handle=2)
    net.engine.submit(order(SesOpcode.WRITE, 5000, 1, match_bits=SAFE_KEY, mode=RUDI))
    net.run()
    assert np.array_equal(net.buffers[1], net.buffers[2])
    net.engine.submit(order(SesOpcode.READ, 900, 3, match_bits=SAFE_KEY, mode=RUDI, buffer_offset=50), net.now_ps)
    net.engine.submit(order(SesOpcode.WRITE, 10, 1, match_bits=KEY, mode=RUDI), net.now_ps)
    done = net.run()
    assert np.array_equal(net.buffers[3], net.buffers[1][50:950])
    assert [c for _, _, c in kinds(done, SENT_FAILED)] == [ReturnCode.PERM_VIOLATION]


def test_a_datagram_goes_to_a_plain_receive_or_is_lost():
    net = make()
    net.buffers = {1: noise(100), 2: np.zeros(100, np.uint8)}
    net.post_receive(1, 100, 2, tagged=False)
    for _ in range(2):
        net.engine.submit(order(SesOpcode.DATAGRAM_SEND, 100, 1, mode=UUD))
    done = net.run()
    assert len(kinds(done, SENT_DONE)) == 2 and len(kinds(done, RECEIVED_DONE)) == 1
    assert np.array_equal(net.buffers[1], net.buffers[2])


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"job_id": 4}, ReturnCode.BAD_JOB_ID),
        ({"pid_on_fep": 7}, ReturnCode.BAD_PID),
        ({"resource_index": 9}, ReturnCode.BAD_INDEX),
        ({"ri_generation": 1}, ReturnCode.BAD_GENERATION),
        ({"pid_on_fep": 0, "flags": SesFlag.RELATIVE}, None),
        ({}, None),
    ],
)
def test_addresses_are_checked_absolute_and_relative(fields, code):
    net = make()
    net.buffers = {1: noise(100), 2: np.zeros(100, np.uint8)}
    net.engine.add_context(1, job=3, pid=12, index=2, relative_pid=0)
    net.post_receive(1, 100, 2, match_bits=1)
    address = {"job_id": 3, "pid_on_fep": 12, "resource_index": 2, **fields}
    net.engine.submit(order(SesOpcode.TAGGED_SEND, 100, 1, match_bits=1, **address))
    done = net.run()
    assert [c for _, _, c in kinds(done, SENT_FAILED)] == ([] if code is None else [code])
    assert len(kinds(done, RECEIVED_DONE)) == (code is None)


def test_short_headers_save_bytes_and_change_nothing():
    used = []
    for short in (0, 1):
        net = make(ses__short_headers=short)
        net.buffers = {1: noise(200), 2: np.zeros(400, np.uint8), 3: np.zeros(200, np.uint8)}
        net.engine.add_region(1, 5, 400, ALL, handle=2)
        net.post_receive(1, 200, 3, match_bits=1)
        net.engine.submit(order(SesOpcode.WRITE, 200, 1, match_bits=5, resource_index=5, buffer_offset=7))
        net.engine.submit(order(SesOpcode.TAGGED_SEND, 200, 1, match_bits=1))
        net.run()
        assert np.array_equal(net.buffers[2][7:207], net.buffers[1]) and np.array_equal(net.buffers[3], net.buffers[1])
        used.append(int(net.engine.table("message")["overhead"][:2].sum()))
    assert used[0] - used[1] == (44 - 20) + (44 - 32)


@pytest.mark.parametrize(
    ("profile", "opcode", "refused"),
    [
        (1, SesOpcode.TAGGED_SEND, True), (1, SesOpcode.SEND, False), (1, SesOpcode.READ, True),
        (2, SesOpcode.TAGGED_SEND, False), (2, SesOpcode.FETCHING_ATOMIC, True), (3, SesOpcode.RENDEZVOUS_TSEND, False),
        (3, SesOpcode.DEFERRABLE_RTR, True),
    ],
)  # fmt: skip
def test_a_profile_refuses_what_it_lacks(profile, opcode, refused):
    net = make(ses__profile=profile)
    if refused:
        with pytest.raises(BadInput, match="profile"):
            net.engine.submit(order(opcode, 8, 1))
    else:
        assert net.engine.submit(order(opcode, 8, 1)) >= 0


def test_exact_profiles_take_no_wildcards_and_hpc_defers_nothing():
    with pytest.raises(BadInput, match="exactly"):
        make(ses__profile=2).engine.post_receive(1, 8, 0, ignore=1)
    net = make(ses__profile=3)
    net.buffers = {1: noise(50), 2: np.zeros(50, np.uint8)}
    net.engine.post_receive(1, 0, 1 << 60)
    net.engine.submit(order(SesOpcode.DEFERRABLE_TSEND, 50, 1, match_bits=8))
    assert len(kinds(net.run(), SENT_DONE)) == 1, "a plain send"
    net.post_receive(1, 50, 2, match_bits=8)
    assert np.array_equal(net.buffers[1], net.buffers[2])


def test_a_pdc_with_unread_rendezvous_does_not_close():
    net = make()
    net.buffers = {1: noise(3000), 2: np.zeros(3000, np.uint8)}
    net.engine.add_region(0, KEY, 3000, ACCESS_READ, handle=1)
    net.engine.post_receive(1, 0, 1 << 60)
    net.engine.submit(order(SesOpcode.RENDEZVOUS_TSEND, 3000, 1, match_bits=8, read_key=KEY, eager_bytes=10))
    net.run()
    net.engine.close(0, 1, net.now_ps)
    net.run()
    assert net.engine.table("endpoint")["open"][0] == 1
    net.post_receive(1, 3000, 2, match_bits=8)
    net.run()
    assert np.array_equal(net.buffers[1], net.buffers[2])


def test_an_abandoned_message_fails_at_both_ends_and_the_next_one_is_whole():
    for seed, faults in ((1, None), (2, BAD), (3, BAD)):
        net = make(faults, seed)
        net.buffers = {
            1: noise(100_000),
            2: np.zeros(100_000, np.uint8),
            3: noise(5000, 4),
            4: np.zeros(5000, np.uint8),
        }
        net.post_receive(1, 100_000, 2, match_bits=1)
        net.post_receive(1, 5000, 4, match_bits=2)
        row = net.engine.submit(order(SesOpcode.TAGGED_SEND, 100_000, 1, match_bits=1))
        net.engine.submit(order(SesOpcode.TAGGED_SEND, 5000, 3, match_bits=2))
        net.step()
        assert net.engine.abandon(row), "only a window of it was sent"
        assert not net.engine.abandon(row), "it is given up already"
        done = net.run()
        assert kinds(done, SENT_FAILED) == [(1, 100_000, ReturnCode.CANCELLED)]
        assert kinds(done, RECEIVED_FAILED) == [(2, 100_000, ReturnCode.INITIATOR_ERR)]
        assert kinds(done, SENT_DONE) == [(3, 5000, ReturnCode.NULL)]
        assert kinds(done, RECEIVED_DONE) == [(4, 5000, ReturnCode.OK)]
        assert np.array_equal(net.buffers[4], net.buffers[3])
        assert not net.engine.table("pdc")["boxes"].any(), "the target forgot it"


def test_of_a_message_abandoned_before_it_began_nothing_is_sent():
    net = make()
    net.buffers = {1: noise(200_000), 2: np.zeros(200_000, np.uint8)}
    rows = [net.engine.submit(order(SesOpcode.TAGGED_SEND, 200_000, 1, match_bits=2)) for _ in range(3)]
    net.step()
    assert net.engine.abandon(rows[1]) and net.engine.abandon(rows[2])
    net.post_receive(1, 200_000, 2, match_bits=2)
    done = net.run()
    assert [c for _, _, c in kinds(done, SENT_FAILED)] == [ReturnCode.CANCELLED] * 2
    assert len(kinds(done, SENT_DONE)) == 1 and net.engine.counters()["sent"] == -(-200_000 // 1024)
    assert not net.engine.abandon(rows[0]), "it is sent"


def test_a_pdc_whose_only_message_is_abandoned_closes():
    net = make()
    net.buffers = {1: noise(10)}
    row = net.engine.submit(order(SesOpcode.TAGGED_SEND, 10, 1, match_bits=2))
    net.engine.close(0, 1)
    assert net.engine.abandon(row)
    assert len(kinds(net.run(), SENT_FAILED)) == 1 and net.engine.table("endpoint")["open"][0] == 0


def test_an_unexpected_message_that_is_abandoned_leaves_nothing_to_match():
    net = make()
    net.engine.post_receive(1, 0, 1 << 60)
    net.buffers = {1: noise(100_000), 2: np.zeros(100_000, np.uint8)}
    row = net.engine.submit(order(SesOpcode.TAGGED_SEND, 100_000, 1, match_bits=1))
    net.step()
    net.engine.abandon(row)
    assert len(kinds(net.run(), SENT_FAILED)) == 1
    net.post_receive(1, 100_000, 2, match_bits=1)
    assert not kinds(net.run(), RECEIVED_DONE) and not net.buffers[2].any()
