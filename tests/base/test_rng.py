from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from uet.base.rng import below, draw, mix64

_WORDS = st.integers(0, 2**63 - 1)


def test_the_mixer_gives_the_published_splitmix64_sequence() -> None:
    # first outputs of splitmix64 seeded with 1234567, as in the reference code's test values
    golden = 0x9E3779B97F4A7C15
    state, outputs = 1234567, []
    for _ in range(3):
        outputs.append(int(mix64(np.uint64(state))))
        state = (state + golden) % 2**64
    assert outputs == [6457827717110365317, 3203168211198807973, 9817491932198370423]


@given(_WORDS, _WORDS, _WORDS)
def test_a_draw_depends_on_nothing_but_its_arguments(seed: int, stream: int, counter: int) -> None:
    first = int(draw(seed, stream, counter))
    assert int(draw(seed, stream, counter)) == first
    assert len({first, int(draw(seed, stream ^ 1, counter)), int(draw(seed, stream, counter ^ 1))}) == 3


@given(_WORDS, st.integers(1, 2**31 - 1))
def test_below_stays_below(bits: int, n: int) -> None:
    assert 0 <= below(np.uint64(bits), n) < n


def test_draws_spread_evenly() -> None:
    counts = np.bincount([below(np.uint64(draw(1, 2, k)), 16) for k in range(16_000)], minlength=16)
    chi_square = float(((counts - 1000) ** 2 / 1000).sum())
    assert chi_square < 37.7  # 15 degrees of freedom, 0.1 %
