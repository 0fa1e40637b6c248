import numpy as np
import pytest

from emulation.loggops import LogGOPS, run_loggops
from uet.base.spec import check
from uet.schedule.check import problems
from uet.schedule.goal.blocks import to_schedule
from uet.schedule.model import SEND, Schedule
from uet.workloads.coarse import CoarseSchedule
from uet.workloads.hardware import HARDWARE, Hardware
from uet.workloads.models.presets import PRESETS
from uet.workloads.parallelism import Parallelism
from uet.workloads.programs import Programs
from uet.workloads.step import StepModel
from uet.workloads.training import StepSchedule
from uet.workloads.volumes import step_communications, volumes

DEALS = [
    ("llama3-8b", 4, 4, {"tp": 2, "pp": 2, "dp": 2, "sequence_parallel": True, "zero": 1}),
    ("llama3-8b", 4, 8, {"tp": 2, "pp": 2, "dp": 2, "schedule": "chimera", "overlap": False}),
    ("gpt3-175b", 8, 8, {"tp": 2, "pp": 4, "dp": 2, "schedule": "zero-bubble", "recompute": "full"}),
    ("gpt3-175b", 8, 8, {"tp": 2, "pp": 2, "dp": 2, "schedule": "interleaved", "chunks": 2, "scatter": True}),
    ("mixtral-8x7b", 2, 8, {"tp": 2, "pp": 2, "dp": 4, "cp": 2, "ep": 4, "zero": 1}),
    ("mixtral-8x7b", 2, 8, {"dp": 4, "ep": 2, "zero": 3}),
    ("deepseek-v3", 8, 16, {"pp": 4, "dp": 2, "ep": 2, "zero": 2, "schedule": "dualpipe", "order": "tp,cp,dp,pp"}),
]


def _step(name: str, layers: int, batch: int, deal: dict[str, object], hardware: Hardware) -> tuple[Programs, Schedule]:
    how = check(Parallelism, deal, "how")
    programs = Programs(PRESETS[name].with_layers(layers), how, hardware, batch)
    return programs, to_schedule(name, StepSchedule(programs).blocks())


@pytest.mark.parametrize(("name", "layers", "batch", "deal"), DEALS)
def test_the_schedule_moves_what_the_volumes_say(name: str, layers: int, batch: int, deal: dict[str, object]) -> None:
    programs, schedule = _step(name, layers, batch, deal, HARDWARE["h100"])
    assert problems(schedule) == []
    run_loggops(schedule, LogGOPS(eager_bytes=0)).check()  # no deadlock even if every send waits for its receiver
    sends = schedule.operations[schedule.operations["kind"] == SEND]
    moved = volumes(programs.model, programs.how, batch)
    assert sends["bytes"].sum() == sum(moved.total_bytes.values())
    assert len(sends) == StepSchedule(programs).messages()


@pytest.mark.parametrize(("name", "layers", "batch", "deal"), [d for d in DEALS if d[3].get("zero") != 3])
def test_without_communication_it_takes_what_the_step_model_says(
    name: str, layers: int, batch: int, deal: dict[str, object]
) -> None:
    instant = HARDWARE["h100"].model_copy(update={"island_gbps": 1e9, "network_gbps": 1e9, "latency_us": 0.0})
    programs, schedule = _step(name, layers, batch, deal, instant)
    ran = run_loggops(schedule, LogGOPS(0, 0, 0, 0, 0, 2**62))
    ran.check()
    said = StepModel(programs.model, programs.how, instant).step(batch).total_s
    assert ran.finish_ps.max() / 1e12 == pytest.approx(said, rel=0.01)


def test_gradients_travel_during_the_last_backward_pass_only_if_told() -> None:
    deal: dict[str, object] = {"dp": 4, "overlap": True}
    network = LogGOPS(1_000_000, 0, 0, 30, 0, 2**62)
    ends = []
    for overlap in (True, False):
        _, schedule = _step("llama3-8b", 4, 4, {**deal, "overlap": overlap}, HARDWARE["h100"])
        ends.append(int(run_loggops(schedule, network).finish_ps.max()))
    assert ends[0] < ends[1]


def test_another_algorithm_of_the_library() -> None:
    how = Parallelism(tp=4, dp=4)
    programs = Programs(PRESETS["llama3-8b"].with_layers(2), how, HARDWARE["h100"], 4)
    chosen = StepSchedule(programs, {"allreduce": "rabenseifner"})
    schedule = to_schedule("x", chosen.blocks())
    sends = schedule.operations["kind"] == SEND
    assert np.count_nonzero(sends) == chosen.messages() < StepSchedule(programs).messages()
    assert problems(schedule) == []


@pytest.mark.parametrize(("name", "layers", "batch", "deal"), DEALS)
def test_a_coarse_step_moves_the_same_between_islands(
    name: str, layers: int, batch: int, deal: dict[str, object]
) -> None:
    apart = HARDWARE["h100"].model_copy(update={"island": 2})
    how = check(Parallelism, deal, "how")
    programs = Programs(PRESETS[name].with_layers(layers), how, apart, batch)
    coarse = CoarseSchedule(programs)
    schedule = to_schedule(name, coarse.blocks())
    assert problems(schedule) == []
    run_loggops(schedule, LogGOPS(eager_bytes=0)).check()
    sends = schedule.operations[schedule.operations["kind"] == SEND]
    assert len(sends) == coarse.messages() < StepSchedule(programs).messages()
    leaving = sum(
        times * c.sent_bytes * (how.ranks // how.pp)
        for stage in range(how.pp)
        for c, times in step_communications(programs.model, how, batch, stage)
        if c.kind == "p2p" or how.leaves_islands(c.group, apart.island)[1]
    )
    assert sends["bytes"].sum() == pytest.approx(float(leaving), abs=len(sends))  # rounded to a byte a message
