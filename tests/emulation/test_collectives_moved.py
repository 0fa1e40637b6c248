"""Every algorithm of the collective library moves and sums real data through the transport, packets lost on the way."""

import pytest

from emulation.memory.move import Faults, MoveSettings, move
from uet.schedule.collectives.library import ALGORITHMS, collective
from uet.schedule.execute import Buffers, random_data
from uet.schedule.verify import check_result


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in ALGORITHMS.items() for name in names])
def test_data_arrives_and_is_summed_right(kind: str, name: str) -> None:
    for n in (2, 7, 9, 16):
        if name == "dual-rings" and n < 9:
            continue
        options = {"island": 3 if n == 9 else 1} if name == "hierarchical" else {}
        schedule = collective(kind, name, n, 4 * 500 * n, "float32", n // 2, options)
        before = random_data(schedule, n)
        buffers = Buffers(schedule, before.copy())
        move(schedule, buffers, MoveSettings(seed=n, faults=Faults(drop=0.02, reorder=0.05)))
        check_result(schedule, before, buffers.data)
