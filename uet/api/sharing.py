"""Sharing and failing: where jobs go, how well a machine is shared, and what failing parts do to it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from uet.api.fabrics import FabricLike, build

if TYPE_CHECKING:
    from topologies.allocators.base import PlacementOptions
    from topologies.flexibility import Flexibility
    from topologies.jobs import Job
    from topologies.placement import PlacementReport
    from topologies.resilience import Resilience, ResilienceModel


def place(
    spec: FabricLike,
    jobs: str | Path | Sequence[Job],
    options: PlacementOptions | None = None,
    *,
    fail: str = "",
    seed: int = 1,
) -> PlacementReport:
    """Return where jobs go on the fabric `spec` that all arrive at once, and what bandwidth each one gets.

    `jobs` are a CSV file with the column `size` (and name, if wanted) or `topologies.jobs.Job`s; `options`
    (`topologies.allocators.base.PlacementOptions`) say how they are put, `fail` takes parts out first.
    Raises BadInput for what is wrong, and for a job that would not fit the whole machine.
    """
    from topologies.failures import damage
    from topologies.jobs import read_jobs
    from topologies.placement import place as place_jobs

    fabric = build(spec)
    wanted = read_jobs(jobs) if isinstance(jobs, str | Path) else jobs
    return place_jobs(fabric, wanted, damage(fabric, fail, seed), options)


def flexibility(
    spec: FabricLike,
    mix: str | Sequence[Job] = "mixed",
    options: PlacementOptions | None = None,
    *,
    count: int = 1000,
    load: float = 1.2,
    fail: str = "",
    seed: int = 1,
) -> Flexibility:
    """Return how well the fabric `spec` is shared by jobs that come and go.

    `mix` is the name of one (`topologies.jobs`), of which `count` jobs arrive that ask for `load` times what
    the machine has; or the jobs themselves, with their times. `options` and `fail` as in `place`.
    """
    from topologies.failures import damage
    from topologies.flexibility import flexibility as share
    from topologies.flexibility import flexibility_of

    fabric = build(spec)
    trouble = damage(fabric, fail, seed)
    if isinstance(mix, str):
        return share(fabric, mix, count, load, trouble, options, seed)
    return flexibility_of(fabric, mix, trouble, options)


def resilience(
    spec: FabricLike,
    catalogue: str | Path = "hammingmesh-2022",
    model: ResilienceModel | None = None,
    *,
    fail: str = "",
    seed: int = 1,
) -> Resilience:
    """Return interruptions, bandwidth under failures, the worst failures, and effective training time.

    Failure rates are those of `catalogue` or of `model` (`topologies.resilience.ResilienceModel`), which also
    has checkpoints and repair; `fail` takes parts out first.
    """
    from topologies.catalogue.catalogue import load_catalogue
    from topologies.failures import damage
    from topologies.resilience import resilience as measure

    fabric = build(spec)
    trouble = damage(fabric, fail, seed) if fail else None
    return measure(fabric, load_catalogue(catalogue), model, seed, trouble)
