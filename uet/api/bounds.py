"""The bound by cuts beside a collective: how long it takes at least, and how near to that a run comes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from uet.api.fabrics import SpecLike
from uet.api.schedules import work_spec

if TYPE_CHECKING:
    from topologies.fabric import Fabric
    from uet.schedule.model import Schedule


@dataclass(frozen=True)
class CutBound:
    """`cut_us`: no algorithm can be faster, on the one plane that `uet simulate` has.

    `spread_us` is what this algorithm's bytes take, all at once and spread evenly over minimal paths, and
    `fraction` the bound over that; None where switches add up.
    """

    cut_us: float
    spread_us: float | None
    fraction: float | None


def cut_us(fabric: Fabric, work: SpecLike, ranks: int | None = None) -> float | None:
    """Return the least time [us] of the collective `work` on the first hosts of one plane, None for other works.

    `ranks` are those at hand, by default all hosts.
    """
    from solvers.cut_time import cut_time_us
    from uet.schedule.works import asked_of

    spec = work_spec(work)
    asked = None if spec is None else asked_of(spec, ranks or fabric.n_hosts)
    return None if asked is None else cut_time_us(fabric, asked)


def bound_of(fabric: Fabric, work: SpecLike, ranks: int | None, schedule: Schedule) -> CutBound | None:
    """Return the bound beside the `schedule` of the collective `work`, None for other works."""
    from solvers.cut_time import spread_time_us

    least_us = cut_us(fabric, work, ranks)
    if least_us is None:
        return None
    spread_us = spread_time_us(fabric, schedule)
    return CutBound(least_us, spread_us, None if spread_us is None else least_us / spread_us)


def reached(fabric: Fabric, work: SpecLike, run_us: float | None) -> dict[str, Any] | None:
    """Return the bound of the collective `work` and the fraction of it that a run of `run_us` reached (None: no end).

    None for other works.
    """
    least_us = cut_us(fabric, work)
    return None if least_us is None else {"cut_us": least_us, "fraction": least_us / run_us if run_us else None}
