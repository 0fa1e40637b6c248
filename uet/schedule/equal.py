"""Large collectives of equal messages, as a rule instead of a table of operations.

An all-to-all of 16,384 ranks has 268 million messages, a ring allreduce of 100,000 twenty thousand million. Who
knows how to treat equal messages together takes these; `schedule` returns the table where it is small.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from uet.base.spec import check, parse_spec
from uet.schedule.collectives.library import collective
from uet.schedule.model import Schedule
from uet.schedule.works import OPTIONS, Collective, dtype_of, ranks_of

MANY_MESSAGES = 2**22
"""Messages beyond which an element more or less in some does not matter, and rings are not written out."""


@dataclass(frozen=True)
class EqualAllToAll:
    """An all-to-all between `n_ranks` ranks of one message of `message_bytes` per ordered pair, all begun at once."""

    name: str
    n_ranks: int
    message_bytes: int

    def schedule(self) -> Schedule:
        """Return it message by message."""
        return collective("alltoall", "direct", self.n_ranks, self.n_ranks * self.message_bytes, "uint8")


@dataclass(frozen=True)
class EqualRing:
    """Every rank r sends `steps` messages of `message_bytes` to rank r + 1, each once that of the step before has
    come from rank r - 1: reduce-scatter, allgather or both.
    """

    name: str
    n_ranks: int
    message_bytes: int
    steps: int

    def schedule(self) -> Schedule:
        """Return it message by message."""
        size = self.n_ranks * self.message_bytes
        return collective("allreduce", "ring", self.n_ranks, size, "uint8", options={"first_steps": self.steps})


def as_rule(text: str, n_ranks: int) -> EqualAllToAll | EqualRing | None:
    """Return a WORK of all `n_ranks` ranks as a rule: an all-to-all of equal messages, or a ring of many messages.

    None for all other works. Blocks that differ by an element count as the larger one where there are more than
    MANY_MESSAGES. Raises BadInput as `build_work` does.
    """
    spec = parse_spec(text)
    if spec.family not in ("alltoall", "allreduce", "reducescatter", "allgather") or "size" not in spec.arguments:
        return None
    work = check(Collective, spec.arguments, spec.family)
    others = [key for key in OPTIONS if getattr(work, key) is not None]
    if ranks_of(work, spec, n_ranks) != n_ranks or n_ranks < 2:
        return None
    element_bytes = np.dtype(dtype_of(work)).itemsize
    each, rest = divmod(work.size // element_bytes, n_ranks)
    message_bytes = (each + (rest > 0)) * element_bytes
    if spec.family == "alltoall":
        known = work.algorithm in (None, "direct", "spread", "linear") and not others
        large = n_ranks * (n_ranks - 1) > MANY_MESSAGES
        return EqualAllToAll("alltoall direct", n_ranks, message_bytes) if known and (large or not rest) else None
    steps = (n_ranks - 1) * (2 if spec.family == "allreduce" else 1)
    if spec.family == "allreduce" and others == ["first_steps"]:
        steps, others = min(work.first_steps or steps, steps), []
    if work.algorithm not in (None, "ring") or others or n_ranks * steps <= MANY_MESSAGES or not message_bytes:
        return None
    return EqualRing(f"{spec.family} ring", n_ranks, message_bytes, steps)
