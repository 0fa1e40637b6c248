"""Folding: how algorithms for powers of two serve any number of ranks.

With p the largest power of two below n and n - p ranks too many, the first 2 (n - p) ranks pair up: the
even one gives its vector to the odd one, stands aside and gets the result in the end (Thakur,
Rabenseifner, Gropp 2005, section 4.4). This adds two steps and up to D bytes to the ranks that pair up.
"""

from __future__ import annotations

import numpy as np

from uet.schedule.model import SCRATCH, Index, ScheduleBuilder, Where

FOLD_TAG, UNFOLD_TAG = 1_000_000, 1_000_001


class Fold:
    """The ranks that take part, shape [p], and those that stand aside beside their partners."""

    def __init__(self, n_ranks: int) -> None:
        """Choose the participants among ranks 0 .. n - 1."""
        self.p = 1 << (n_ranks.bit_length() - 1)
        extra = n_ranks - self.p
        self.aside = np.arange(extra) * 2
        self.partners = self.aside + 1
        self.ranks = np.concatenate([self.partners, np.arange(2 * extra, n_ranks)])

    @property
    def extra_steps(self) -> int:
        """Steps that folding adds."""
        return 2 if len(self.aside) else 0

    def together(self, offsets: Index) -> Index:
        """Return of n blocks' offsets [n + 1] those between participants [p + 1]: partners have two blocks each."""
        return np.delete(offsets, self.partners)

    def fold(self, builder: ScheduleBuilder, size_bytes: int, scratch: int) -> Index:
        """Add the vectors of those that stand aside; return what each participant waits for, shape [p]."""
        ready = np.full(self.p, -1, np.int64)
        _, received = builder.transfer(
            self.aside, self.partners, size_bytes, to_offset=scratch, to_buffer=SCRATCH, tag=FOLD_TAG
        )
        ready[: len(self.aside)] = builder.reduce(self.partners, size_bytes, 0, scratch, after=(received,))
        return ready

    def collect(self, builder: ScheduleBuilder, offsets: Index) -> Index:
        """Bring the blocks of those that stand aside to their partners; return what participants wait for, [p]."""
        ready = np.full(self.p, -1, np.int64)
        _, ready[: len(self.aside)] = builder.transfer(
            self.aside, self.partners, np.diff(offsets)[self.aside], offset=offsets[self.aside], tag=FOLD_TAG
        )
        return ready

    def unfold(self, builder: ScheduleBuilder, size_bytes: Where, ready: tuple[Where, ...], offset: Where = 0) -> None:
        """Send the result, or each its part of it, to those that stand aside, once all of `ready` [p] is done."""
        k = len(self.aside)
        after = tuple(np.asarray(r)[:k] for r in ready)
        builder.transfer(self.partners, self.aside, size_bytes, offset=offset, tag=UNFOLD_TAG, after=after)
