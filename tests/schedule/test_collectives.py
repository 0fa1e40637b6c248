"""Every algorithm: real data for 2 to 33 ranks, steps and bytes as its docstring says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import ceil, floor, log2

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.schedule.schedules import run_and_check
from uet.base.errors import BadInput
from uet.schedule.collectives.double_tree import two_trees
from uet.schedule.collectives.library import ALGORITHMS, collective
from uet.schedule.collectives.pieces import blocks
from uet.schedule.execute import Buffers, execute, random_data
from uet.schedule.model import SEND, Schedule
from uet.schedule.verify import check_result
from uet.schedule.works import build_work

ALL = [(kind, name) for kind, names in ALGORITHMS.items() for name in names]


def _build(kind: str, name: str, n: int, size: int, dtype: str = "uint8", root: int = 0) -> Schedule:
    options: dict[str, object] = {}
    if name == "hierarchical":
        options["island"] = max(d for d in range(1, n + 1) if n % d == 0 and d * d <= n)
    if name == "double-tree":
        options["chunks"] = 3
    if name == "in-network":
        options["radix"] = 4
    return collective(kind, name, n, size, dtype, root, options)


def _defined(name: str, n: int) -> bool:
    return name != "dual-rings" or n in (9, 16, 27, 32)


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_real_data_for_two_to_thirty_three_ranks(kind: str, name: str) -> None:
    for n in filter(lambda n: _defined(name, n), range(2, 34)):
        dtype = ("float32" if n < 10 else "int32") if kind in ("allreduce", "reduce") else "uint8"
        schedule = _build(kind, name, n, 4 * n + 12, dtype, n // 2)
        before = random_data(schedule, n)
        buffers = Buffers(schedule, before.copy())
        execute(schedule, buffers)
        check_result(schedule, before, buffers.data)


@settings(max_examples=120, deadline=None)
@given(
    which=st.sampled_from(ALL), n=st.integers(1, 17), elements=st.integers(1, 50), seed=st.integers(0, 9),
    dtype=st.sampled_from(["uint8", "int32", "float32", "float64"]), root=st.integers(0, 16),
)  # fmt: skip
def test_data_is_right_in_any_order_and_with_empty_blocks(
    which: tuple[str, str], n: int, elements: int, seed: int, dtype: str, root: int
) -> None:
    if _defined(which[1], n):
        run_and_check(_build(*which, n, elements * np.dtype(dtype).itemsize, dtype, root % n), seed)


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_buffers_are_no_larger_than_needed_and_never_overrun(kind: str, name: str) -> None:
    for n in filter(lambda n: _defined(name, n), range(2, 20)):
        schedule = _build(kind, name, n, 8 * n)
        ops = schedule.operations
        for buffer, limit in ((0, schedule.data_bytes), (1, schedule.scratch_bytes)):
            ends = [(ops["offset"] + ops["bytes"])[ops["buffer"] == buffer]]
            local = (ops["source_buffer"] == buffer) & np.isin(ops["kind"], (2, 3))
            ends.append((ops["source_offset"] + ops["bytes"])[local])
            assert max(int(e.max(initial=0)) for e in ends) <= limit


def _power(n: int) -> int:
    return 1 << (n.bit_length() - 1)


def _fold_bytes(n: int, inner: Callable[[int], int], size: int) -> list[int]:
    """Bytes of each rank where even ones of the first 2 (n - p) stand aside."""
    extra, p = n - _power(n), _power(n)
    folded = [size if rank % 2 == 0 else size + inner(p) for rank in range(2 * extra)]
    return folded + [inner(p)] * (n - 2 * extra)


def _formulas(n: int, size: int) -> Iterator[tuple[str, str, int | None, list[int] | int]]:
    """Yield collective, algorithm, steps and bytes per rank (or in all), for sizes that divide evenly."""
    up, down, fold = ceil(log2(n)), floor(log2(n)), 2 * (n != _power(n))
    share = size * (n - 1) // n
    yield "allreduce", "recursive-doubling", down + fold, _fold_bytes(n, lambda p: size * int(log2(p)), size)
    yield "allreduce", "rabenseifner", 2 * down + fold, _fold_bytes(n, lambda p: 2 * size * (p - 1) // p, size)
    yield "allreduce", "binomial", 2 * down, 2 * (n - 1) * size
    yield "allreduce", "double-tree", 2 * up, 2 * (n - 1) * size
    yield "alltoall", "pairwise", n - 1, [share] * n
    yield "alltoall", "bruck", up, [sum((j >> k) & 1 for j in range(n) for k in range(up)) * size // n] * n
    yield "allgather", "bruck", up, [share] * n
    yield "reducescatter", "pairwise", n - 1, [share] * n
    yield "broadcast", "binomial", down, (n - 1) * size
    yield "reduce", "binomial", down, (n - 1) * size
    for kind, steps, sent in (("allreduce", 2, 2 * share), ("reducescatter", 1, share), ("allgather", 1, share)):
        yield kind, "direct", steps, [sent] * n
    for kind in ("reducescatter", "allgather"):
        yield kind, "nccl-ring", n - 1, [share] * n
    for kind in ("direct", "spread", "linear"):
        yield "alltoall", kind, 1, [share] * n
    yield "allreduce", "nccl-ring", 2 * (n - 1), [2 * share] * n
    yield "allreduce", "nccl-tree", 2 * up, 2 * (n - 1) * size
    for kind in ("chain", "nccl-ring"):
        yield "broadcast", kind, n - 1, [size] * (n - 1) + [0]
        yield "reduce", kind, n - 1, [0] + [size] * (n - 1)
    yield "gather", "linear", 1, [0] + [size // n] * (n - 1)
    yield "scatter", "linear", 1, [share] + [0] * (n - 1)
    below = [min(v & -v, n - v) if v else 0 for v in range(n)]
    yield "gather", "binomial", down, [t * size // n for t in below]
    yield "scatter", "binomial", down, sum(below) * size // n
    yield "barrier", "dissemination", up, [up * size] * n
    aside = n - _power(n)
    places = range(_power(n))  # a chain goes from any to any other, lengthened where ranks stand aside
    steps = max((a ^ b).bit_count() + (a < aside) + (b < aside) for a in places for b in places)
    yield "allgather", "recursive-doubling", steps, n * share + aside * size // n
    sent = [size if r < 2 * aside and r % 2 == 0 else share for r in range(n)]
    yield "reducescatter", "recursive-halving", steps, sent


@pytest.mark.parametrize("n", [2, 3, 4, 5, 6, 7, 8, 12, 13, 16, 31, 32, 33])
def test_steps_and_bytes_are_those_of_the_docstrings(n: int) -> None:
    size = n * 32 * 6
    for kind, name, steps, sent in _formulas(n, size):
        schedule = _build(kind, name, n, size)
        assert schedule.depth == steps, (kind, name)
        measured = schedule.bytes_sent
        assert (measured.tolist() if isinstance(sent, list) else int(measured.sum())) == sent, (kind, name)


@pytest.mark.parametrize("n", [2, 3, 8, 13, 32])
def test_binomial_trees_take_ceil_log_rounds_with_one_message_per_rank(n: int) -> None:
    for kind in ("broadcast", "reduce"):
        ops = _build(kind, "binomial", n, 8, root=1).operations
        sends = ops[ops["kind"] == SEND]
        assert len(sends) == n - 1 and set(sends["tag"]) == set(range(ceil(log2(n))))
        for tag in set(sends["tag"]):
            ends = sends[sends["tag"] == tag]
            assert len(set(ends["rank"]) | set(ends["peer"])) == 2 * len(ends)


@pytest.mark.parametrize("n", [2, 5, 8, 16])
def test_scatter_allgather_sends_twice_the_vector_from_the_root(n: int) -> None:
    size = n * 12
    schedule = _build("broadcast", "scatter-allgather", n, size, root=n - 1)
    assert schedule.bytes_sent[n - 1] == 2 * size * (n - 1) // n
    assert schedule.bytes_sent.max() == schedule.bytes_sent[n - 1]
    assert n - 1 <= schedule.depth <= n - 1 + ceil(log2(n))


@pytest.mark.parametrize(("grid", "n"), [((4, 4), 16), ((3, 5), 15), ((2, 3, 4), 24), ((8, 1), 8), ((2, 2, 2), 8)])
def test_torus_uses_every_direction_for_the_same_share(grid: tuple[int, ...], n: int) -> None:
    size = n * 2 * len(grid) * 10
    schedule = collective("allreduce", "torus", n, size, "uint8", options={"grid": grid})
    assert schedule.depth == 2 * sum(side - 1 for side in grid)
    assert schedule.bytes_sent.tolist() == [2 * size * (n - 1) // n] * n
    sends = schedule.operations[schedule.operations["kind"] == SEND]
    places, targets = (np.unravel_index(sends[end], grid[::-1]) for end in ("rank", "peer"))
    moves = np.stack([(b - a) % side for a, b, side in zip(places, targets, grid[::-1], strict=True)])
    assert np.all((moves > 0).sum(axis=0) == 1)
    for d, side in enumerate(grid[::-1]):
        assert set(moves[d]) <= {0, 1, side - 1}
        if side == 1:
            continue
        both = [int(sends["bytes"][moves[d] == way].sum()) for way in (1, side - 1)]
        assert both[0] == both[1]
    run_and_check(schedule)


@pytest.mark.parametrize(("n", "island"), [(16, 4), (24, 8), (12, 3), (6, 1), (6, 6)])
def test_islands_keep_most_bytes_inside(n: int, island: int) -> None:
    size, m = n * 20, n // island
    schedule = collective("allreduce", "hierarchical", n, size, "uint8", options={"island": island})
    sends = schedule.operations[schedule.operations["kind"] == SEND]
    inside = sends["rank"] // island == sends["peer"] // island
    per_rank = [int(sends["bytes"][k].sum()) // n for k in (inside, ~inside)]
    assert per_rank == [2 * size * (island - 1) // island, 2 * size * (m - 1) // (m * island)]
    assert schedule.depth == 2 * (m - 1) + 2 * (island > 1)
    assert np.all(sends["rank"][~inside] % island == sends["peer"][~inside] % island)


@pytest.mark.parametrize("n", range(2, 40))
def test_the_two_trees_are_binary_and_leaves_of_one_work_in_the_other(n: int) -> None:
    inner = []
    for parent in two_trees(n):
        roots = np.flatnonzero(parent < 0)
        children = np.bincount(parent[parent >= 0], minlength=n)
        assert len(roots) == 1 and children.max() <= 2 and children[roots[0]] == 1
        depth, at = 0, np.arange(n)
        while np.any(at >= 0):
            at = np.where(at >= 0, parent[at], -1)
            depth += 1
        assert depth - 1 == ceil(log2(n))
        inner.append(set(np.flatnonzero(children)))
    assert len(inner[0] & inner[1]) <= 1


def test_two_trees_share_the_work() -> None:
    schedule = collective("allreduce", "double-tree", 32, 64_000, "uint8")
    assert schedule.bytes_sent.max() <= 2 * 64_000
    assert len(schedule.operations[schedule.operations["kind"] == SEND]) == 4 * 31 * 8


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("allreduce:algorithm=hierarchical,size=80", "island=8 does not divide the 10 ranks; choose 2, 5, 10"),
        ("allreduce:algorithm=torus,grid=3x3,size=80", "grid=3x3 does not hold 10 ranks"),
        (
            "allreduce:algorithm=ring,island=2,size=80",
            "algorithm 'ring' has no key 'island'; its own keys: first_steps, chunks",
        ),
        ("alltoall:algorithm=hierarchical,island=4,size=80", "island=4 does not divide the 10 ranks; choose 1, 2, 5"),
        ("allreduce:algorithm=nccl-ring,size=80,protocol=ll129", "protocol=ll129 is unknown; did you mean 'll128'"),
        ("allreduce:algorithm=nccl-tree,size=80,channels=3", "channels=3 must be 1 to 32 and even; such as 2"),
        ("allreduce:algorithm=nccl-ring,size=80,channels=0", "channels=0 must be 1 to 32"),
        ("allgather:algorithm=pat,size=80,aggregate=0", "aggregate=0 must be at least 1"),
        ("barrier:ways=0", "ways=0 must be at least 1"),
        ("allreduce:algorithm=in-network,size=80,radix=1", "radix=1 must be at least 2"),
        ("broadcast:size=80,root=10", "root=10 is not one of the ranks 0..9"),
        ("allreduce:size=80,root=1", "unknown key 'root'"),
        ("allreduce:algorithm=double-tree,size=80,chunks=0", "chunks"),
    ],
)
def test_what_does_not_fit_is_explained(text: str, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        build_work(text, 10)


def test_works_reach_all_algorithms() -> None:
    assert build_work("allreduce:algorithm=hierarchical,island=5,size=80", 10).depth == 4
    assert build_work("broadcast:size=80,root=3", 10).bytes_sent[3] == 4 * 80
    assert build_work("barrier", 10).depth == 4
    assert build_work("barrier:", 10).result == "barrier"
    assert blocks(10, 3, "uint8").tolist() == [0, 4, 7, 10]
