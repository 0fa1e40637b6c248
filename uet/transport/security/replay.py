"""Replay protection: which sequence numbers of one source were received, in a window below the highest."""

from __future__ import annotations


class ReplayWindow:
    """Remembers the highest number and, as bits of an integer, those received below it."""

    def __init__(self, size: int = 1024) -> None:
        """Accept numbers less than `size` below the highest; spraying reorders within that."""
        self.size = size
        self.highest = -1
        self._received = 0  # bit i: highest - i

    def is_new(self, number: int) -> bool:
        """Tell whether a number was not received yet and is not too old to tell."""
        behind = self.highest - number
        return behind < 0 or (behind < self.size and not self._received >> behind & 1)

    def add(self, number: int) -> None:
        """Note that a new number was received."""
        if number > self.highest:
            ahead = min(number - self.highest, self.size)
            self._received = (self._received << ahead | 1) & ((1 << self.size) - 1)
            self.highest = number
        else:
            self._received |= 1 << (self.highest - number)
