"""The house style of figures: one palette that colour-blind readers can tell apart, quiet axes, large text.

Every drawing function takes data and axes and returns the axes; nothing here imports pyplot, so no
window system and no global figure list is involved.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#6C6C6C")
"""The colours of Okabe and Ito (2008), 'Color Universal Design', without the yellow that white paper swallows."""

PARTS = ("#33415C", "#7D8CA3", "#BBC4D1", "#E69F00", "#8C6BB1", "#41AE76", "#6C6C6C")
"""Colours of the parts of a whole, apart from those of the things compared."""

INK, QUIET, GRID = "#222222", "#6B6B6B", "#E3E3E3"

SETTINGS: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "text.color": INK,
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 12,
    "axes.labelcolor": QUIET,
    "axes.edgecolor": QUIET,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "lines.linewidth": 2.2,
    "legend.frameon": False,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.hashsalt": "uet",
}


@contextmanager
def house_axes(width_in: float = 7.2, height_in: float = 3.8) -> Iterator[tuple[Figure, Axes]]:
    """Give a figure and its axes in the house style; the style holds while the block draws and saves."""
    with house_grid(1, width_in, height_in) as (figure, panels):
        yield figure, panels[0]


@contextmanager
def house_grid(panels: int, width_in: float, height_in: float) -> Iterator[tuple[Figure, list[Axes]]]:
    """Give a figure and the axes of `panels` side by side, as `house_axes` does."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(width_in, height_in), layout="constrained")
        FigureCanvasAgg(figure)
        yield figure, [figure.add_subplot(1, panels, k + 1) for k in range(panels)]


def save(figure: Figure, path: Path, columns: Sequence[str], rows: Sequence[Sequence[object]], dpi: int = 160) -> None:
    """Write a figure as `path` (PNG, equal for equal data) and its numbers as a CSV file beside it."""
    figure.savefig(path, dpi=dpi, metadata={"Software": None})
    with path.with_suffix(".csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def colours(names: Sequence[str], palette: Sequence[str] = PALETTE) -> Mapping[str, str]:
    """Return a colour per name, in order; the palette repeats after its end."""
    return {name: palette[k % len(palette)] for k, name in enumerate(names)}


def short_usd(amount: float) -> str:
    """Return an amount for an axis or bar: 25.3 M$, 412 k$, 5,285 $."""
    if amount >= 1e6:
        return f"{amount / 1e6:,.1f} M$"
    return f"{amount / 1e3:,.0f} k$" if amount >= 1e4 else f"{amount:,.0f} $"
