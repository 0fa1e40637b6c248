"""The file of a trade-off: systems to set side by side, what is published about them, and jobs to share them."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from uet.base.spec import check, read_mapping
from uet.base.values import StrictModel

Fraction = Annotated[float, Field(ge=0, le=1)]


class PublishedRow(StrictModel):
    """What somebody printed about a system: millions of USD to their last digit, and shares of bandwidth.

    `alltoall` is of the injection, `allreduce` of half of it. `why` explains where ours differs.
    """

    cost_musd: Decimal | None = None
    diameter: int | None = None
    alltoall: Fraction | None = None
    allreduce: Fraction | None = None
    why: str = ""


class System(StrictModel):
    """A fabric and what is published about it; systems of one `group` are drawn together."""

    name: str
    group: str = "all"
    spec: str
    published: PublishedRow = PublishedRow()
    profile: bool = False


class Sharing(StrictModel):
    """Jobs that come and go: a mix of sizes, how many, and what they ask for over what there is."""

    mix: str = "mixed"
    jobs: int = Field(default=300, ge=1)
    load: float = Field(default=1.2, gt=0)


class TradeoffSpec(StrictModel):
    """Everything that is compared."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    title: str
    about: str = ""
    source: str = ""
    catalogue: str = "hammingmesh-2022"
    tolerance: float = Field(default=0.01, gt=0, le=1)
    sharing: Sharing = Sharing()
    systems: tuple[System, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_differ(self) -> TradeoffSpec:
        names = [(s.group, s.name) for s in self.systems]
        if len(set(names)) < len(names):
            raise ValueError("two systems of a group have the same name; give each its own")
        return self


def read_tradeoff(path: str | Path) -> TradeoffSpec:
    """Return the checked specification in a YAML or JSON file. Raises BadInput naming every wrong key."""
    return check(TradeoffSpec, read_mapping(path), str(path))
