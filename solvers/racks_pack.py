"""Assignments of racks to begin with: the usual layout where it keeps the limits, else a packing by first fit."""

from __future__ import annotations

import numpy as np

from solvers.linear import Ints
from solvers.racks_problem import FIT, Place, RackProblem
from topologies.cabling import OPEN


def usual_place(problem: RackProblem) -> Place | None:
    """Return the assignment of the usual layout; None if the hall is another one or it breaks a limit."""
    usual = problem.usual
    if len(usual.rack_position_m) != problem.racks:
        return None
    first = np.unique(problem.item, return_index=True)[1]
    unit, step = usual.unit[first] - problem.offset[first], problem.model.accelerator_units
    if step:
        unit = np.where(problem.hosts > 0, np.rint(unit / step) * step, unit)  # exactly on the grid
    place = Place(usual.rack[first].copy(), unit)
    return None if problem.problems(place) else place


def impossible(problem: RackProblem) -> bool:
    """Tell whether sums alone show that the racks cannot hold or feed everything."""
    m = problem.model
    room = {"height": m.rack_units, "hosts": m.accelerators_per_rack, "power_w": problem.feed_w}
    need = {name: getattr(problem, name) for name in room}
    return any(
        need[name].sum() > problem.racks * most * (1 + FIT) or need[name].max() > most * (1 + FIT)
        for name, most in room.items()
    )


def first_fit(problem: RackProblem) -> Place | None:
    """Return a packing: hosts from the bottom in order, boxes from the top near what they join; None if it fails."""
    order = np.argsort(problem.hosts == 0, kind="stable")  # hosts first
    by_size = np.lexsort((-problem.height, -problem.power_w))
    return _packed(problem, order) or _packed(problem, by_size)


def _packed(problem: RackProblem, order: Ints) -> Place | None:
    m, racks = problem.model, problem.racks
    room = np.tile(np.array([m.rack_units, m.accelerators_per_rack, problem.feed_w], float), (racks, 1))
    hosts, top = np.zeros(racks, np.int64), np.full(racks, float(m.rack_units))
    need = np.stack([problem.height, problem.hosts, problem.power_w], axis=1)
    starts, peers = _neighbours(problem)
    rack, unit = np.full(problem.items, -1), np.zeros(problem.items)
    for i in order.tolist():
        open_ = np.flatnonzero((need[i] <= room + FIT * (1 + need[i])).all(axis=1))
        if len(open_) == 0:
            return None
        best = open_[0]
        known = rack[peers[starts[i] : starts[i + 1]]]
        if problem.hosts[i] == 0 and (known >= 0).any():
            middle = problem.position_m[known[known >= 0]].mean(axis=0)
            best = open_[np.abs(problem.position_m[open_] - middle).sum(axis=1).argmin()]
        rack[i] = best
        room[best] -= need[i]
        if problem.hosts[i]:
            unit[i] = hosts[best] * m.accelerator_units
            hosts[best] += problem.hosts[i]
        else:
            top[best] -= problem.height[i]
            unit[i] = top[best]
    return Place(rack, unit)


def _neighbours(problem: RackProblem) -> tuple[Ints, Ints]:
    """Return the items that each item is cabled to (CSR): offsets [items + 1] and items."""
    c = problem.cables[problem.cables["device_b"] != OPEN]
    a, b = problem.item[c["device_a"]], problem.item[c["device_b"]]
    ends = np.unique(np.stack([np.concatenate([a, b]), np.concatenate([b, a])], axis=1), axis=0)
    return np.searchsorted(ends[:, 0], np.arange(problem.items + 1)), ends[:, 1]
