"""Placement: put a list of jobs on a fabric, and what each job then gets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from topologies.allocators.base import Allocation, Allocator, PlacementOptions
from topologies.cuts import CutModel
from topologies.fabric import Fabric
from topologies.failures import Damage, no_damage
from topologies.jobs import Job
from uet.base.errors import BadInput

ENOUGH = 0.9  # share of the isolated bandwidth from which a job counts as served


def allocator(fabric: Fabric, damage: Damage | None = None, options: PlacementOptions | None = None) -> Allocator:
    """Return the allocator of a fabric's family: sub-meshes of boards, blocks of a torus, else groups."""
    damage, options = damage or no_damage(fabric), options or PlacementOptions()
    model = CutModel(fabric)
    left = model.after(damage)
    damage = replace(damage, host_down=damage.host_down | (left.host <= 0))  # no use without a network
    if fabric.family == "hammingmesh":
        from topologies.allocators.submesh import SubmeshAllocator

        return SubmeshAllocator(fabric, left, damage, options)
    if fabric.family == "torus":
        from topologies.allocators.blocks import BlockAllocator

        return BlockAllocator(fabric, left, damage.host_down, options.alltoall)
    from topologies.allocators.groups import GroupAllocator

    return GroupAllocator(fabric, left, damage.host_down, model.unit_gbps)


@dataclass(frozen=True)
class PlacedJob:
    """One job: its hosts as text such as '0-31,64', its shape where it has one, and its bandwidth.

    `share` is its allreduce bandwidth beside the other jobs over what it gets alone; None if not placed.
    """

    name: str
    size: int
    placed: bool
    hosts: str
    shape: tuple[int, ...]
    share: float | None


@dataclass(frozen=True)
class PlacementReport:
    """What became of a list of jobs; `flexibility` is the share of what was asked for (or of what works, if
    less) that belongs to jobs with at least 90 % of their isolated bandwidth.
    """

    spec: str
    accelerators: int
    working: int
    asked: int
    utilisation: float
    flexibility: float
    options: PlacementOptions
    jobs: tuple[PlacedJob, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain values."""
        return asdict(self)


def place(
    fabric: Fabric, jobs: Sequence[Job], damage: Damage | None = None, options: PlacementOptions | None = None
) -> PlacementReport:
    """Return where the jobs go when all of them arrive at once; those that do not fit are left out.

    Raises BadInput for a job that would not fit the empty, undamaged machine.
    """
    options = options or PlacementOptions()
    machine = allocator(fabric, damage, options)
    check_sizes(machine, jobs)
    got: dict[int, Allocation] = {}
    order = sorted(range(len(jobs)), key=lambda k: -jobs[k].size) if options.sort else range(len(jobs))
    for k in order:
        found = machine.find(jobs[k].size)
        if found is not None:
            machine.take(found)
            got[k] = found
    shares = dict(zip(got, machine.shares(list(got.values())).tolist(), strict=True))
    asked = sum(job.size for job in jobs)
    served = sum(jobs[k].size for k, share in shares.items() if share >= ENOUGH)
    return PlacementReport(
        fabric.spec, fabric.n_hosts, machine.working, asked,
        sum(jobs[k].size for k in got) / machine.working if machine.working else 0.0,
        served / min(asked, machine.working) if asked and machine.working else 0.0,
        options,
        tuple(_placed(job, got.get(k), shares.get(k)) for k, job in enumerate(jobs)),
    )  # fmt: skip


def check_sizes(machine: Allocator, jobs: Sequence[Job]) -> None:
    """Raise BadInput naming the jobs that can never run on this machine."""
    hopeless = [job for job in jobs if not machine.can_ever(job.size)]
    if hopeless:
        raise BadInput(
            *(
                f"job '{j.name}' of {j.size} accelerators does not fit {machine.fabric.spec}; make it smaller"
                for j in hopeless
            )
        )


def _placed(job: Job, allocation: Allocation | None, share: float | None) -> PlacedJob:
    if allocation is None:
        return PlacedJob(job.name, job.size, False, "", (), None)
    return PlacedJob(job.name, job.size, True, ranges(allocation.hosts), allocation.shape, share)


def ranges(numbers: np.ndarray[Any, np.dtype[np.int64]]) -> str:
    """Return sorted numbers as text, runs joined: 0-31,64."""
    starts = np.flatnonzero(np.diff(numbers, prepend=numbers[0] - 2) != 1)
    ends = np.append(starts[1:], len(numbers)) - 1
    pairs = zip(numbers[starts].tolist(), numbers[ends].tolist(), strict=True)
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in pairs)
