"""Random walks of the compiled pair: a million steps in every test, a hundred million in the soak."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from emulation.pair.pair import Pair, PairSettings, engine_settings
from emulation.pair.state import Violation
from emulation.pair.walk import walk, walk_world
from uet.base.jit import kernel
from uet.base.rng import draw
from uet.base.tables import Records
from uet.transport.pdc import STREAM_PSN
from uet.transport.settings import SETTINGS_TABLE

BASE = PairSettings(
    messages=64,
    packets=1024,
    overrides={
        "pdc.window_packets": 64, "rto.max_retries": -1, "ack.trigger_bytes": 256, "ack.min_packet_bytes": 0,
    },
)  # fmt: skip
VARIANTS = (
    {},
    {"pdc.window_packets": 4},
    {"pdc.window_packets": 16, "ack.trigger_bytes": 64},
    {"cc.window_bytes": 400, "rto.backoff": 0},
    {"rto.max_retries": 2},
    {"lb.entropies": 1, "ack.trigger_bytes": 1},
)
PARTS = (("constant", "oblivious"), ("nscc", "reps"), ("swift", "bitmap"), ("dctcp", "mixed"))
STEPS = 300


@kernel
def _seed_before_wrap(first: int, within: int) -> int:
    """Return a seed from `first` on with which the PSNs of the first PDC wrap round within that many packets."""
    seed = first
    while np.int64(draw(seed, STREAM_PSN, 0) & np.uint64(0xFFFFFFFF)) < (1 << 32) - within:
        seed += 1
    return seed


@cache
def variants() -> Records:
    """Return the settings an episode may draw: some of them let PSNs wrap round early."""
    chosen = [replace(BASE, overrides={**BASE.overrides, **o}, controller=c, balancer=b, seed=k + 1)
              for k, (o, (c, b)) in enumerate((o, part) for part in PARTS for o in VARIANTS)]  # fmt: skip
    rows = SETTINGS_TABLE.zeros(len(chosen))
    for k, one in enumerate(chosen):
        rows[k] = engine_settings(one)[0]
    rows["seed"][::5] = [int(_seed_before_wrap(k << 32, 200)) for k in range(len(rows[::5]))]
    return rows


def take(steps: int, seed: int) -> Records:
    """Walk about `steps` steps and return the row that says where the walk ended; fail on any violation."""
    world = walk_world(Pair(BASE), variants(), seed)
    state, first = world.tables["walk"], 0
    while state["steps"][0] < steps:
        found = Violation(int(walk(world.handle, first, 100, STEPS)))
        where = f"seed {seed}, episode {state['episode'][0]}, step {state['step'][0]}"
        assert found == Violation.NONE, f"{found.name} at {where}"
        first += 100
    return state[0]


def test_a_million_random_steps_violate_nothing() -> None:
    assert take(1_000_000, 1)["episode"] > 1000


def test_an_episode_is_a_function_of_seed_and_number() -> None:
    ends = []
    for begin in (0, 3):
        world = walk_world(Pair(BASE), variants(), 5)
        walk(world.handle, begin, 8 - begin, STEPS)
        pair = world.tables["pair_world"]
        ends.append([pair.tables[name].tobytes() for name in ("goods", "target")] + [pair.tables["pair"]["now_ps"]])
    assert ends[0][0] == ends[1][0]
    assert ends[0][2] == ends[1][2]


@pytest.mark.soak
def test_a_hundred_million_random_steps_violate_nothing() -> None:
    take(100_000_000, 2)
