"""Long random runs of the engine over a bad network: `make soak`, not part of `make test`."""

from __future__ import annotations

import numpy as np
import pytest

from emulation.memory.move import Faults, MoveSettings, move
from uet.schedule.execute import Buffers, random_data
from uet.schedule.verify import check_result
from uet.schedule.works import build_work

RUNS = 20_000
WORKS = ("allreduce:algorithm=ring", "allgather", "reducescatter", "alltoall", "permutation")


def _one_run(number: int) -> int:
    """Run a random work with random faults, check its data and return the packets it took."""
    rng = np.random.default_rng(number)
    work = WORKS[int(rng.integers(len(WORKS)))]
    ranks, size = int(rng.integers(2, 20)), 4 * int(rng.integers(1, 40_000))
    schedule = build_work(f"{work}{',' if ':' in work else ':'}size={size}", ranks, number)
    before = random_data(schedule, number)
    buffers = Buffers(schedule, before.copy())
    drop, duplicate, reorder = rng.uniform(0, (0.3, 0.3, 0.9))
    settings = MoveSettings(
        seed=number,
        faults=Faults(float(drop), float(duplicate), float(reorder)),
        overrides={
            "mtu.legal_only": 0,
            "mtu.payload_bytes": int(rng.integers(256, 4097)),
            "lb.entropies": 2 ** int(rng.integers(0, 8)),
        },
    )
    counters = move(schedule, buffers, settings)
    check_result(schedule, before, buffers.data)
    return int(counters["packets"])


@pytest.mark.soak
@pytest.mark.parametrize("block", range(20))
def test_every_byte_arrives_whatever_the_network_does(block: int) -> None:
    each = RUNS // 20
    packets = sum(_one_run(block * each + k) for k in range(each))
    assert packets > each


def test_one_run_of_the_soak_runs_in_every_test() -> None:
    assert _one_run(1) > 0
