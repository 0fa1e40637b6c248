"""Links between the groups of Dragonflies: the same number of ports in each, dealt round-robin over pairs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class GroupLinks:
    """Links between groups: port `near_port` of group `near` to `far_port` of `far`; ports count per group."""

    groups: int
    ports: int
    near: Ints
    near_port: Ints
    far: Ints
    far_port: Ints

    def towards(self, pairs: Ints) -> list[tuple[Ints, Ints]]:
        """Return for each row (group, other) the ports of the group that lead to the other, and where they end."""
        one = np.concatenate([self.near, self.far]), np.concatenate([self.far, self.near])
        ends = np.concatenate([self.near_port, self.far_port]), np.concatenate([self.far_port, self.near_port])
        key = one[0] * self.groups + one[1]
        order = np.argsort(key, kind="stable")
        wanted = pairs[:, 0] * self.groups + pairs[:, 1]
        low, high = (np.searchsorted(key[order], wanted, side) for side in ("left", "right"))
        return [(ends[0][order[a:b]], ends[1][order[a:b]]) for a, b in zip(low.tolist(), high.tolist(), strict=True)]


def deal(groups: int, ports: int) -> GroupLinks:
    """Deal floor(groups * ports / 2) links round-robin over the pairs of groups.

    In full rounds port 0 of a group leads to the next group, port 1 to the one after it, and so on.
    What is left of the ports leads to the groups at the least distances, the middle one first where the
    number is odd; if groups and ports are both odd, one group keeps a port free. Pairs get equally many
    links, or one more. With groups = ports + 1 every pair has one link.
    """
    if groups < 2:
        empty = np.zeros(0, np.int64)
        return GroupLinks(groups, ports, empty, empty, empty, empty)
    rounds, left = divmod(ports, groups - 1)
    offsets = np.tile(np.arange(1, groups), rounds)
    rest, matched = _leftover(groups, left)
    offset = np.concatenate([offsets, rest])
    port = np.arange(len(offset))
    mirror = np.concatenate(
        [_mirror(np.arange(1, groups), groups, k * (groups - 1)) for k in range(rounds)]
        + [_mirror(rest, groups, rounds * (groups - 1))]
    )
    near = np.arange(groups)[:, None]
    far = (near + offset) % groups
    once = near < far
    columns = [np.broadcast_to(c, far.shape)[once] for c in (near, port, far, mirror)]
    if matched:
        even = np.arange(0, groups - 1, 2)
        last = np.full(len(even), ports - 1)
        columns = [np.concatenate(pair) for pair in zip(columns, (even, last, even + 1, last), strict=True)]
    return GroupLinks(groups, ports, *columns)


def _leftover(groups: int, left: int) -> tuple[Ints, bool]:
    """Return the offsets that `left` < groups - 1 ports of each group lead to, and if one more is matched."""
    if left % 2 == 0:
        low, extra, matched = np.arange(1, left // 2 + 1), [], False
    elif groups % 2 == 0:
        low, extra, matched = np.arange(1, left // 2 + 1), [groups // 2], False
    else:
        low, extra, matched = np.arange(2, left // 2 + 2), [], True  # offset 1 is kept for the matching
    return np.concatenate([low, extra, groups - low[::-1]]).astype(np.int64), matched


def _mirror(offsets: Ints, groups: int, start: int) -> Ints:
    """Return the port of the far group for each offset of an ascending list closed under negation."""
    return start + np.searchsorted(offsets, groups - offsets)
