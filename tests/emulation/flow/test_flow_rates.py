"""Max-min fairness: hand-computed examples, and invariants at every moment of random runs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulation.flow import loop
from emulation.flow.channels import Channels
from emulation.flow.fill import settle
from emulation.flow.simulate import NO_END_PS
from emulation.flow.state import MESSAGE
from emulation.flow.world import world_of
from emulation.operations import FINISHED, PAUSED, operations
from uet.schedule.model import SEND, ScheduleBuilder


class Hand:
    """A run on resources given by hand; channel k carries messages of a rank of its own to another's."""

    def __init__(self, capacity, routes, sizes, starts_ps=None):
        n = len(routes)
        builder = ScheduleBuilder("by hand", 2 * n, 1)
        waits = (
            [-1] * n if starts_ps is None else [int(builder.calc(k, t)) if t else -1 for k, t in enumerate(starts_ps)]
        )
        channel = np.concatenate([np.full(len(s), k) for k, s in enumerate(sizes)])
        size = np.concatenate([np.asarray(s) for s in sizes])
        sends, _ = builder.transfer(channel, n + channel, size, after=(np.array(waits)[channel],))
        self.schedule = builder.build()
        first = np.concatenate([[0], np.cumsum([len(r) for r in routes])])
        entries = [e for r in routes for e in r]
        resource, share = np.array([e[0] for e in entries]), np.array([e[1] for e in entries], float)
        none = np.zeros(n, np.int64)
        channels = Channels(
            np.arange(n), np.arange(n, 2 * n), first, resource, share, np.array(capacity, float), none[:0],
            np.ones(len(entries), bool), none, none.astype(float), none, np.ones(n),
        )  # fmt: skip
        messages = MESSAGE.zeros(len(size))
        messages["channel"], messages["step"], messages["next"], messages["wire_bytes"] = channel, sends, -1, size
        messages["start_ps"] = messages["arrive_ps"] = messages["finish_ps"] = -1
        peer = self.schedule.operations["peer"].astype(np.int64)
        todo = operations(self.schedule, self.schedule.operations["rank"].astype(np.int64), peer)
        todo.tables["step"]["message"][self.schedule.operations["kind"] == SEND] = np.arange(len(size))
        self.world = world_of(channels, messages, todo)
        self.routes, self.capacity = routes, capacity

    def step(self, events=10**6):
        return loop.run(self.world.handle, NO_END_PS, events)

    def first_rates(self):
        self.step(0)
        settle(self.world.handle, 0)
        return self.world.tables["channel"]["rate"]

    @property
    def finish_ps(self):
        return self.world.tables["message"]["finish_ps"]

    def check(self):
        """No resource over capacity; every active channel has a full resource on which nobody is faster."""
        channels = self.world.tables["channel"]
        active = [k for k in range(len(self.routes)) if channels["head"][k] >= 0]
        rate = channels["rate"]
        used = np.zeros(len(self.capacity))
        for k in active:
            for r, share in self.routes[k]:
                used[r] += share * rate[k]
        assert np.all(used <= np.array(self.capacity) * (1 + 1e-6))
        for k in active:
            assert rate[k] > 0
            assert any(
                used[r] >= self.capacity[r] * (1 - 1e-6)
                and all(rate[j] <= rate[k] * (1 + 1e-6) for j in active if any(q == r for q, _ in self.routes[j]))
                for r, _ in self.routes[k]
            )


def test_five_channels_by_hand():
    # links of capacity 1: the one that three share fills first, then the rest of the third link goes to who is left
    routes = [[(0, 1)], [(0, 1), (1, 1)], [(0, 1), (1, 1), (2, 1)], [(2, 1)], [(3, 1)]]
    hand = Hand([1, 1, 1, 1], routes, [[3_000], [3_000], [3_000], [3_000], [3_000]])
    assert hand.first_rates() == pytest.approx([1 / 3, 1 / 3, 1 / 3, 2 / 3, 1])


def test_rates_change_when_messages_end_and_begin():
    # two of 1,000 and 3,000 bytes share 1 B/ps: the short one ends at 2,000, the long one at 4,000 ps; the third
    # joins at 10,000 ps alone, a fourth at 11,000 shares until the third has sent its 2,000 bytes at 13,000 ps
    hand = Hand([1], [[(0, 1)]] * 4, [[100_000], [300_000], [200_000], [300_000]], [0, 0, 1_000_000, 1_100_000])
    assert hand.step() == FINISHED
    assert hand.finish_ps.tolist() == [200_000, 400_000, 1_300_000, 1_500_000]


def test_messages_of_one_channel_go_one_after_the_other():
    hand = Hand([1], [[(0, 1)], [(0, 1)]], [[100_000, 100_000], [100_000]])
    hand.step()
    assert hand.finish_ps.tolist() == [200_000, 300_000, 200_000]


def test_a_spread_channel_weighs_less_on_each_of_its_links():
    # one over two links of 1, halves each, against one alone on the first: equal rates of 2/3 there, and the
    # spread one leaves its second link idle
    hand = Hand([1, 1], [[(0, 0.5), (1, 0.5)], [(0, 1)]], [[60_000], [60_000]])
    assert hand.first_rates() == pytest.approx([2 / 3, 2 / 3])


@st.composite
def networks(draw):
    n = draw(st.integers(1, 6))
    capacity = draw(st.lists(st.sampled_from([0.5, 1, 2, 3.7]), min_size=n, max_size=n))
    route = st.lists(
        st.tuples(st.integers(0, n - 1), st.sampled_from([0.25, 0.5, 1])),
        min_size=1,
        max_size=4,
        unique_by=lambda e: e[0],
    )
    routes = draw(st.lists(route, min_size=1, max_size=10))
    times = st.sampled_from([0, 0, 5_000, 40_000, 123_456])
    sizes = st.lists(st.integers(5_000, 90_000), min_size=1, max_size=3)
    k = len(routes)
    return (
        capacity,
        routes,
        draw(st.lists(sizes, min_size=k, max_size=k)),
        draw(st.lists(times, min_size=k, max_size=k)),
    )


@settings(max_examples=60)
@given(networks())
def test_every_moment_is_feasible_and_everybody_has_a_bottleneck(network):
    hand = Hand(*network)
    for _ in range(400):
        code = hand.step(1)
        if hand.world.tables["clock"]["n_touched"][0] == 0:
            hand.check()
        if code != PAUSED:
            break
    assert code == FINISHED
    assert not hand.world.tables["clock"]["n_active"][0]
    assert hand.world.tables["resource"]["load"] == pytest.approx(0, abs=1e-6)
