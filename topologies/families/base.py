"""The keys that all families share, checks that families have in common, and spec text."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, NamedTuple

from pydantic import AfterValidator, BeforeValidator, Field

from uet.base.spec import Spec
from uet.base.values import StrictModel


class FamilyModel(StrictModel):
    """Keys of every family."""

    planes: int = Field(1, ge=1, description="parallel identical networks, each host on all of them")
    gbps: float = Field(400, gt=0, description="rate of a link in each direction, Gb/s")
    latency_ns: float = Field(500, ge=0, description="propagation delay of a link, ns")
    switch_latency_ns: float = Field(0, ge=0, description="delay through a switch, ns")


class SwitchedModel(FamilyModel):
    """Keys of every family whose switches have a fixed number of ports."""

    radix: int = Field(64, ge=2, description="ports of a switch")


class RouterModel(FamilyModel):
    """Keys of every family whose switches take as many ports as the wiring needs."""

    radix: int | None = Field(None, ge=2, description="ports of a switch; default: as many as the wiring needs")

    def ports(self, needed: int) -> int:
        """Return the ports of a switch; ValueError if the radix has fewer than the wiring needs."""
        if self.radix is not None and self.radix < needed:
            raise ValueError(f"a switch needs {needed} ports, more than radix={self.radix}; nearest: radix={needed}")
        return self.radix or needed


class DownUp(NamedTuple):
    """A taper: `down` parts of a switch face the hosts, `up` parts face the next level."""

    down: int
    up: int

    def __str__(self) -> str:
        """Return the grammar's form, such as 2:1."""
        return f"{self.down}:{self.up}"


def _ratio(value: Any) -> Any:
    parts = value.split(":") if isinstance(value, str) else value
    try:
        down, up = (int(part) for part in parts)
    except (TypeError, ValueError):
        down = up = 0
    if down < 1 or up < 1:
        raise ValueError("write two whole numbers joined by a colon, such as 2:1")
    return DownUp(down, up)


def _of_length(lengths: range, value: tuple[int, ...]) -> tuple[int, ...]:
    if len(value) not in lengths:
        legal = str(lengths[0]) if len(lengths) == 1 else f"{lengths[0]} to {lengths[-1]}"
        raise ValueError(f"has {len(value)} dimensions; legal: {legal}")
    return value


Ratio = Annotated[DownUp, BeforeValidator(_ratio)]


def dimensions(least: int, most: int) -> Any:
    """Return a validator that lets only tuples of `least` to `most` dimensions pass."""
    return AfterValidator(partial(_of_length, range(least, most + 1)))


def spec_text(family: str, parameters: FamilyModel) -> str:
    """Return the spec string of checked parameters: only the keys that were set, in the model's order."""
    return str(Spec(family, {k: _text(getattr(parameters, k)) for k in given_keys(parameters)}))


def given_keys(parameters: FamilyModel) -> list[str]:
    """Return the keys that were set explicitly, in the order of the model."""
    fields = type(parameters).model_fields
    own = [k for k in fields if k not in FamilyModel.model_fields]
    return [k for k in (*own, *FamilyModel.model_fields) if k in parameters.model_fields_set]


def _text(value: Any) -> Any:
    if isinstance(value, tuple) and not isinstance(value, DownUp):
        return "x".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else value


def ceil_div(a: int, b: int) -> int:
    """Return a / b rounded up."""
    return -(-a // b)
