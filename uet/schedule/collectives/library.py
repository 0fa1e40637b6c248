"""Every collective and its algorithms by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import signature
from types import MappingProxyType
from typing import Any

from uet.base.errors import BadInput, nearest
from uet.schedule.collectives import (
    binomial,
    bruck,
    direct,
    dissemination,
    double_tree,
    dual_rings,
    hierarchical,
    pairwise,
    rabenseifner,
    recursive_doubling,
    ring,
    scatter_allgather,
    torus,
)  # fmt: skip
from uet.schedule.model import Schedule

Builder = Callable[..., Schedule]

ALGORITHMS: dict[str, dict[str, Builder]] = {
    "allreduce": {
        "ring": ring.allreduce,
        "recursive-doubling": recursive_doubling.allreduce,
        "rabenseifner": rabenseifner.allreduce,
        "halving-doubling": rabenseifner.allreduce,
        "binomial": binomial.allreduce,
        "double-tree": double_tree.allreduce,
        "torus": torus.allreduce,
        "dual-rings": dual_rings.allreduce,
        "hierarchical": hierarchical.allreduce,
    },
    "reducescatter": {
        "ring": ring.reducescatter,
        "recursive-halving": rabenseifner.reducescatter,
        "pairwise": pairwise.reducescatter,
    },
    "allgather": {
        "ring": ring.allgather,
        "recursive-doubling": recursive_doubling.allgather,
        "bruck": bruck.allgather,
    },
    "alltoall": {"direct": direct.alltoall, "pairwise": pairwise.alltoall, "bruck": bruck.alltoall},
    "broadcast": {"binomial": binomial.broadcast, "scatter-allgather": scatter_allgather.broadcast},
    "reduce": {"binomial": binomial.reduce},
    "barrier": {"dissemination": dissemination.barrier},
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
