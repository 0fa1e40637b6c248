"""Two edge-disjoint Hamiltonian cycles and the allreduce over both, in both directions."""

from __future__ import annotations

import numpy as np
import pytest

from tests.schedule.schedules import run_and_check
from uet.base.errors import BadInput
from uet.schedule.collectives.dual_rings import allreduce, hamiltonian_cycles
from uet.schedule.model import SEND
from uet.schedule.works import build_work

GRIDS = [(3, 3), (3, 9), (4, 4), (8, 4), (5, 15), (6, 12), (7, 7), (8, 32), (32, 32)]


@pytest.mark.parametrize(("columns", "rows"), GRIDS)
def test_the_two_cycles_use_every_link_of_the_torus_once(columns: int, rows: int) -> None:
    n, links = columns * rows, set()
    for cycle in hamiltonian_cycles(columns, rows):
        assert sorted(cycle) == list(range(n))
        following = np.roll(cycle, -1)
        across, down = following % columns - cycle % columns, following // columns - cycle // columns
        assert np.all((np.isin(across % columns, (1, columns - 1)) & (down == 0)) | (across == 0))
        assert np.all((np.isin(down % rows, (1, rows - 1)) & (across == 0)) | (down == 0))
        links |= {frozenset(pair) for pair in zip(cycle.tolist(), following.tolist(), strict=True)}
    assert len(links) == 2 * n


@pytest.mark.parametrize(("columns", "rows"), [(2, 2), (3, 6), (4, 6), (7, 14), (1, 5)])
def test_grids_without_two_cycles_are_refused(columns: int, rows: int) -> None:
    with pytest.raises(BadInput, match="no two edge-disjoint rings"):
        hamiltonian_cycles(columns, rows)


@pytest.mark.parametrize(("grid", "size"), [((4, 4), 4 * 64), ((3, 9), 4 * 3), ((8, 4), 4 * 500)])
def test_the_sum_is_right_and_all_four_ports_carry_a_quarter(grid: tuple[int, int], size: int) -> None:
    n = grid[0] * grid[1]
    schedule = allreduce(n, size, "float32", grid=grid)
    run_and_check(schedule, 3)
    assert schedule.depth <= 2 * (n - 1)
    if size % (16 * n) == 0:
        sends = schedule.operations[schedule.operations["kind"] == SEND]
        ports = np.unique(np.stack([sends["rank"], sends["peer"]], axis=1), axis=0, return_counts=True)
        assert len(ports[0]) == 4 * n
        assert set(ports[1]) == {2 * (n - 1)}
        assert schedule.bytes_sent.tolist() == [2 * (n - 1) * size // n] * n


@pytest.mark.parametrize("algorithm", ["ring", "dual-rings"])
def test_the_first_steps_are_those_of_the_whole(algorithm: str) -> None:
    whole = build_work(f"allreduce:algorithm={algorithm},size=4KiB", 16)
    for steps in (1, 15, 20, 30):
        part = build_work(f"allreduce:algorithm={algorithm},size=4KiB,first_steps={steps}", 16)
        assert part.depth == steps
        assert part.bytes_sent.tolist() == [4096 // 16 * steps] * 16
        assert (part.result == "allreduce") == (steps == 30)
    assert np.array_equal(part.operations, whole.operations)


def test_keys_of_other_algorithms_are_refused() -> None:
    with pytest.raises(BadInput, match="algorithm 'ring' has no key 'grid'"):
        build_work("allreduce:algorithm=ring,size=4KiB,grid=4x4", 16)
    with pytest.raises(BadInput, match="does not hold 16 ranks"):
        build_work("allreduce:algorithm=dual-rings,size=4KiB,grid=4x5", 16)


def test_chunks_of_long_vectors_follow_each_other_round_every_ring() -> None:
    one, four = (allreduce(16, 16 * 4 * 2**17, chunks=chunks) for chunks in (1, None))
    assert one.depth == four.depth == 30 and one.bytes_sent.tolist() == four.bytes_sent.tolist()
    assert len(four.operations) == 4 * len(one.operations)
    run_and_check(allreduce(9, 9 * 4 * 8, "int32", chunks=2))
