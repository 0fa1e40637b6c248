"""The file of a tour: fabrics to compare, a price list, and the work to run on them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from uet.base.spec import check, read_mapping
from uet.base.values import SizeBytes, StrictModel

Size = Annotated[SizeBytes, Field(gt=0)]
Share = Annotated[float, Field(ge=0, lt=1)]


class Published(StrictModel):
    """A figure somebody else printed; the tour fails if ours differs."""

    cost_usd: int
    source: str


class FabricEntry(StrictModel):
    """A fabric, how the collective is done on it, and what is published about it."""

    name: str
    spec: str
    algorithm: str = "ring"
    published: Published | None = None


class Collective(StrictModel):
    """An allreduce of `size` bytes per accelerator over all planes; `first_steps` simulates only so many steps."""

    size: Size
    dtype: str = "float32"
    about: str = ""
    first_steps: int | None = Field(None, ge=2)


class Permutation(StrictModel):
    """Every accelerator sends `size` bytes, over all planes, to a random other one."""

    size: Size


class Move(StrictModel):
    """The same algorithms with real numbers on fewer ranks, over a network that loses, doubles and reorders."""

    ranks: int = Field(default=64, ge=2)
    size: Size = 1 << 20
    dtype: str = "int32"
    drop: Share = 0.0
    duplicate: Share = 0.0
    reorder: Share = 0.0


class TourSpec(StrictModel):
    """Everything a tour does."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    title: str
    about: str = ""
    catalogue: str = "hammingmesh-2022"
    fabrics: tuple[FabricEntry, ...] = Field(min_length=1)
    collective: Collective
    permutation: Permutation | None = None
    move: Move = Move()

    @model_validator(mode="after")
    def _names_differ(self) -> TourSpec:
        names = [f.name for f in self.fabrics]
        if len(set(names)) < len(names):
            raise ValueError("two fabrics have the same name; give each its own")
        return self


def read_tour(path: str | Path) -> TourSpec:
    """Return the checked specification in a YAML or JSON file. Raises BadInput naming every wrong key."""
    return check(TourSpec, read_mapping(path), str(path))
