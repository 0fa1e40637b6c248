"""Mutated frames thrown at a pair at work: those refused change nothing, those taken leave its books in order."""

import ctypes
import mmap

import pytest

from emulation.pair.hostile import CHANGED, hostile_world, run
from emulation.pair.pair import Pair, PairSettings
from emulation.pair.state import Violation
from uet.base.jit import JIT
from uet.base.tables import Records

STEPS = 200
PARTS = (("constant", "oblivious"), ("nscc", "reps"), ("rccc", "mixed"))


class Guard:
    """A buffer followed by a page that must not be touched: reading on ends the process."""

    def __init__(self) -> None:
        self._map = mmap.mmap(-1, 2 * mmap.PAGESIZE)
        self.end = ctypes.addressof(ctypes.c_char.from_buffer(self._map)) + mmap.PAGESIZE
        assert ctypes.CDLL(None).mprotect(ctypes.c_void_p(self.end), mmap.PAGESIZE, 0) == 0


def throw(frames: int, seed: int, controller: str, balancer: str) -> Records:
    """Throw about `frames` frames and return the row that counts them; fail on anything that must not be."""
    guard, pair = Guard(), Pair(
        PairSettings(
            messages=8, packets=64, message_packets=8, seed=seed, controller=controller, balancer=balancer,
            overrides={"pdc.window_packets": 16, "ack.trigger_bytes": 32, "ack.min_packet_bytes": 0},
        )
    )  # fmt: skip
    world = hostile_world(pair, seed, guard.end)
    state, first = world.tables["hostile"], 0
    while state["frames"][0] < frames:
        wrong = int(run(world.handle, first, 10 if JIT else 1, STEPS if JIT else 20))
        what = "CHANGED" if wrong == CHANGED else Violation(wrong).name
        assert wrong == 0, f"{what} in episode {state['episode'][0]} at draw {state['draws'][0]} of seed {seed}"
        first += 10
    return state[0]


@pytest.mark.parametrize(("controller", "balancer"), PARTS)
def test_hostile_frames_break_nothing(controller: str, balancer: str) -> None:
    row = throw(30_000 if JIT else 100, 1, controller, balancer)
    assert 0.2 < row["refused"] / row["frames"] < 0.9, "both kinds must be tried"


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(2, 12))
def test_ten_million_hostile_frames_break_nothing(seed: int) -> None:
    throw(1_000_000, seed, *PARTS[seed % len(PARTS)])
