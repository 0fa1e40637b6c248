"""Every state of a small pair, on the engine itself: few in every test, a hundred million in the soak."""

import pytest

from emulation.pair.explore import ALL_SEEN, FOUND, FULL, MORE, explore, explore_world, path
from emulation.pair.pair import Pair, PairSettings
from emulation.pair.state import Violation

BLOCK = 1_000_000


def search(script: list[tuple[int, int]], faults: int, states: int, **overrides: float) -> dict[str, int]:
    """Search until no state is left or `states` were visited, fail on a violation, and return the counters."""
    settings = PairSettings(
        messages=len(script), packets=24, wire=False, balancer="ecmp",
        overrides={"pdc.window_packets": 4, "rto.max_retries": -1, **overrides},
    )  # fmt: skip
    pair = Pair(settings)
    world = explore_world(pair, script, faults, states)
    outcome = MORE
    while outcome == MORE:
        outcome = explore(world.handle, BLOCK)
    row = world.tables["explore"]
    if outcome == FOUND:
        pytest.fail(f"{pair.violation().name} after {', '.join(path(world))}")
    assert outcome in (ALL_SEEN, FULL)
    assert row["cut"][0] == 0
    return {name: int(row[name][0]) for name in row.dtype.names} | {"all": outcome == ALL_SEEN}


def test_all_states_with_one_fault() -> None:
    found = search([(0, 32), (0, 16), (1, 16)], 1, 1_000_000)
    assert found["all"]
    assert found["ends"] > 10
    assert found["states"] > 10_000


def test_a_window_of_four_holds_back_a_message_of_six_packets() -> None:
    found = search([(0, 96)], 1, 1_000_000)
    assert found["all"]


def test_states_without_a_fault_are_those_of_reordering_alone() -> None:
    found = search([(0, 16)], 0, 1000)
    # nothing posted is where it begins; then the request is under way, the ACK, nothing and all is done
    assert (found["states"], found["ends"], found["deepest"]) == (3, 1, 2)


def test_a_broken_invariant_is_found_with_its_path() -> None:
    settings = PairSettings(messages=1, packets=24, wire=False, balancer="ecmp", overrides={"pdc.window_packets": 4})
    pair = Pair(settings)
    world = explore_world(pair, [(0, 16)], 0, 1000)
    pair.engine.table("core")["used_packets"] = 3  # as if three slots had leaked
    world = explore_world(pair, [(0, 16)], 0, 1000)
    assert explore(world.handle, 100) == FOUND
    assert path(world) == ["post"]
    assert pair.violation() == Violation.SLOTS


@pytest.mark.soak
def test_a_hundred_million_states() -> None:
    found = search([(0, 32), (0, 16), (1, 16)], 3, 100_000_000)
    assert found["all"] or found["states"] >= 100_000_000
