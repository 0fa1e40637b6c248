"""One plane of a fabric as a picture: accelerators and switches by level, or boards on their grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from emulation.figures.style import INK, PALETTE, PARTS, QUIET
from topologies.fabric import HOST, LINK_CLASSES, Fabric

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Points = NDArray[np.float64]

_COLOURS = ("#9AA5B1", PALETTE[1], PALETTE[3], PALETTE[0], PALETTE[2], PARTS[4])
_LINK_COLOURS = dict(zip(LINK_CLASSES, _COLOURS, strict=True))


def draw_fabric(axes: Axes, fabric: Fabric) -> Axes:
    """Draw the nodes and links of one plane; links are coloured by cable class, names shown where they fit."""
    from matplotlib.collections import LineCollection

    at = node_positions(fabric)
    ends = fabric.ports["node"]
    lines = at[np.stack([ends[fabric.links["port_a"]], ends[fabric.links["port_b"]]], axis=1)]
    if fabric.family == "hammingmesh":
        _draw_boards(axes, fabric, at)
    lines = _bowed(lines, _bows(fabric, lines))
    shade = float(np.clip(600 / len(lines), 0.1, 0.8))
    for kind, name in enumerate(LINK_CLASSES):
        mine = lines[fabric.links["kind"] == kind]
        if len(mine):
            colour = _LINK_COLOURS[name]
            axes.add_collection(LineCollection(list(mine), colors=colour, alpha=shade, linewidths=0.8, zorder=1))
            axes.plot([], [], color=colour, label=f"{name}: {len(mine):,}")
    size = float(np.clip(4000 / len(at), 3, 60))
    hosts = fabric.nodes["kind"] == HOST
    n_switches = int((~hosts).sum())
    axes.scatter(at[hosts, 0], at[hosts, 1], s=size, color=INK, zorder=3, label=f"accelerator: {int(hosts.sum()):,}")
    axes.scatter(
        at[~hosts, 0], at[~hosts, 1], s=2.5 * size, marker="s", color=PALETTE[4], edgecolors=INK, linewidths=0.5,
        zorder=3, label=f"switch: {n_switches:,}",
    )  # fmt: skip
    if len(at) <= 40:
        _name_nodes(axes, fabric, at)
    axes.set_axis_off()
    axes.margins(0.04)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=4, labelcolor=QUIET)
    axes.set_title(f"{fabric.spec}   (one of {fabric.planes} planes)" if fabric.planes > 1 else fabric.spec)
    return axes


def node_positions(fabric: Fabric) -> Points:
    """Return where each node is drawn, shape [n_nodes, 2].

    The grid of a HammingMesh or two-dimensional torus; rows by level where switches have several levels;
    else a circle of switches by group with their accelerators outside, or of accelerators alone.
    """
    switches = fabric.nodes["kind"] != HOST
    dims = fabric.parameters.get("dims", ())
    if fabric.family == "hammingmesh":
        return _mesh_positions(fabric)
    if not switches.any() and len(dims) == 2:
        index = np.arange(fabric.n_hosts)
        return np.stack([index % dims[0], -(index // dims[0])], axis=1).astype(float)
    if len(np.unique(fabric.nodes["level"][switches])) > 1 or switches.sum() == 1:
        return _level_positions(fabric)
    return _circle_positions(fabric)


def _level_positions(fabric: Fabric) -> Points:
    """Place the nodes of each level evenly in a row, hosts at the bottom."""
    at = np.zeros((len(fabric.nodes), 2))
    for level in np.unique(fabric.nodes["level"]):
        mine = np.flatnonzero(fabric.nodes["level"] == level)
        at[mine, 0] = (np.arange(len(mine)) + 0.5) / len(mine)
        at[mine, 1] = level
    return at


def _circle_positions(fabric: Fabric) -> Points:
    """Place switches (or accelerators, if there are none) round a circle in order of their groups."""
    n_hosts, n = fabric.n_hosts, len(fabric.nodes)
    inner = np.arange(n_hosts, n) if n > n_hosts else np.arange(n)
    inner = inner[np.argsort(fabric.nodes["group"][inner], kind="stable")]
    angle = np.zeros(n)
    angle[inner] = np.linspace(0, 2 * np.pi, len(inner), endpoint=False)
    radius = np.ones(n)
    if n > n_hosts:
        offsets, neighbours = fabric.adjacency
        home = neighbours[offsets[:n_hosts]]  # the switch at a host's first port
        place = np.arange(n_hosts) - np.searchsorted(np.sort(home), home)  # hosts of a switch are numbered in a row
        share = np.bincount(home, minlength=n)[home]
        angle[:n_hosts] = angle[home] + (place + 0.5 - share / 2) / share * 2 * np.pi / len(inner) * 0.8
        radius[:n_hosts] = 1.25
    return np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=1)


def _mesh_positions(fabric: Fabric) -> Points:
    """Place accelerators on their grid with gaps between boards, row networks to the right, column networks below."""
    a, b = fabric.parameters["board"]
    n_hosts, columns = fabric.n_hosts, a * fabric.parameters["grid"][0]
    at = np.zeros((len(fabric.nodes), 2))
    host = np.arange(n_hosts)
    at[:n_hosts] = np.stack([_spaced(host % columns, a), -_spaced(host // columns, b)], axis=1)
    corner = at[n_hosts - 1]
    for names in fabric.names[1:]:
        switches = np.arange(names.first, names.first + names.count)
        level, line = fabric.nodes["level"][switches].astype(float), fabric.nodes["group"][switches].astype(np.int64)
        spread = np.linspace(-0.3, 0.3, names.count // (int(line.max()) + 1) + 2)[1:-1]  # several switches of a line
        along = np.tile(spread, int(line.max()) + 1)
        if names.prefix.startswith("row"):
            at[switches] = np.stack([corner[0] + 1.5 * level, -(_spaced(line, b) + along)], axis=1)
        else:
            at[switches] = np.stack([_spaced(line, a) + along, corner[1] - 1.5 * level], axis=1)
    return at


def _bows(fabric: Fabric, lines: Points) -> Points:
    """Return how far each link is bent, so that links along a row or column do not hide each other."""
    if fabric.family == "hammingmesh":
        return np.where(fabric.links["kind"] != LINK_CLASSES.index("trace"), 0.35, 0.0)
    across, up = np.abs(np.diff(lines, axis=1)[:, 0]).T
    straight = (up < 1e-9) | ((across < 1e-9) & (fabric.n_switches == 0))
    length = np.hypot(across, up)
    shortest = length[straight].min(initial=np.inf)
    return np.where(straight & (length > 1.05 * shortest), 0.12 * length, 0.0)


def _bowed(lines: Points, bow: Points, n: int = 16) -> Points:
    """Bend straight lines [k, 2, 2] sideways by `bow` [k] at their middle; returns [k, n, 2]."""
    t = np.linspace(0, 1, n)[:, None]
    start, end = lines[:, None, 0], lines[:, None, 1]
    step = end - start
    length = np.maximum(np.linalg.norm(step, axis=2, keepdims=True), 1e-9)
    sideways = np.abs(np.stack([-step[..., 1], step[..., 0]], axis=-1)) / length
    bent: Points = start + t * step + 4 * t * (1 - t) * bow[:, None, None] * sideways
    return bent


def _draw_boards(axes: Axes, fabric: Fabric, at: Points) -> None:
    """Lay a pale rectangle under the accelerators of each board."""
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    board = fabric.nodes["group"][: fabric.n_hosts]
    places = at[: fabric.n_hosts]
    boards = []
    for k in range(int(board.max()) + 1):
        low, high = places[board == k].min(axis=0) - 0.25, places[board == k].max(axis=0) + 0.25
        boards.append(Rectangle((low[0], low[1]), *(high - low)))
    axes.add_collection(PatchCollection(boards, facecolor="#EEF1F5", edgecolor="#D5DBE3", linewidths=0.6, zorder=0))


def _spaced(index: NDArray[np.int64], board: int) -> Points:
    return np.asarray(index + 1.1 * (index // board), float)


def _name_nodes(axes: Axes, fabric: Fabric, at: Points) -> None:
    for node, (x, y) in enumerate(at):
        axes.annotate(
            fabric.node_name(node), (x, y), xytext=(0, -9), textcoords="offset points", fontsize=6.5,
            color=QUIET, ha="center", va="top",
        )  # fmt: skip
