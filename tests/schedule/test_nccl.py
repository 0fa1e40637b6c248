"""NCCL's ring and tree, PAT, the alltoall over a grid, switches that reduce: what the shared tests do not reach."""

from __future__ import annotations

from math import ceil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.schedule.schedules import run_and_check
from uet.schedule.collectives import (
    chain,
    dissemination,
    grid_alltoall,
    hammingmesh,
    in_network,
    nccl_ring,
    nccl_tree,
    pat,
)
from uet.schedule.collectives.library import ALGORITHMS, collective
from uet.schedule.collectives.nccl_protocols import PROTOCOLS
from uet.schedule.collectives.pieces import blocks
from uet.schedule.model import SEND
from uet.schedule.works import build_work

KIB = 2**10


def test_lines_of_the_protocols_carry_flags() -> None:
    on_wire = {name: [p.wire_bytes(n) for n in (1, 8, 120, 480, 576_000)] for name, p in PROTOCOLS.items()}
    assert on_wire == {
        "simple": [1, 8, 120, 480, 576_000],
        "ll": [16, 16, 240, 960, 1_152_000],
        "ll128": [128, 128, 128, 512, 614_400],
    }
    assert [p.wire_bytes(p.step_bytes) for p in PROTOCOLS.values()] == [512 * KIB, 64 * KIB, 614_400]


@settings(max_examples=40, deadline=None)
@given(
    which=st.sampled_from(
        [("allreduce", "nccl-tree"), *((k, "nccl-ring") for k, names in ALGORITHMS.items() if "nccl-ring" in names)]
    ),
    n=st.integers(1, 9), elements=st.integers(1, 400), protocol=st.sampled_from([*PROTOCOLS]),
    channels=st.sampled_from([2, 4]), seed=st.integers(0, 99),
)  # fmt: skip
def test_data_is_right_with_every_protocol(which, n, elements, protocol, channels, seed) -> None:  # type: ignore[no-untyped-def]
    options = {"protocol": protocol, "channels": channels}
    schedule = collective(*which, n, 4 * elements, "int32", seed % n, options)
    run_and_check(schedule, seed)
    plain = collective(*which, n, 4 * elements, "int32", seed % n, {"channels": channels})
    sends, data = (s.operations["bytes"][s.operations["kind"] == SEND] for s in (schedule, plain))
    if len(sends) == len(data) and protocol != "simple":
        assert sends.sum() >= data.sum() * (2 if protocol == "ll" else 128 / 120)


@pytest.mark.parametrize("protocol", [*PROTOCOLS])
def test_ring_and_tree_send_the_frames_of_their_data(protocol: str) -> None:
    """Pieces of whole lines: exactly twice the data with LL, 128/120 of it with LL128."""
    n, channels, how = 4, 2, PROTOCOLS[protocol]
    size = n * channels * 2 * 480 * 4
    ring = nccl_ring.allreduce(n, size, channels=channels, protocol=protocol)
    assert ring.bytes_sent.tolist() == [how.wire_bytes(2 * (n - 1) * size // n)] * n
    tree = nccl_tree.allreduce(n, size, channels=channels, protocol=protocol)
    assert tree.bytes_sent.sum() == how.wire_bytes(2 * (n - 1) * size)


def test_loops_chunks_and_slices_are_those_of_nccl() -> None:
    simple, ll = PROTOCOLS["simple"], PROTOCOLS["ll"]
    assert nccl_ring.pieces_of_ring(4 * 2**20, 2, simple) == (1, 2)  # a chunk of 2 MiB in two slices
    assert nccl_ring.pieces_of_ring(4 * 2**20 + 1, 2, simple) == (2, 2)
    assert nccl_ring.pieces_of_ring(32 * KIB, 1, simple) == (1, 1)  # a slice has at least 32 KiB
    assert nccl_ring.pieces_of_ring(2**20, 2, ll) == (16, 1)
    schedule = nccl_ring.allreduce(4, 4 * 2 * 64 * KIB * 16, channels=2, protocol="ll")
    assert schedule.depth == 2 * 3 * 32 and (schedule.operations["kind"] == SEND).sum() == 4 * 6 * 32 * 2
    assert nccl_tree.chunk_bytes(2**30, 2, simple, 5) == 512 * KIB
    assert nccl_tree.chunk_bytes(2**20, 2, simple, 5) == 64 * KIB
    assert nccl_tree.chunk_bytes(2**20, 2, ll, 5) == 32 * KIB


def test_trees_of_nodes_have_chains_inside() -> None:
    schedule = nccl_tree.allreduce(16, 2**16, island=4)
    run_and_check(schedule)
    assert schedule.depth == 2 * (3 + 2)
    sends = schedule.operations[schedule.operations["kind"] == SEND]
    between = sends[sends["rank"] // 4 != sends["peer"] // 4]
    assert set(between["rank"] % 4) == {0} and between["bytes"].sum() == 2 * 3 * 2**16


@settings(max_examples=30, deadline=None)
@given(n=st.integers(1, 20), elements=st.integers(1, 60), aggregate=st.integers(1, 5), seed=st.integers(0, 99))
def test_pat_packs_no_more_blocks_than_allowed(n: int, elements: int, aggregate: int, seed: int) -> None:
    for build in (pat.allgather, pat.reducescatter):
        schedule = build(n, 4 * elements, "int32", aggregate)
        run_and_check(schedule, seed)
        sends = schedule.operations[schedule.operations["kind"] == SEND]
        assert schedule.depth <= (n - 1).bit_length()
        if elements % n == 0:
            assert schedule.bytes_sent.tolist() == [4 * elements * (n - 1) // n] * n
        largest = int(np.diff(blocks(4 * elements, n, "int32")).max())
        assert sends["bytes"].max(initial=0) <= aggregate * largest


@pytest.mark.parametrize(("grid", "n"), [((4, 4), 16), ((3, 5), 15), ((8, 1), 8), ((1, 7), 7)])
def test_the_alltoall_over_a_grid_stays_in_rows_and_columns(grid: tuple[int, int], n: int) -> None:
    columns, rows = grid
    schedule = grid_alltoall.alltoall(n, n * 20, grid=grid)
    run_and_check(schedule)
    sends = schedule.operations[schedule.operations["kind"] == SEND]
    along = sends["rank"] // columns == sends["peer"] // columns
    assert np.all(along | (sends["rank"] % columns == sends["peer"] % columns))
    assert len(sends) == n * (columns - 1 + rows - 1) and schedule.depth == (columns > 1) + (rows > 1)
    for mine, side in ((along, columns), (~along, rows)):
        assert np.bincount(sends["rank"][mine], sends["bytes"][mine], n).tolist() == [(side - 1) * n * 20 // side] * n
    islands = collective("alltoall", "hierarchical", n, n * 20, "uint8", options={"island": columns})
    assert np.array_equal(islands.operations, schedule.operations)


@pytest.mark.parametrize(("n", "ways", "steps"), [(2, 1, 1), (9, 2, 2), (10, 2, 3), (16, 3, 2), (33, 4, 3), (5, 9, 1)])
def test_more_ways_need_fewer_rounds_and_still_hear_of_all(n: int, ways: int, steps: int) -> None:
    schedule = dissemination.barrier(n, ways=ways)
    assert schedule.depth == steps
    sends = schedule.operations[schedule.operations["kind"] == SEND]
    assert np.bincount(sends["rank"], minlength=n).max() <= steps * ways
    heard = np.eye(n, dtype=bool)
    for tag in sorted({t // ways for t in sends["tag"].tolist()}):
        before = heard.copy()
        for message in sends[sends["tag"] // ways == tag]:
            heard[message["peer"]] |= before[message["rank"]]
    assert heard.all()


@pytest.mark.parametrize(("n", "radix", "switches"), [(2, None, 1), (9, None, 1), (16, 4, 5), (13, 4, 5), (33, 3, 18)])
def test_switches_halve_what_ranks_send(n: int, radix: int | None, switches: int) -> None:
    schedule = in_network.allreduce(n, 4 * 300, "float32", radix, chunks=3)
    run_and_check(schedule)
    assert schedule.n_switches == switches and schedule.n_ranks == n + switches
    assert schedule.bytes_sent[:n].tolist() == [1200] * n
    levels = 1 if radix is None else ceil(np.log(n) / np.log(radix) - 1e-9)
    assert schedule.depth == 2 * levels


def test_a_chain_of_chunks_takes_the_time_of_one_vector() -> None:
    from uet.schedule.cost import alpha_beta_ps

    for build in (chain.broadcast, chain.reduce):
        schedule = build(9, 32 * 2000, "uint8", 3, chunks=32)
        run_and_check(schedule)
        assert alpha_beta_ps(schedule, 0, 1) == 8 * 2000  # of one chunk, the others follow


def test_a_sub_mesh_has_dual_rings_where_it_can() -> None:
    assert hammingmesh.allreduce(16, 4096).depth == 2 * 15
    assert hammingmesh.allreduce(24, 4096, grid=(4, 6)).depth == 2 * (3 + 5)
    run_and_check(build_work("allreduce:algorithm=hammingmesh,grid=4x6,size=4096", 24))
