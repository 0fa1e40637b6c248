"""Every collective and its algorithms by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import signature
from types import MappingProxyType
from typing import Any

from uet.base.errors import BadInput, nearest
from uet.schedule.collectives import (
    binomial,
    binomial_gather,
    bruck,
    chain,
    direct,
    dissemination,
    double_tree,
    dual_rings,
    grid_alltoall,
    hammingmesh,
    hierarchical,
    in_network,
    linear,
    nccl_ring,
    nccl_tree,
    pairwise,
    pat,
    rabenseifner,
    recursive_doubling,
    reducescatter_gather,
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
        "hammingmesh": hammingmesh.allreduce,
        "hierarchical": hierarchical.allreduce,
        "direct": direct.allreduce,
        "nccl-ring": nccl_ring.allreduce,
        "nccl-tree": nccl_tree.allreduce,
        "in-network": in_network.allreduce,
    },
    "reducescatter": {
        "ring": ring.reducescatter,
        "recursive-halving": rabenseifner.reducescatter,
        "pairwise": pairwise.reducescatter,
        "direct": direct.reducescatter,
        "pat": pat.reducescatter,
        "nccl-ring": nccl_ring.reducescatter,
    },
    "allgather": {
        "ring": ring.allgather,
        "recursive-doubling": recursive_doubling.allgather,
        "bruck": bruck.allgather,
        "direct": direct.allgather,
        "pat": pat.allgather,
        "nccl-ring": nccl_ring.allgather,
    },
    "alltoall": {
        "direct": direct.alltoall,
        "spread": direct.alltoall,
        "linear": direct.linear_alltoall,
        "pairwise": pairwise.alltoall,
        "bruck": bruck.alltoall,
        "2d": grid_alltoall.alltoall,
        "hierarchical": grid_alltoall.island_alltoall,
    },
    "broadcast": {
        "binomial": binomial.broadcast,
        "scatter-allgather": scatter_allgather.broadcast,
        "chain": chain.broadcast,
        "nccl-ring": nccl_ring.broadcast,
    },
    "reduce": {
        "binomial": binomial.reduce,
        "reducescatter-gather": reducescatter_gather.reduce,
        "chain": chain.reduce,
        "nccl-ring": nccl_ring.reduce,
    },
    "gather": {"binomial": binomial_gather.gather, "linear": linear.gather},
    "scatter": {"binomial": binomial_gather.scatter, "linear": linear.scatter},
    "barrier": {"dissemination": dissemination.barrier},
}
"""Collective -> algorithm -> function (n_ranks, size_bytes, dtype) or, if rooted, (..., root)."""

ROOTED = frozenset({"broadcast", "reduce", "gather", "scatter"})
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
            takes = ", ".join(keys_of(legal[name])) or "none"
            raise BadInput(f"{kind}: algorithm '{name}' has no key '{option}'; its own keys: {takes}")
    return legal[name](*arguments, **options)


def keys_of(build: Builder) -> dict[str, Any]:
    """Return the keys that only some algorithms take, with their defaults (None: chosen by size or ranks)."""
    common = ("n_ranks", "size_bytes", "dtype", "root")
    return {name: p.default for name, p in signature(build).parameters.items() if name not in common}
