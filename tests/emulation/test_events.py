"""The event queue against a sorted list."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from emulation.events import event_queue, next_time, schedule, take
from uet.transport.timers import NEVER

# (delay after the event taken last, how many events are taken before the next one is added)
STEPS = st.lists(st.tuples(st.integers(0, 5_000), st.integers(0, 3)), min_size=1, max_size=200)


def _drain(queue, model, now, taken, limit):
    while limit and model:
        time = int(next_time(queue.handle))
        expected = min(model)[0]
        assert time == expected >= now
        now = time
        event = int(take(queue.handle))
        taken.append((time, event))
        # among equal times any order is legal, but the event must be one of them
        assert (time, event) in model
        model.remove((time, event))
        limit -= 1
    return now


@settings(max_examples=60, deadline=None)
@given(steps=STEPS, width=st.sampled_from([1, 16, 300]), horizon=st.sampled_from([64, 1000, 100_000]))
def test_events_leave_in_time_order_whatever_the_width_and_horizon(steps, width, horizon):
    queue, model, taken, now = event_queue(width, horizon, 256), [], [], 0
    for number, (delay, n_taken) in enumerate(steps):
        schedule(queue.handle, now + delay, number)
        model.append((now + delay, number))
        now = _drain(queue, model, now, taken, n_taken)
    _drain(queue, model, now, taken, len(steps))
    assert next_time(queue.handle) == NEVER
    assert sorted(event for _, event in taken) == list(range(len(steps)))


def test_ties_keep_the_order_in_which_they_were_added():
    queue = event_queue(64, 10_000, 4096)
    for number in range(2_000):  # a clump larger than insertion sort handles, in two interleaved streams
        schedule(queue.handle, 1_000 + (number % 2) * 7, number)
    order = []
    while next_time(queue.handle) != NEVER:
        order.append(int(take(queue.handle)))
    assert order == [*range(0, 2_000, 2), *range(1, 2_000, 2)]


def test_an_event_for_the_current_instant_comes_after_those_already_due():
    queue = event_queue(64, 10_000, 16)
    schedule(queue.handle, 100, 1)
    schedule(queue.handle, 100, 2)
    assert next_time(queue.handle) == 100
    assert take(queue.handle) == 1
    schedule(queue.handle, 100, 3)
    schedule(queue.handle, 101, 4)
    assert [int(next_time(queue.handle)) and int(take(queue.handle)) for _ in range(3)] == [2, 3, 4]


def test_chunks_are_reused():
    queue = event_queue(16, 100_000, 64)
    rng = np.random.default_rng(1)
    now = 0
    for _ in range(2_000):
        for k in range(20):
            schedule(queue.handle, now + int(rng.integers(1, 90_000)), k)
        for _ in range(20):
            now = int(next_time(queue.handle))
            take(queue.handle)
    assert queue.tables["wheel"]["used_chunks"][0] <= 64
