"""`DesignSpec`: what a fabric has to carry, within what limits, and what is to be best about it.

A bandwidth is Gb/s per accelerator ('400 Gbps', or a number above 1) or a share of the most there can be: of
the injection for alltoall, of half of it for allreduce, of full bisection for bisection.
"""

from __future__ import annotations

import re
from math import inf
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BeforeValidator, Field, PlainSerializer, field_validator, model_validator

from solvers.design.forms.families import NAMES, USUAL
from solvers.design.workloads import Workload
from topologies.catalogue.catalogue import Catalogue, load_catalogue
from topologies.racks import RackModel
from uet.base.errors import BadInput, nearest
from uet.base.spec import check, read_mapping
from uet.base.values import StrictModel

Share = Annotated[float, Field(gt=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
PEAKS = {"alltoall": 1.0, "allreduce": 0.5, "bisection": 1.0}
"""The most of each pattern, in injections."""
_GBPS = re.compile(r"\s*(\d+\.?\d*|\.\d+)\s*(Gbps|Gb/s|Tbps|Tb/s)\s*", re.IGNORECASE)


class Need(NamedTuple):
    """A wanted bandwidth: Gb/s per accelerator, or a share of the most there can be."""

    amount: float
    share: bool

    def __str__(self) -> str:
        """Return the form of a specification."""
        return f"{self.amount:g}" if self.share else f"{self.amount:g} Gbps"

    def injections(self, pattern: str, injection_gbps: float) -> float:
        """Return the bandwidth in injections."""
        return self.amount * PEAKS[pattern] if self.share else self.amount / injection_gbps


def _need(value: Any) -> Any:
    if isinstance(value, Need):
        return value
    if isinstance(value, str):
        match = _GBPS.fullmatch(value)
        if match:
            return Need(float(match[1]) * (1000 if match[2].lower().startswith("t") else 1), False)
        try:
            value = float(value)
        except ValueError:
            value = None
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        raise ValueError("write Gb/s per accelerator such as '400 Gbps', or a share up to 1 such as 0.25")
    return Need(float(value), value <= 1)


Bandwidth = Annotated[Need, BeforeValidator(_need), PlainSerializer(str)]


class JobNeed(StrictModel):
    """A step of the locality profile: what jobs of `size` accelerators get, placed well, all at once."""

    size: Annotated[int, Field(ge=2)]
    pattern: Literal["alltoall", "allreduce"] = "alltoall"
    bandwidth: Bandwidth


class Traffic(StrictModel):
    """Gb/s from every group of accelerators to every other; groups are equal and in the order of the accelerators.

    The part `share` of it has to be carried.
    """

    gbps: Annotated[tuple[tuple[Annotated[float, Field(ge=0)], ...], ...], Field(min_length=2)]
    share: Positive = 1.0

    @model_validator(mode="after")
    def _rules(self) -> Traffic:
        n = len(self.gbps)
        if any(len(row) != n for row in self.gbps):
            raise ValueError(f"must be a square table; give each of its {n} rows {n} numbers")
        if any(row[k] for k, row in enumerate(self.gbps)) or not any(map(any, self.gbps)):
            raise ValueError("must be 0 from a group to itself and not 0 everywhere; traffic within a group is free")
        return self

    @property
    def groups(self) -> int:
        """Groups of accelerators."""
        return len(self.gbps)

    @property
    def busiest_gbps(self) -> float:
        """The most that a group sends or receives."""
        return max(*(sum(row) for row in self.gbps), *(sum(column) for column in zip(*self.gbps, strict=True)))


class Resilience(StrictModel):
    """After the loss of any `failures` cables the cuts keep the share `keep` of their bandwidth."""

    failures: Count = 1
    keep: Share = 0.5
    pattern: Literal["alltoall", "allreduce"] = "allreduce"


class Growth(StrictModel):
    """So many accelerators later, on the same kind of fabric, without moving a cable that is in place."""

    accelerators: Count


class DesignSpec(StrictModel):
    """Everything about a design; what is not stated is not asked for."""

    name: str = Field("design", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    title: str = ""
    about: str = ""
    accelerators: Annotated[int, Field(ge=2, le=1_000_000)]
    injection_gbps: Positive
    catalogue: str = "hammingmesh-2022"
    cabling: Literal["published", "rack"] | None = None
    rack: RackModel = RackModel()
    families: Annotated[tuple[str, ...], Field(min_length=1)] = USUAL
    island: Count = 1  # accelerators of a server that NVLink joins
    island_gbps: Positive = 7200
    board: Count = 16  # most accelerators on one board
    excess: Annotated[float, Field(ge=0, le=1)] = 0.05  # accelerators a fabric may have beyond the wanted ones
    alltoall: Bandwidth | None = None
    allreduce: Bandwidth | None = None
    bisection: Bandwidth | None = None
    traffic: Traffic | None = None
    profile: tuple[JobNeed, ...] = ()
    workloads: tuple[Workload, ...] = ()
    budget_usd: Positive | None = None
    power_kw: Positive | None = None
    racks: Count | None = None
    reach_m: Positive | None = None
    radix: Annotated[int, Field(ge=2)] | None = None
    availability: Share | None = None
    resilience: Resilience | None = None
    growth: Growth | None = None
    objective: Literal["cheapest", "best"] = "cheapest"
    maximise: Literal["alltoall", "allreduce", "bisection", "traffic"] = "alltoall"
    flexibility_mix: str = "mixed"

    @field_validator("families")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in NAMES:
                raise ValueError(f"there is no family '{name}' to design with; {nearest(name, NAMES)}")
        return tuple(dict.fromkeys(names))

    @field_validator("catalogue")
    @classmethod
    def _loads(cls, name: str) -> str:
        try:
            prices = load_catalogue(name)
        except BadInput as error:
            raise ValueError("; ".join(error.messages)) from None
        if not prices.of("switch"):
            raise ValueError("no switch of this catalogue has a price; choose one of 'uet catalogue list' with prices")
        return name

    def problems(self) -> list[str]:
        """Return what does not fit together, one sentence each."""
        return [*self._missing(), *self._beyond(), *self._misfits()]

    def _missing(self) -> list[str]:
        if self.objective == "best" and self.budget_usd is None:
            return ["objective=best needs a budget; state budget_usd"]
        if self.maximise == "traffic" and self.traffic is None:
            return ["maximise=traffic needs a traffic; state which"]
        wanted = (
            self.alltoall, self.allreduce, self.bisection, self.traffic, self.profile, self.availability,
            self.resilience,
        )  # fmt: skip
        timed = any(w.step_s for w in self.workloads)
        if self.objective == "cheapest" and not any(wanted) and not timed:
            return [
                "nothing is asked of the fabric; state alltoall, allreduce, bisection, traffic, profile or a step_s"
            ]
        return []

    def _beyond(self) -> list[str]:
        """Return what asks for more than the accelerators inject."""
        asked = [(f"{p}", p, getattr(self, p)) for p in PEAKS]
        asked += [(f"profile of {j.size}", j.pattern, j.bandwidth) for j in self.profile]
        found = []
        for name, pattern, need in asked:
            most = PEAKS[pattern] * self.injection_gbps
            if need is not None and not need.share and need.amount > most * (1 + 1e-9):
                found.append(
                    f"{name} of {need} is more than the {most:g} Gb/s that an accelerator can have; ask for less"
                )
        found += [
            f"profile of {j.size}: there are only {self.accelerators} accelerators; choose a smaller size"
            for j in self.profile
            if j.size > self.accelerators
        ]
        if (traffic := self.traffic) is not None:
            found += self._wrong_traffic(traffic)
        if self.growth and self.growth.accelerators <= self.accelerators:
            found.append(f"growth to {self.growth.accelerators} is no growth from {self.accelerators}; name more")
        return found

    def _wrong_traffic(self, traffic: Traffic) -> list[str]:
        if self.accelerators % traffic.groups:
            return [f"traffic: {self.accelerators} accelerators are not {traffic.groups} equal groups; change one"]
        most, asked = self.accelerators // traffic.groups * self.injection_gbps, traffic.busiest_gbps * traffic.share
        if asked > most * (1 + 1e-9):
            return [f"traffic: a group sends or receives {asked:g} Gb/s, more than the {most:g} Gb/s that it injects"]
        return ["traffic cannot be told of a fabric that grows; leave out growth"] if self.growth else []

    def _misfits(self) -> list[str]:
        found = [(w.title, w.misfit(self.accelerators)) for w in self.workloads]
        return [f"workload {name}: {why}" for name, why in found if why]

    @property
    def most(self) -> float:
        """The most there can be of what is to be maximised: injections, or the part of the traffic."""
        return self.most_traffic if self.maximise == "traffic" else PEAKS[self.maximise]

    @property
    def most_traffic(self) -> float:
        """The part of the traffic that the ports of the busiest accelerators carry, infinite without traffic."""
        if self.traffic is None:
            return inf
        return self.accelerators // self.traffic.groups * self.injection_gbps / self.traffic.busiest_gbps

    @property
    def prices(self) -> Catalogue:
        """The catalogue."""
        return load_catalogue(self.catalogue)

    @property
    def rule(self) -> str:
        """The rule by which cables are chosen."""
        return self.cabling or self.prices.cabling


def read_design(path: str | Path) -> DesignSpec:
    """Return the checked specification in a YAML, JSON or TOML file. Raises BadInput naming every wrong key."""
    return checked(check(DesignSpec, read_mapping(path), str(path)), str(path))


def checked(spec: DesignSpec, where: str) -> DesignSpec:
    """Return the specification if its parts fit together; BadInput with one sentence for each that does not."""
    problems = spec.problems()
    if problems:
        raise BadInput(*(f"{where}: {problem}" for problem in problems))
    return spec
