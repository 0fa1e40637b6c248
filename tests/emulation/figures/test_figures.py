"""Figures show the numbers they are given, and leave them beside the picture."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from emulation.figures import completion, cost, fct
from emulation.figures.fabric import draw_fabric, node_positions
from emulation.figures.style import PALETTE, house_axes, save, short_usd
from topologies.registry import build

FCT = {"tree": [3.0, 1.0, 2.0], "mesh": [5.0, 4.0]}
BILLS = {"tree": {"switches": 3e6, "copper": 1e6}, "mesh": {"switches": 1e6, "optical": 5e5}}


def test_the_distribution_of_fct_ends_at_the_last_flow() -> None:
    with house_axes() as (_, axes):
        assert fct.draw_fct_cdf(axes, FCT, {"tree": 0.5}) is axes
        curves = {line.get_label(): line.get_xydata() for line in axes.lines}
        assert curves["tree"].tolist() == [[1, 0], [1, 1 / 3], [2, 2 / 3], [3, 1]]
        assert curves["mesh"][-1].tolist() == [5, 1]
        assert {t.get_text() for t in axes.texts} == {"tree", "mesh"}
    assert fct.fct_rows(FCT)[2] == ("tree", 3.0, 1.0)


def test_bars_of_a_cost_add_up_to_the_total() -> None:
    with house_axes() as (figure, axes):
        cost.draw_cost_breakdown(axes, BILLS)
        ends = {}
        for bar in axes.patches:
            row = round(bar.get_y() + bar.get_height() / 2)
            ends[row] = max(ends.get(row, 0), bar.get_x() + bar.get_width())
        assert ends == {0: 4e6, 1: 1.5e6}
        assert [t.get_text() for t in axes.texts] == ["4.0 M$", "1.5 M$"]
        assert [t.get_text() for t in figure.legends[0].get_texts()] == ["switches", "copper", "optical"]
    assert ("mesh", "optical", 5e5) in cost.breakdown_rows(BILLS)


def test_bandwidth_against_cost() -> None:
    points = [("tree", 24710.0, 2838.0), ("mesh", 5285.0, 2772.0)]
    with house_axes() as (_, axes):
        cost.draw_bandwidth_cost(axes, points, "allreduce bandwidth")
        drawn = [c.get_offsets()[0].tolist() for c in axes.collections]
        assert drawn == [[24710, 2838], [5285, 2772]]
        assert "allreduce bandwidth" in axes.get_ylabel()


def test_completion_times_and_their_bounds() -> None:
    times = [completion.Completion("tree", 80.0, 70.0), completion.Completion("mesh", 90.0, None)]
    with house_axes() as (_, axes):
        completion.draw_completion_times(axes, times)
        assert [bar.get_width() for bar in axes.patches] == [80, 90]
        assert [line.get_xdata()[0] for line in axes.lines] == [70]
        assert [t.get_text() for t in axes.texts] == ["80 µs\n+14.3% over the bound", "90 µs"]
    assert completion.completion_rows(times) == [("tree", 80.0, 70.0), ("mesh", 90.0, None)]


SPECS = (
    "fat-tree:hosts=16,radix=8,levels=2",
    "hammingmesh:board=2x3,grid=3x2",
    "hammingmesh:board=1x1,grid=4x2,radix=4",
    "torus:dims=3x5",
    "torus:dims=3x3x3",
    "dragonfly:p=2,a=4,h=2",
    "dragonfly-plus:p=2,leaves=2,spines=2,h=2",
    "full-mesh:dims=4x4",
)


@pytest.mark.parametrize("spec", SPECS)
def test_every_node_of_a_fabric_has_a_place_of_its_own(spec: str) -> None:
    fabric = build(spec)
    at = node_positions(fabric)
    assert len(np.unique(at.round(6), axis=0)) == len(fabric.nodes)
    with house_axes() as (_, axes):
        draw_fabric(axes, fabric)
        drawn = [c.get_offsets() for c in axes.collections if len(c.get_offsets()) > 1]
        assert sum(map(len, drawn)) == len(fabric.nodes)


def test_the_numbers_stand_beside_the_picture_and_equal_data_give_equal_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        with house_axes() as (figure, axes):
            fct.draw_fct_cdf(axes, FCT)
            save(figure, tmp_path / f"{name}.png", fct.COLUMNS, fct.fct_rows(FCT))
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    with (tmp_path / "a.csv").open() as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["run", "fct_us", "share_of_flows"]
    assert len(rows) == 6


def test_colours_differ_and_amounts_are_short() -> None:
    assert len(set(PALETTE)) == len(PALETTE)
    assert [short_usd(x) for x in (25303040, 412_000, 5285)] == ["25.3 M$", "412 k$", "5,285 $"]
