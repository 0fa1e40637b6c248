"""Hypothesis plays the medium: whatever it does to packets, every byte arrives once and nothing gets stuck."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from emulation.pair.pair import Pair, PairSettings
from emulation.pair.state import Violation
from uet.transport.state import ROD, RUD

STEPS, EXAMPLES = 100, 100
"""10,000 steps in all."""

FATES = ("deliver oldest", "deliver oldest", "deliver", "drop", "duplicate", "corrupt", "trim", "mark")


class Medium(RuleBasedStateMachine):
    @initialize(
        window=st.sampled_from([4, 64]),
        trigger=st.sampled_from([1, 100, 16384]),
        controller=st.sampled_from(["constant", "nscc", "nscc+rccc"]),
        mode=st.sampled_from([RUD, ROD]),
        seed=st.integers(1, 1 << 30),
    )
    def begin(self, window: int, trigger: int, controller: str, mode: int, seed: int) -> None:
        overrides = {"pdc.window_packets": window, "ack.trigger_bytes": trigger, "rto.max_retries": -1}
        self.pair = Pair(PairSettings(mode=mode, seed=seed, controller=controller, overrides=overrides))

    @rule(src=st.integers(0, 1), n_bytes=st.integers(0, 400))
    def post(self, src: int, n_bytes: int) -> None:
        posted = len(self.pair.goods())
        message = self.pair.post(src, n_bytes)
        if message < 0:  # no room, or every PDC is still being closed
            assert posted == self.pair.settings.messages or self.pair.state["n_closes"][0]

    @rule(fate=st.sampled_from(FATES), k=st.integers(0, 1 << 20), argument=st.integers(0, 1 << 12))
    def befall(self, fate: str, k: int, argument: int) -> None:
        if not self.pair.n_flight:
            self.pair.expire()
            return
        place = 0 if fate == "deliver oldest" else k % self.pair.n_flight
        if fate == "corrupt":
            self.pair.corrupt(place, argument)
        elif fate == "trim":
            self.pair.trim(place, last_hop=argument % 2 == 1)
        else:
            getattr(self.pair, fate.split()[0])(place)

    @rule(by_us=st.integers(0, 300))
    def advance(self, by_us: int) -> None:
        self.pair.advance(by_us * 10**6)

    @rule(pdc=st.integers(0, 3))
    def close(self, pdc: int) -> None:
        self.pair.close(pdc)

    @rule()
    def expire(self) -> None:
        self.pair.expire()

    @invariant()
    def nothing_is_violated(self) -> None:
        assert self.pair.violation() == Violation.NONE

    def teardown(self) -> None:
        if not hasattr(self, "pair"):
            return
        assert self.pair.finish() >= 0
        assert self.pair.violation() == Violation.NONE
        goods = self.pair.goods()
        assert (goods["received"][goods["sent"] == 1] == 1).all()
        assert self.pair.state["n_closes"][0] or (goods["sent"] == 1).all()


TestMedium = Medium.TestCase
TestMedium.settings = settings(max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None)
