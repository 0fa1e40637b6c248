"""Helpers for tests that run schedules on data."""

from __future__ import annotations

import numpy as np

from uet.schedule.execute import Buffers, execute, random_data
from uet.schedule.model import RECV, Schedule
from uet.schedule.verify import check_result


def random_order(schedule: Schedule, seed: int) -> list[int]:
    """Return a random order of the operations that respects dependencies and pairs."""
    rng = np.random.default_rng(seed)
    n = len(schedule.operations)
    after: list[list[int]] = [[] for _ in range(n)]
    waits = np.diff(schedule.first_dependency).tolist()
    for i in range(n):
        low, high = schedule.first_dependency[i : i + 2]
        for j in schedule.dependencies[low:high].tolist():
            after[j].append(i)
        if schedule.operations["kind"][i] == RECV:
            after[int(schedule.pairs[i])].append(i)
            waits[i] += 1
    ready = [i for i in range(n) if waits[i] == 0]
    order = []
    while ready:
        place = int(rng.integers(len(ready)))
        ready[place], ready[-1] = ready[-1], ready[place]
        order.append(ready.pop())
        for j in after[order[-1]]:
            waits[j] -= 1
            if waits[j] == 0:
                ready.append(j)
    return order


def run_and_check(schedule: Schedule, seed: int = 0) -> None:
    """Run on random data in dependency order and in a random order; both must give the promised result.

    A dependency missing anywhere lets the random order overwrite or read something too early.
    """
    before = random_data(schedule, seed)
    for order in (None, random_order(schedule, seed)):
        buffers = Buffers(schedule, before.copy())
        execute(schedule, buffers, order)
        check_result(schedule, before, buffers.data)
