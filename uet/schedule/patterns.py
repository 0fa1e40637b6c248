"""Traffic patterns: independent messages between ranks, without any dependency."""

from __future__ import annotations

import numpy as np

from uet.base.errors import BadInput
from uet.schedule.model import Index, Schedule, ScheduleBuilder


def permutation(n_ranks: int, size_bytes: int, seed: int) -> Schedule:
    """Return a random permutation without fixed points: every rank sends and receives one message.

    1 step, `size_bytes` sent per rank. DATA[0, D) goes out, DATA[D, 2 D) comes in. Raises BadInput
    for fewer than two ranks.
    """
    if n_ranks < 2:
        raise BadInput(f"permutation: {n_ranks} rank has nobody to send to; use at least 2")
    builder = ScheduleBuilder("permutation", n_ranks, 2 * size_bytes, result="messages")
    targets = derangement(n_ranks, np.random.default_rng(seed))
    builder.transfer(np.arange(n_ranks), targets, size_bytes, to_offset=size_bytes)
    return builder.build()


def derangement(n: int, rng: np.random.Generator) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Draw permutations until one has no fixed point (about e draws): uniform over derangements."""
    while True:
        targets = rng.permutation(n)
        if not np.any(targets == np.arange(n)):
            return targets


def incast(n_ranks: int, fan_in: int, size_bytes: int, target: int, seed: int) -> Schedule:
    """Return `fan_in` random ranks sending one message each to `target` at once.

    1 step, `size_bytes` sent per sender. DATA[0, D) goes out, the target receives side by side.
    Raises BadInput if there are not enough other ranks or no such target.
    """
    if not 0 <= target < n_ranks:
        raise BadInput(f"incast: target={target} is not one of the ranks 0..{n_ranks - 1}")
    if fan_in > n_ranks - 1:
        raise BadInput(f"incast: fan_in={fan_in} needs {fan_in + 1} ranks, there are {n_ranks}")
    others = np.delete(np.arange(n_ranks), target)
    senders = np.random.default_rng(seed).choice(others, fan_in, replace=False)
    builder = ScheduleBuilder("incast", n_ranks, fan_in * size_bytes, result="messages")
    builder.transfer(senders, target, size_bytes, to_offset=np.arange(fan_in) * size_bytes)
    return builder.build()


def side_by_side(target: Index, size: Index) -> tuple[Index, int]:
    """Return where each message lands at its target, after room for the longest one, and the bytes in use."""
    order = np.argsort(target, kind="stable")
    ends = np.cumsum(size[order])
    starts = ends - size[order]
    first = np.flatnonzero(np.diff(target[order], prepend=-1))
    mine = np.repeat(starts[first], np.diff(first, append=len(order)))
    longest = int(size.max(initial=0))
    place = np.empty(len(order), np.int64)
    place[order] = longest + starts - mine
    return place, int((place + size).max(initial=longest))


def sendrecv(n_ranks: int, src: int, dst: int, size_bytes: int) -> Schedule:
    """Return one message of `size_bytes` from `src` to `dst`. Raises BadInput for ranks that do not exist."""
    for name, rank in (("src", src), ("dst", dst)):
        if not 0 <= rank < n_ranks:
            raise BadInput(f"sendrecv: {name}={rank} is not one of the ranks 0..{n_ranks - 1}")
    if src == dst:
        raise BadInput(f"sendrecv: src and dst are both {src}; a message needs two ranks")
    builder = ScheduleBuilder("sendrecv", n_ranks, size_bytes, result="messages")
    builder.transfer(src, dst, size_bytes)
    return builder.build()
