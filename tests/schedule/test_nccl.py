"""The NCCL tuner against figures of NCCL itself: the 2.19.4 functions, compiled on a host with given graphs."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uet.base.errors import BadInput
from uet.schedule.nccl.choice import timings, tune
from uet.schedule.nccl.model import COLLECTIVES, Channels, System, bandwidth, latency_us

PXB, PXN, PHB = 4, 5, 6


def _a100(nodes: int) -> System:
    graph = Channels(16, 20, 20, 1)
    return System(80, nodes, 8 * nodes, graph, graph, 0, PXB, "intel")


def _h100(nodes: int) -> System:
    return System(90, nodes, 8 * nodes, Channels(16, 40, 40), Channels(16, 20, 20, 1), 0, PXN, "intel")


def _gh200(nodes: int) -> System:
    graph = Channels(8, 24, 24, 1)
    return System(90, nodes, 4 * nodes, graph, graph, 0, PHB, "other")


def _v100(nodes: int) -> System:
    graph = Channels(2, 12, 12, 3)
    return System(70, nodes, nodes, graph, graph, 2, PHB, "amd")


@pytest.mark.parametrize(
    ("system", "collective", "rows"),
    [
        (_a100(1), "allgather", [
            (32, "Ring", "LL", 10.8003, 1, 96), (131072, "Ring", "LL", 12.1077, 4, 512),
            (8388608, "Ring", "LL128", 52.2322, 16, 640), (8589934592, "Ring", "Simple", 23520.3, 16, 544),
        ]),
        (_a100(16), "broadcast", [
            (2048, "Ring", "LL", 9.40039, 1, 96), (131072, "Ring", "LL", 15.7251, 1, 128),
            (8388608, "Ring", "LL128", 46.4939, 16, 640), (536870912, "Ring", "Simple", 1700.12, 16, 544),
        ]),
        (_h100(4), "allreduce", [
            (2048, "Tree", "LL", 35.451, 1, 256), (131072, "Tree", "LL", 60.9004, 16, 512),
            (8388608, "Tree", "LL128", 133.041, 16, 640), (536870912, "Ring", "LL128", 1920.04, 16, 640),
            (8589934592, "Ring", "Simple", 26430.3, 16, 544),
        ]),
        (_gh200(64), "reducescatter", [
            (131072, "Ring", "LL", 375.1, 1, 96), (8388608, "Ring", "LL", 778.3, 8, 512),
            (536870912, "Ring", "Simple", 4328.48, 8, 544),
        ]),
        (_v100(2), "allreduce", [(32, "Tree", "LL", 20.813, 1, 96), (2048, "Ring", "LL", 21.7413, 1, 128)]),
        (_v100(8), "allreduce", [
            (32, "Tree", "LL", 48.8143, 1, 96), (131072, "Ring", "LL", 116.029, 2, 512),
            (536870912, "Ring", "Simple", 39687.2, 2, 544),
        ]),
    ],
)  # fmt: skip
def test_choices_and_times_are_those_of_nccl(
    system: System, collective: str, rows: list[tuple[int, str, str, float, int, int]]
) -> None:
    for n_bytes, algorithm, protocol, us, channels, threads in rows:
        found = tune(system, collective, n_bytes)
        assert (found.algorithm, found.protocol) == (algorithm, protocol)
        assert (found.channels, found.threads) == (channels, threads)
        assert found.us == pytest.approx(us, rel=1e-5)


def test_parts_of_the_model() -> None:
    assert latency_us(_v100(2), "allreduce", "Ring", "LL128") == pytest.approx(33)
    assert bandwidth(_v100(2), "allreduce", "Ring", "LL128") == 0  # the NIC is too far
    assert bandwidth(_gh200(2), "allreduce", "Tree", "LL128") == 0
    assert bandwidth(_a100(1), "broadcast", "Ring", "LL128") == pytest.approx(294.4)
    assert bandwidth(_a100(1), "allreduce", "Tree", "LL") == pytest.approx(38.7368, rel=1e-5)


@settings(max_examples=60, deadline=None)
@given(
    system=st.sampled_from([_a100(1), _a100(8), _h100(2), _gh200(3), _v100(5)]),
    collective=st.sampled_from(COLLECTIVES),
    n_bytes=st.integers(1, 2**36),
)
def test_the_choice_is_the_fastest_of_what_is_usable(system: System, collective: str, n_bytes: int) -> None:
    found, times = tune(system, collective, n_bytes), timings(system, collective, n_bytes)
    assert found.us == min(times.values()) == times[found.algorithm, found.protocol]
    assert 1 <= found.channels <= system.ring.channels and found.threads % 32 == 0 and found.threads >= 96
    assert collective == "allreduce" or found.algorithm == "Ring"


def test_what_has_no_answer_is_refused() -> None:
    with pytest.raises(BadInput, match="unknown collective 'alltoall'"):
        tune(_a100(1), "alltoall", 8)
    with pytest.raises(BadInput, match="give at least 1"):
        tune(_a100(1), "allreduce", 0)
    with pytest.raises(BadInput, match="as many on every node"):
        System(80, 3, 8, Channels(1, 1, 1), Channels(1, 1, 1), 0, PXB, "intel")
