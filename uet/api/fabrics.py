"""Fabrics: list, build, export, draw."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from uet.base.errors import BadInput

if TYPE_CHECKING:
    from topologies.fabric import Fabric

SpecLike = str | Path
"""A spec string `family:key=value,...` or the path of a file."""
FabricLike: TypeAlias = "SpecLike | Fabric"
"""What names a fabric: a spec, a YAML, JSON or .topo file, or a Fabric that is built already."""


@dataclass(frozen=True)
class Key:
    """One key of a family: what it means and its default as text ('' where it must be given)."""

    name: str
    default: str
    meaning: str


@dataclass(frozen=True)
class Family:
    """A fabric family and its keys."""

    name: str
    summary: str
    keys: tuple[Key, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain data."""
        return asdict(self)


def list_topologies() -> list[Family]:
    """Return every fabric family with its keys, in alphabetical order."""
    from topologies.registry import FAMILIES, family_model, family_module

    families = []
    for name in sorted(FAMILIES):
        fields = family_model(name).model_fields.items()
        keys = tuple(
            Key(key, "" if f.is_required() else _text(f.get_default()), f.description or "") for key, f in fields
        )
        summary = (family_module(name).__doc__ or "").strip().splitlines()[0]
        families.append(Family(name, summary.removeprefix(f"`{name}`: ").rstrip("."), keys))
    return families


def _text(default: Any) -> str:
    if isinstance(default, tuple) and type(default) is tuple:
        return "x".join(map(str, default))
    return "derived" if default is None else str(default)


def build(spec: FabricLike) -> Fabric:
    """Return the Fabric of a spec string or file. Raises BadInput with one sentence per wrong key."""
    from topologies.fabric import Fabric
    from topologies.registry import build as build_fabric

    return spec if isinstance(spec, Fabric) else build_fabric(spec)


def export_topology(spec: FabricLike, file: str | Path, force: bool = False) -> Path:
    """Write the fabric `spec` to `file` and return its path.

    The suffix says how: .json (uet's own form, legal wherever a spec is), .graphml or .dot (one plane).
    Raises BadInput for another suffix, an existing file without `force`, and a file that cannot be written.
    """
    from topologies.export import FORMATS

    path = checked_target(file, tuple(FORMATS), force)
    path.write_text(FORMATS[path.suffix](build(spec)), encoding="utf-8")
    return path


def draw_topology(spec: FabricLike, file: str | Path, force: bool = False) -> Path:
    """Draw one plane of the fabric `spec` to `file` (.png, .svg or .pdf) and return its path.

    Raises BadInput as `export_topology` does.
    """
    from emulation.figures.fabric import draw_fabric
    from emulation.figures.style import house_axes

    path = checked_target(file, (".png", ".svg", ".pdf"), force)
    fabric = build(spec)
    with house_axes(9.0, 6.0) as (figure, axes):
        draw_fabric(axes, fabric)
        figure.savefig(path, dpi=160)
    return path


def checked_target(file: str | Path, suffixes: Sequence[str], force: bool) -> Path:
    """Return `file` as a path if it can be written and has a legal suffix; raises BadInput otherwise."""
    path = Path(file)
    if path.suffix not in suffixes:
        raise BadInput(f"{file}: cannot tell the format from '{path.suffix}'; end the name in {' or '.join(suffixes)}")
    if path.exists() and not force:
        raise BadInput(f"{file}: already exists; choose another name or overwrite it with --force")
    folder = path.absolute().parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        why = "is not writable" if folder.is_dir() else "does not exist"
        raise BadInput(f"{file}: cannot be written, its folder {why}; choose another place")
    return path
