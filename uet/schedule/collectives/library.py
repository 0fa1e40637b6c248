"""Every collective and its algorithms by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import signature
from types import MappingProxyType
from typing import Any

from uet.base.errors import BadInput, nearest
from uet.schedule.collectives import direct, dual_rings, ring
from uet.schedule.model import Schedule

Builder = Callable[..., Schedule]

ALGORITHMS: dict[str, dict[str, Builder]] = {
    "allreduce": {"ring": ring.allreduce, "dual-rings": dual_rings.allreduce},
    "reducescatter": {"ring": ring.reducescatter},
    "allgather": {"ring": ring.allgather},
    "alltoall": {"direct": direct.alltoall},
}
"""Collective -> algorithm -> function (n_ranks, size_bytes, dtype) or, if rooted, (..., root)."""

ROOTED = frozenset({"broadcast", "reduce"})
"""Collectives whose functions take a root rank as well."""


def collective(
    kind: str, algorithm: str | None, n_ranks: int, size_bytes: int, dtype: str, root: int = 0,
    options: Mapping[str, Any] = MappingProxyType({}),
) -> Schedule:  # fmt: skip
    """Return the schedule of a collective; the algorithm defaults to the first one in the table.

    `options` are arguments of some algorithms only. Raises BadInput for names that are unknown, options
    that the algorithm does not take, and roots that do not exist.
    """
    if kind not in ALGORITHMS:
        raise BadInput(f"unknown collective '{kind}'; {nearest(kind, ALGORITHMS)}")
    legal = ALGORITHMS[kind]
    name = algorithm or next(iter(legal))
    if name not in legal:
        raise BadInput(f"{kind}: unknown algorithm '{name}'; {nearest(name, legal)}")
    arguments: list[Any] = [n_ranks, size_bytes, dtype]
    if kind in ROOTED:
        if root >= n_ranks:
            raise BadInput(f"{kind}: root={root} is not one of the ranks 0..{n_ranks - 1}")
        arguments.append(root)
    for option in options:
        if option not in signature(legal[name]).parameters:
            raise BadInput(f"{kind}: algorithm '{name}' has no key '{option}'; leave it out")
    return legal[name](*arguments, **options)
