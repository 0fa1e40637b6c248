"""Checked value types for pydantic models of specs: dims, sizes, times, ratios.

Each accepts the text form of the grammar or the plain number or list that YAML gives.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict

from uet.base import units
from uet.base.errors import BadInput


class StrictModel(BaseModel):
    """Base of every spec model: unknown keys are errors and instances do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _dims(value: Any) -> Any:
    if isinstance(value, str):
        try:
            value = [int(part) for part in value.lower().split("x")]
        except ValueError:
            raise ValueError("write whole numbers joined by x, such as 4x4x8") from None
    if isinstance(value, list | tuple) and any(not isinstance(d, int) or d < 1 for d in value):
        raise ValueError("every dimension must be a whole number of at least 1")
    return tuple(value) if isinstance(value, list) else value


def _text_or_number(parse: Any) -> Any:
    def convert(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return parse(value)
        except BadInput as error:
            raise ValueError(str(error)) from None

    return convert


Dims = Annotated[tuple[int, ...], BeforeValidator(_dims)]
SizeBytes = Annotated[int, BeforeValidator(_text_or_number(units.parse_bytes))]
TimePs = Annotated[int, BeforeValidator(_text_or_number(units.parse_time_ps))]
