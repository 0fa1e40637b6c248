"""The spec grammar: `family:key=value,...`, and its checked form.

    spec  = family [ ":" pairs ] ;  pairs = pair { "," pair } ;  pair = key [ "=" value ]
    value = any text without a top-level comma, or "(" spec ")"

A bare key means true. The same keys may stand in a YAML or JSON mapping beside `family:`. What the
values mean is said by a pydantic model per family; `check` turns its complaints into one BadInput
that names every wrong field at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from uet.base.errors import BadInput, nearest

if TYPE_CHECKING:
    from pydantic import BaseModel

    Model = TypeVar("Model", bound=BaseModel)

FILE_SUFFIXES = (
    ".yaml", ".yml", ".json", ".toml", ".topo", ".graphml", ".cm", ".goal", ".bin", ".et", ".pcap", ".pcapng",
)  # fmt: skip


@dataclass(frozen=True)
class Spec:
    """A family name and its still unchecked arguments, in the order they were written."""

    family: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        """Return the spec in the grammar, so that `parse_spec(str(s)) == s` for text values."""
        pairs = ",".join(k if v is True else f"{k}={v}" for k, v in self.arguments.items())
        return f"{self.family}:{pairs}" if pairs else self.family


def is_file(argument: str) -> bool:
    """Tell whether a command-line argument names a file rather than a spec."""
    return argument.lower().endswith(FILE_SUFFIXES)


def parse_spec(text: str) -> Spec:
    """Split `text` by the grammar. Raises BadInput for empty or doubled keys and open brackets."""
    family, _, rest = text.strip().partition(":")
    if not family or any(c in family for c in "=,() "):
        raise BadInput(f"'{text}' is not a spec; write family:key=value,key=value")
    arguments: dict[str, Any] = {}
    for pair in _split_top_level(rest, text):
        key, equals, value = pair.partition("=")
        key, value = key.strip(), value.strip()
        if not key or (equals and not value):
            raise BadInput(f"'{pair}' in '{text}' is not key=value")
        if key in arguments:
            raise BadInput(f"key '{key}' stands twice in '{text}'; keep one")
        arguments[key] = value if equals else True
    return Spec(family, arguments)


def _split_top_level(text: str, whole: str) -> list[str]:
    """Split at commas outside brackets."""
    parts, depth, start = [], 0, 0
    for k, c in enumerate(text):
        depth += (c == "(") - (c == ")")
        if depth < 0:
            break
        if c == "," and depth == 0:
            parts.append(text[start:k])
            start = k + 1
    if depth != 0:
        raise BadInput(f"brackets do not match in '{whole}'")
    return [*parts, text[start:]] if text else []


def read_spec(path: str | Path) -> Spec:
    """Read a Spec from a YAML or JSON file: a mapping with `family` and the family's keys."""
    document = read_mapping(path)
    family = document.pop("family", None)
    if not isinstance(family, str):
        raise BadInput(f"{path}: the key 'family' is missing or not a word; name the family there")
    return Spec(family, document)


def read_mapping(path: str | Path) -> dict[str, Any]:
    """Read a YAML, JSON or TOML file whose top level is a mapping; BadInput names what is wrong."""
    import json
    import tomllib

    import yaml

    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror}); check the path") from None
    except UnicodeDecodeError:
        raise BadInput(f"{path}: is not a text file; expected YAML, JSON or TOML") from None
    try:
        if path.suffix == ".toml":
            document = tomllib.loads(text)
        elif path.suffix == ".json":
            document = json.loads(text)
        else:
            document = yaml.safe_load(text)
    except (tomllib.TOMLDecodeError, json.JSONDecodeError, yaml.YAMLError) as error:
        raise BadInput(f"{path}: {' '.join(str(error).split())}") from None
    if not isinstance(document, dict):
        raise BadInput(f"{path}: the top level must be a mapping of keys to values")
    return document


def check(model: type[Model], arguments: Mapping[str, Any], where: str) -> Model:
    """Validate `arguments` against a pydantic model; all complaints come in one BadInput."""
    from pydantic import ValidationError

    try:
        return model.model_validate(dict(arguments))
    except ValidationError as failure:
        raise BadInput(*(_sentence(e, model, where) for e in failure.errors())) from None


def _sentence(error: Any, model: type[BaseModel], where: str) -> str:
    place = ".".join(str(p) for p in error["loc"]) or "spec"
    if error["type"] == "extra_forbidden":
        return f"{where}: unknown key '{place}'; {nearest(place, model.model_fields)}"
    if error["type"] == "missing":
        return f"{where}: key '{place}' is missing; legal: {', '.join(sorted(model.model_fields))}"
    message = error["msg"].removeprefix("Value error, ")
    return f"{where}: {place}={error['input']!r}: {message}" if error["loc"] else f"{where}: {message}"
