"""Fabrics and what they cost: list, show, export, draw, price."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uet.base.errors import BadInput

if TYPE_CHECKING:
    from topologies.bom import BillOfMaterials
    from topologies.catalogue.catalogue import Catalogue
    from topologies.fabric import Fabric

SpecLike = str | Path
"""A spec string `family:key=value,...` or the path of a YAML or JSON file."""


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


@dataclass(frozen=True)
class Topology:
    """What `uet topology show` tells; counts are totals over all planes, distances are in links.

    `links` and `link_classes` count the graph, `cables` what is ordered by the published rule.
    """

    spec: str
    family: str
    hosts: int
    switches: int
    switches_per_plane: int
    links: int
    link_classes: dict[str, int]
    cables: dict[str, int]
    planes: int
    injection_gbps: float
    diameter: int | None
    router_diameter: int | None
    avg_distance: float | None
    virtual_channels: int
    deadlock_freedom: str
    routing_bytes: int

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain data."""
        return asdict(self)


@dataclass(frozen=True)
class CatalogueEntry:
    """A catalogue in brief."""

    name: str
    title: str
    date: str
    parts: int
    cabling: str

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


def build(spec: SpecLike) -> Fabric:
    """Return the Fabric of a spec string or file. Raises BadInput with one sentence per wrong key."""
    from topologies.registry import build as build_fabric

    return build_fabric(spec)


def show_topology(spec: SpecLike) -> Topology:
    """Return counts and distances of the fabric `spec`."""
    from topologies.metrics import distances

    fabric = build(spec)
    measured = distances(fabric)
    return Topology(
        spec=fabric.spec,
        family=fabric.family,
        hosts=fabric.n_hosts,
        switches=fabric.order.switches,
        switches_per_plane=fabric.n_switches,
        links=len(fabric.links) * fabric.planes,
        link_classes=fabric.link_classes(),
        cables=dict(fabric.order.cables),
        planes=fabric.planes,
        injection_gbps=fabric.injection_gbps,
        diameter=measured.diameter,
        router_diameter=measured.router_diameter,
        avg_distance=measured.avg_distance,
        virtual_channels=fabric.routes.virtual_channels,
        deadlock_freedom=fabric.routes.deadlock_freedom,
        routing_bytes=fabric.routes.memory_bytes,
    )


def export_topology(spec: SpecLike, file: str | Path, force: bool = False) -> Path:
    """Write the fabric `spec` to `file` and return its path.

    The suffix says how: .json (uet's own form, legal wherever a spec is), .graphml or .dot (one plane).
    Raises BadInput for another suffix, an existing file without `force`, and a file that cannot be written.
    """
    from topologies.export import FORMATS

    path = checked_target(file, tuple(FORMATS), force)
    path.write_text(FORMATS[path.suffix](build(spec)), encoding="utf-8")
    return path


def draw_topology(spec: SpecLike, file: str | Path, force: bool = False) -> Path:
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


def cost(
    spec: SpecLike, catalogue: str | Path = "hammingmesh-2022", include: Sequence[str] = (), cabling: str | None = None
) -> BillOfMaterials:
    """Return the bill of materials of the fabric `spec` with the prices of `catalogue`.

    `include` adds 'nic' and 'accelerator', or parts of those kinds by name; `cabling` is 'published' or
    'rack', the catalogue's own rule if None. Raises BadInput for what is unknown or fits no part.
    """
    from topologies.bom import bill
    from topologies.catalogue.catalogue import load_catalogue

    return bill(build(spec), load_catalogue(catalogue), include, cabling)


def list_catalogues() -> list[CatalogueEntry]:
    """Return the catalogues that come with this package, sorted by name."""
    from topologies.catalogue.catalogue import catalogue_names, load_catalogue

    found = [load_catalogue(name) for name in catalogue_names()]
    return [CatalogueEntry(c.name, c.title, c.date, len(c.part), c.cabling) for c in found]


def show_catalogue(name: str | Path) -> Catalogue:
    """Return a catalogue by name or from a TOML file. Raises BadInput if there is none or it is wrong."""
    from topologies.catalogue.catalogue import load_catalogue

    return load_catalogue(name)
