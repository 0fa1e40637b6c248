"""Bandwidth of traffic patterns on a fabric, whole or damaged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from solvers.bandwidth import Bandwidth
    from solvers.locality import Step
    from uet.api.fabrics import FabricLike


@dataclass(frozen=True)
class BandwidthReport:
    """Bandwidth of all accelerators at once and, if asked for, the locality profile: one step per job size."""

    whole: Bandwidth
    profile: tuple[Step, ...] | None

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain data, the profile under its name."""
        steps = None if self.profile is None else [step.as_dict() for step in self.profile]
        return {**self.whole.as_dict(), "profile": steps}


def bandwidth(
    spec: FabricLike,
    pattern: str = "alltoall",
    *,
    by_size: bool = False,
    fail: str = "",
    seed: int = 1,
    tolerance: float | None = None,
    effort: int = 1,
    say: Callable[[str], None] | None = None,
) -> BandwidthReport:
    """Return what `pattern` (alltoall, allreduce, permutation, worst) gets per accelerator of the fabric `spec`.

    `by_size` adds the locality profile, `fail` takes parts out first (the failure grammar). Where an exact
    answer would take long, bounds close to the relative gap `tolerance`, or `effort` times half a minute's
    work is spent. `say` is called with remarks on progress. Raises BadInput for what is wrong, NoAnswer
    where no two accelerators are connected.
    """
    from solvers.bandwidth import bandwidth as solve
    from solvers.locality import locality_profile
    from solvers.throughput import Effort
    from topologies.failures import damage
    from uet.api.fabrics import build

    fabric, usual = build(spec), Effort()
    trouble = damage(fabric, fail, seed) if fail else None
    hard = Effort(usual.tolerance if tolerance is None else tolerance, usual.work * effort)
    if not by_size:
        return BandwidthReport(solve(fabric, pattern, trouble, seed, hard), None)
    steps = locality_profile(fabric, pattern, trouble, None, seed, hard, say)
    return BandwidthReport(solve(fabric, pattern, trouble, seed, hard), tuple(steps))


def draw_profile(reports: Sequence[tuple[str, BandwidthReport]], file: str | Path, force: bool = False) -> Path:
    """Draw locality profiles by name to `file` (.png, .svg or .pdf) and return its path.

    Raises BadInput for another suffix, an existing file without `force`, and a file that cannot be written.
    """
    from emulation.figures.profile import draw_profiles, profile_rows
    from emulation.figures.style import house_axes
    from uet.api.fabrics import checked_target

    path = checked_target(file, (".png", ".svg", ".pdf"), force)
    rows = profile_rows([(name, report.as_dict()["profile"]) for name, report in reports])
    with house_axes() as (figure, axes):
        draw_profiles(axes, rows).set_title(f"{reports[0][1].whole.pattern} bandwidth against job size")
        figure.savefig(path, dpi=160)
    return path
