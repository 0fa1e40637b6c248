"""Any mix of operations over a bad medium ends: each completes once, bytes are right, and no row is kept."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from test_remote import ALL, BAD, KEY, make, noise

from uet.transport.engine import Order
from uet.transport.record import SesFlag, SesOpcode
from uet.transport.state import RECEIVED_DONE, RECEIVED_FAILED, ROD, RUD, SENT_DONE, SENT_FAILED
from uet.transport.wire.codes import AtomicOp, AtomicType

SENDS = (SesOpcode.SEND, SesOpcode.TAGGED_SEND, SesOpcode.DEFERRABLE_TSEND, SesOpcode.RENDEZVOUS_TSEND)
OPERATIONS = (*SENDS, SesOpcode.WRITE, SesOpcode.READ, SesOpcode.FETCHING_ATOMIC)
ROOM = 10_000

operation = st.tuples(
    st.sampled_from(OPERATIONS), st.sampled_from([RUD, ROD]), st.sampled_from([0, 1, 900, 1024, 1025, 4000]),
    st.sampled_from([0, SesFlag.DELIVERY_COMPLETE]), st.integers(0, 1), st.sampled_from(["early", "late"]),
    st.booleans(),
)  # fmt: skip


class Mix:
    """Posts operations and remembers what must come of them; operation k has buffers k, 100 + k and 200 + k."""

    def __init__(self, seed: int, bad: bool) -> None:
        self.net = make(BAD if bad else None, seed)
        self.late: list[tuple[int, int, bool]] = []
        self.sum = [0, 0]
        self.rows: dict[int, int] = {}
        for endpoint in (0, 1):
            self.net.engine.post_receive(endpoint, 0, 1 << 60)  # messages are matched
            self.net.buffers[300 + endpoint] = np.zeros(8, np.uint8)
            self.net.engine.add_region(endpoint, KEY, 8, ALL, handle=300 + endpoint)

    def post(self, k: int, opcode: SesOpcode, mode: int, n: int, flags: int, src: int, when: str) -> None:
        net, dst = self.net, 1 - src
        if opcode == SesOpcode.FETCHING_ATOMIC:
            n, flags = 8, 0
            net.buffers[k] = np.array([1 << k], "<u8").view(np.uint8).copy()
            self.sum[dst] += 1 << k
        else:
            net.buffers[k], net.buffers[100 + k] = noise(n, k), np.zeros(n, np.uint8)
            where = 100 + k if opcode == SesOpcode.WRITE else k
            net.engine.add_region(src if opcode == SesOpcode.RENDEZVOUS_TSEND else dst, 1000 + k, n, ALL, handle=where)
        handle = 200 + k if opcode == SesOpcode.READ else k
        if opcode == SesOpcode.READ:
            net.buffers[handle], flags = np.zeros(n, np.uint8), 0
        if opcode in SENDS:
            tagged = opcode != SesOpcode.SEND
            if when == "early":
                net.post_receive(dst, n, 100 + k, match_bits=k, tagged=tagged)
            else:
                self.late.append((dst, k, tagged))
        key = k if opcode in SENDS else KEY if opcode == SesOpcode.FETCHING_ATOMIC else 1000 + k
        self.rows[k] = net.engine.submit(
            Order(src, dst, opcode, n, mode=mode, handle=handle, match_bits=key, flags=flags, read_key=1000 + k,
                  eager_bytes=500, atomic_op=AtomicOp.SUM, atomic_type=AtomicType.UINT64), net.now_ps,
        )  # fmt: skip


def leftovers(engine) -> dict[str, int]:
    """Return how many rows of each pool are in use."""
    core, pdcs = engine.table("core")[0], engine.table("pdc")
    used = {"boxes": int(pdcs["boxes"].sum()), "reading": int(core["reading"])}
    pools = (("inbox", "pdc"), ("saved", "next"), ("receive", "next"))
    for name, link in pools:
        taken = f"used_{name}" if name != "receive" else "used_receives"
        free, at = 0, int(core[f"free_{name}"])
        while at >= 0:
            free, at = free + 1, int(engine.table(name)[link][at])
        used[name] = int(core[taken]) - free
    return used


@settings(max_examples=12, deadline=None)
@given(st.lists(operation, min_size=1, max_size=10), st.integers(1, 10_000), st.booleans())
def test_any_mix_of_operations_ends(operations, seed, bad):
    mix = Mix(seed, bad)
    net = mix.net
    for k, (opcode, mode, n, flags, src, when, _) in enumerate(operations):
        mix.post(k, opcode, mode, n, flags, src, when)
    net.step()
    given_up = {k for k, row in mix.rows.items() if operations[k][6] and net.engine.abandon(row, net.now_ps)}
    for _ in range(3000):  # who wants delivery complete asks for it as long as nobody receives
        if not net.step():
            break
    for dst, k, tagged in mix.late:
        net.post_receive(dst, len(net.buffers[k]), 100 + k, match_bits=k, tagged=tagged)
    done = net.run()
    sent = {int(c["handle"]) % 100: int(c["kind"]) for c in done if c["kind"] in (SENT_DONE, SENT_FAILED)}
    assert sorted(sent) == list(range(len(operations)))
    assert sum(c["kind"] in (SENT_DONE, SENT_FAILED) for c in done) == len(operations), "each ends once"
    received = [int(c["handle"]) - 100 for c in done if c["kind"] in (RECEIVED_DONE, RECEIVED_FAILED)]
    assert len(received) == len(set(received))
    for k, (opcode, _, _, _, src, _, _) in enumerate(operations):
        assert (sent[k] == SENT_FAILED) == (k in given_up)
        if k in given_up:
            if opcode == SesOpcode.FETCHING_ATOMIC:
                mix.sum[1 - src] -= 1 << k
        elif opcode == SesOpcode.READ:
            assert np.array_equal(net.buffers[200 + k], net.buffers[k])
        elif opcode != SesOpcode.FETCHING_ATOMIC:
            assert np.array_equal(net.buffers[100 + k], net.buffers[k])
    assert [int(net.buffers[300 + e].view("<u8")[0]) for e in (0, 1)] == mix.sum
    unmatched = 2 + sum(k in given_up and k not in received for k, op in enumerate(operations) if op[0] in SENDS)
    assert leftovers(net.engine) == {"boxes": 0, "reading": 0, "inbox": 0, "saved": 0, "receive": unmatched}
