"""Racks: where hosts and switch boxes stand in the hall, and how long the cables between them are.

Hosts fill racks in the order of their numbers; a chassis (a board, an island) is kept whole if it fits.
A box goes to the nearest rack with room to the middle of what it connects: level 1 into host racks
while there is room, everything else into network racks, which stand in the middle of the hall. Cables
run inside the rack, or up to a tray, along and across the rows at right angles, and down again.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from topologies.boxes import Boxes, boxes
from topologies.chassis import chassis
from topologies.fabric import Fabric
from uet.base.errors import BadInput
from uet.base.spec import check, read_mapping
from uet.base.values import StrictModel

Metres = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]
UNIT_M = 0.04445  # height of one rack unit, EIA-310


class RackModel(StrictModel):
    """How a hall is filled: sizes in rack units and metres. The defaults are nodes of 8 in 8 units, 4 to a rack."""

    rack_units: Count = 48
    accelerators_per_rack: Count = 32
    accelerator_units: Annotated[float, Field(ge=0)] = 1
    switch_units: Count = 1
    racks_per_row: Annotated[int, Field(ge=0)] = 0  # 0: as square a hall as possible
    rack_pitch_m: Metres = 0.6
    row_pitch_m: Metres = 2.4
    tray_m: Metres = 0.5  # tray above the rack's top
    slack_m: Metres = 0.3  # at each end
    length_step_m: Annotated[float, Field(gt=0)] = 0.5  # lengths are rounded up to this


@dataclass(frozen=True, eq=False)
class Layout:
    """Positions of all devices: hosts first, then the boxes of plane 0, of plane 1, and so on."""

    model: RackModel
    boxes: Boxes
    n_hosts: int
    host_racks: int
    network_racks: int
    rack_position_m: NDArray[np.float64]  # [racks, 2] along and across the rows
    rack: NDArray[np.int64]  # [devices]
    unit: NDArray[np.float64]  # [devices] height in rack units

    def rack_name(self, rack: int) -> str:
        """Return a rack's name by row and place in the row, such as r2c14; both count from 0."""
        columns = _columns(self.model, len(self.rack_position_m))
        return f"r{rack // columns}c{rack % columns}"

    def lengths_m(self, a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the lengths of cables between devices a[i] and b[i], rounded up to what is sold."""
        m = self.model
        unit_a, unit_b = self.unit[a], self.unit[b]
        inside = np.abs(unit_a - unit_b) * UNIT_M
        rise = (2 * m.rack_units - unit_a - unit_b) * UNIT_M + 2 * m.tray_m
        across = np.abs(self.rack_position_m[self.rack[a]] - self.rack_position_m[self.rack[b]]).sum(axis=1)
        run = np.where(self.rack[a] == self.rack[b], inside, rise + across) + 2 * m.slack_m
        # the small term keeps a length that is whole but for rounding from taking the next step
        return np.ceil(run / m.length_step_m - 1e-9) * m.length_step_m


def read_racks(path: str | Path | None) -> RackModel:
    """Return the model of a TOML, YAML or JSON file of its keys; the defaults without one. Raises BadInput."""
    return RackModel() if path is None else check(RackModel, read_mapping(path), str(path))


def lay_out(fabric: Fabric, model: RackModel | None = None, racks: int = 0) -> Layout:
    """Return where everything stands, in a hall of at least `racks` racks.

    Raises BadInput when a rack cannot hold its accelerators.
    """
    model = model or RackModel()
    if model.accelerators_per_rack * model.accelerator_units > model.rack_units:
        raise BadInput(
            f"accelerators_per_rack={model.accelerators_per_rack} of {model.accelerator_units:g} units do not fit "
            f"rack_units={model.rack_units}; at most {int(model.rack_units / model.accelerator_units)} do"
        )
    found = boxes(fabric)
    host_rack, place = _host_racks(chassis(fabric), model.accelerators_per_rack)
    per_rack = np.bincount(host_rack)
    room, slots = switch_room(model, per_rack), model.rack_units // model.switch_units
    leaves = np.array([int((found.level <= 1).sum()) * fabric.planes])
    network = int(network_racks(model, room, leaves, found.count * fabric.planes - leaves)[0])
    is_network, position = _hall(len(per_rack), max(network, racks - len(per_rack)), model)
    rack_of_host_rack = np.flatnonzero(~is_network)
    free = np.full(len(position), slots, np.int64)
    free[rack_of_host_rack] = room
    host_rack = rack_of_host_rack[host_rack]
    box_rack, depth = _place_boxes(fabric, found, host_rack, position, free, is_network)
    unit = np.concatenate([place * model.accelerator_units, model.rack_units - depth * model.switch_units])
    return Layout(
        model, found, fabric.n_hosts, len(per_rack), network, position, np.concatenate([host_rack, box_rack]), unit
    )


def switch_room(model: RackModel, per_rack: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many switches fit beside the accelerators of each host rack."""
    free = model.rack_units - per_rack * model.accelerator_units
    return np.asarray(free // model.switch_units, np.int64)


def network_racks(
    model: RackModel, room: NDArray[np.int64], leaves: NDArray[np.int64], others: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the racks that switches need beyond the host racks, where leaves go while there is `room`.

    One number for each count of leaves and of other switches. Raises BadInput where no switch fits a rack.
    """
    elsewhere = others + np.maximum(leaves - room.sum(), 0)
    slots = model.rack_units // model.switch_units
    if elsewhere.any() and not slots:
        raise BadInput(f"a switch of switch_units={model.switch_units} does not fit rack_units={model.rack_units}")
    return -(-elsewhere // max(slots, 1))


def _host_racks(of_chassis: NDArray[np.int64], capacity: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the host rack of every host and its place there; a chassis is not split if it fits a rack."""
    rack, place = np.empty_like(of_chassis), np.empty_like(of_chassis)
    order = np.argsort(of_chassis, kind="stable")
    current = used = start = 0
    for size in np.bincount(of_chassis).tolist():
        if used and size > capacity - used:
            current, used = current + 1, 0
        more, place[order[start : start + size]] = np.divmod(used + np.arange(size), capacity)
        rack[order[start : start + size]] = current + more
        current, used = current + (used + size) // capacity, (used + size) % capacity
        start += size
    return rack, place


def _columns(model: RackModel, racks: int) -> int:
    if model.racks_per_row:
        return model.racks_per_row
    pitch = model.row_pitch_m / model.rack_pitch_m if model.rack_pitch_m and model.row_pitch_m else 1
    return max(1, min(racks, round(float(np.sqrt(racks * pitch)))))


def rack_positions(model: RackModel, racks: int) -> NDArray[np.float64]:
    """Return where the racks of a hall stand in m, [racks, 2]: along the rows and across them."""
    row, column = np.divmod(np.arange(racks), _columns(model, racks))
    return np.stack([column * model.rack_pitch_m, row * model.row_pitch_m], axis=1)


def _hall(host_racks: int, network_racks: int, model: RackModel) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Return which racks are network racks and where each one stands."""
    position = rack_positions(model, host_racks + network_racks)
    to_middle = np.abs(position - (position.min(axis=0) + position.max(axis=0)) / 2).sum(axis=1)
    is_network = np.zeros(len(position), bool)
    is_network[np.argsort(to_middle, kind="stable")[:network_racks]] = True
    return is_network, position


def _place_boxes(
    fabric: Fabric,
    found: Boxes,
    host_rack: NDArray[np.int64],
    position: NDArray[np.float64],
    free: NDArray[np.int64],
    is_network: NDArray[np.bool_],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return rack and depth below the rack's top (1 is the topmost slot) of every box, plane by plane.

    Uses up `free` [racks].
    """
    slots = free.copy()
    rack = np.zeros((fabric.planes, found.count), np.int64)
    depth = np.zeros_like(rack)
    for level in np.unique(found.level):
        for plane in range(fabric.planes):
            middle = _middles(fabric, found, int(level), host_rack, rack[plane], position)
            for box in np.flatnonzero(found.level == level):
                open_ = (free > 0) & (is_network if level > 1 else ~is_network)
                racks = np.flatnonzero(open_ if open_.any() else free > 0)
                best = racks[np.abs(position[racks] - middle[box]).sum(axis=1).argmin()]
                free[best] -= 1
                rack[plane, box], depth[plane, box] = best, slots[best] - free[best]
    return rack.reshape(-1), depth.reshape(-1)


def _middles(
    fabric: Fabric,
    found: Boxes,
    level: int,
    host_rack: NDArray[np.int64],
    box_rack: NDArray[np.int64],
    position: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the mean position [boxes, 2] of the devices below each box of a level; the hall's where none is."""
    node, peer = fabric.ports["node"], fabric.ports["node"][fabric.ports["peer"]]
    below = (fabric.nodes["level"][node] == level) & (fabric.nodes["level"][peer] < level) & (node >= fabric.n_hosts)
    mine, lower = found.of_switch[node[below] - fabric.n_hosts], peer[below].astype(np.int64)
    is_host = lower < fabric.n_hosts
    lower_box = found.of_switch[np.where(is_host, 0, lower - fabric.n_hosts)] if fabric.n_switches else lower
    lower_rack = np.where(is_host, host_rack[np.where(is_host, lower, 0)], box_rack[lower_box])
    known = (mine >= 0) & (is_host | (lower_box >= 0))
    total = np.zeros((found.count, 2))
    np.add.at(total, mine[known], position[lower_rack[known]])
    count = np.bincount(mine[known], minlength=found.count)[:, None]
    return np.where(count > 0, total / np.maximum(count, 1), position.mean(axis=0))
