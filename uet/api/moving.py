"""One schedule three ways: summed by the cost model, simulated, and executed on real numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from uet.base.errors import CheckFailed

if TYPE_CHECKING:
    from emulation.memory.move import Faults
    from topologies.fabric import Fabric
    from uet.schedule.model import Schedule


def move_numbers(schedule: Schedule, fabric: Fabric, faults: Faults, seed: int) -> dict[str, Any]:
    """Return what `schedule` does on random numbers in memory, after checking that all three ways agree.

    Cost model and simulation on `fabric` must count the same bytes per rank and the same steps; the
    memory carrier must deliver exactly these bytes and leave what numpy computes from the same numbers.
    Raises CheckFailed if not.
    """
    from emulation.memory.move import MoveSettings, move
    from emulation.packet.simulate import SimulationSettings, simulate
    from uet.schedule.cost import volumes
    from uet.schedule.execute import Buffers, random_data
    from uet.schedule.verify import check_result

    sums = volumes(schedule)
    flows = simulate(fabric, schedule, SimulationSettings(seed=seed)).flows
    simulated_bytes = _per_rank(flows["src"], flows["bytes"], schedule.n_ranks)
    simulated_steps = int(step_of_flows(schedule, flows).max(initial=-1)) + 1
    before = random_data(schedule, seed)
    buffers = Buffers(schedule, before.copy())
    counters = move(schedule, buffers, MoveSettings(seed=seed, faults=faults))
    check_result(schedule, before, buffers.data)
    for what, ours, theirs in (
        ("steps", schedule.depth, simulated_steps),
        ("bytes", sums.bytes_sent.tolist(), simulated_bytes.tolist()),
        ("bytes in all", sums.total_bytes, counters["bytes_delivered"]),
    ):
        if ours != theirs:
            raise CheckFailed(f"{schedule.name}: cost model and carriers differ in {what}")
    return {
        "work": schedule.name,
        "ranks": schedule.n_ranks,
        "dtype": schedule.dtype,
        "steps": schedule.depth,
        "messages": sums.total_messages,
        "bytes": sums.total_bytes,
        "checked_bytes": int(buffers.data.size),
        **counters,
    }


def step_of_flows(work: Schedule, flows: Any) -> Any:
    """Return the step, from 0, of each flow of a run of `work`: how many sends come before it on a chain."""
    import numpy as np

    from uet.schedule.model import SEND
    from uet.schedule.order import finish_times

    return finish_times(work, (work.operations["kind"] == SEND).astype(np.int64))[flows["flow"]] - 1


def _per_rank(rank: Any, n_bytes: Any, n_ranks: int) -> Any:
    import numpy as np

    total = np.zeros(n_ranks, np.int64)
    np.add.at(total, rank, n_bytes)
    return total
