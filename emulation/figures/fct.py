"""Flow completion times as cumulative distributions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from emulation.figures.style import colours

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = ("run", "fct_us", "share_of_flows")


def draw_fct_cdf(axes: Axes, fct_us: Mapping[str, ArrayLike], ideal_us: Mapping[str, float] | None = None) -> Axes:
    """Draw one curve per run: the share of flows that took at most x microseconds.

    `ideal_us` adds a dotted line per run, the time on an empty network.
    """
    names = list(fct_us)
    colour = colours(names)
    for name in names:
        values = np.sort(np.asarray(fct_us[name], float))
        share = np.arange(1, len(values) + 1) / len(values)
        axes.step(np.r_[values[:1], values], np.r_[0, share], where="post", color=colour[name], label=name)
        if ideal_us and name in ideal_us:
            axes.axvline(ideal_us[name], color=colour[name], linestyle=":", linewidth=1.4)
    axes.set_ylim(0, 1.02)
    axes.yaxis.set_major_formatter(lambda y, _: f"{y:.0%}")
    axes.set_xlabel("flow completion time [µs]" + ("   (dotted: empty network)" if ideal_us else ""))
    axes.set_ylabel("flows")
    axes.margins(x=0.06)
    _label(axes, {name: np.asarray(times, float) for name, times in fct_us.items()}, colour)
    return axes


def _label(axes: Axes, fct_us: Mapping[str, np.ndarray], colour: Mapping[str, str]) -> None:
    """Write each run's name beside its curve; curves further right are labelled further down."""
    low, high = axes.get_xlim()
    for k, name in enumerate(sorted(fct_us, key=lambda n: float(np.median(fct_us[n])))):
        share = max(0.72 - 0.14 * k, 0.05)
        at = float(np.quantile(fct_us[name], share))
        left = at > low + 0.7 * (high - low)
        axes.annotate(
            name, (at, share), xytext=(-8 if left else 8, 0), textcoords="offset points", color=colour[name],
            weight="bold", ha="right" if left else "left", va="center",
        )  # fmt: skip


def fct_rows(fct_us: Mapping[str, ArrayLike]) -> list[tuple[str, float, float]]:
    """Return the rows of `COLUMNS`: every flow of every run, sorted by time."""
    rows: list[tuple[str, float, float]] = []
    for name, times in fct_us.items():
        values = np.sort(np.asarray(times, float))
        rows += [(name, float(v), (k + 1) / len(values)) for k, v in enumerate(values)]
    return rows
