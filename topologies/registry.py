"""From a spec, a file or a saved design to a Fabric.

A family is one module of `topologies.families` with a pydantic model `Parameters` of its keys and
`build(parameters) -> Fabric`. It is imported only when its name is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from topologies.fabric import Fabric
from uet.base.errors import BadInput, nearest
from uet.base.spec import Spec, check, is_file, parse_spec, read_mapping

if TYPE_CHECKING:
    from topologies.families.base import FamilyModel

_NAMES = (
    "fat-tree", "clos", "hammingmesh", "torus", "hyperx", "full-mesh", "bcube", "slimfly", "polarfly", "jellyfish",
    "xpander", "dragonfly", "dragonfly-plus", "rail", "rail-only", "superpod", "hpn", "nvlink-islands", "free-form",
)  # fmt: skip

FAMILIES: Mapping[str, str] = MappingProxyType(
    {name: f"topologies.families.{name.replace('-', '_')}" for name in _NAMES}
)
"""Family names and the modules that define them."""


def family_module(name: str) -> Any:
    """Return the module of a family; BadInput with the nearest names if there is none."""
    if name not in FAMILIES:
        raise BadInput(f"no fabric family is called '{name}'; {nearest(name, FAMILIES)}")
    return import_module(FAMILIES[name])


def family_model(name: str) -> type[FamilyModel]:
    """Return the pydantic model of a family's keys, with descriptions and defaults."""
    model: type[FamilyModel] = family_module(name).Parameters
    return model


def build(spec: Spec | str | Path) -> Fabric:
    """Return the Fabric that a spec, a spec string or a file describes.

    A file is YAML or JSON with `family` and the family's keys, a fabric saved by
    `topologies.document`, a design that holds one under `fabric`, or a .topo file of htsim. Raises
    BadInput with one sentence per wrong key.
    """
    if isinstance(spec, Path) or (isinstance(spec, str) and is_file(spec)):
        return _from_file(Path(spec))
    return _from_spec(parse_spec(spec) if isinstance(spec, str) else spec)


def _from_spec(spec: Spec, where: str = "") -> Fabric:
    module = family_module(spec.family)
    parameters = check(module.Parameters, spec.arguments, where or spec.family)
    fabric: Fabric = module.build(parameters)
    return fabric


def _from_file(path: Path) -> Fabric:
    if path.suffix == ".topo":
        from topologies.topo_file import read_topo

        return read_topo(path)
    document = read_mapping(path)
    while "family" not in document and isinstance(document.get("fabric"), dict):
        document = document["fabric"]
    if "links" in document:
        from topologies.document import from_document

        return from_document(document, str(path))
    family = document.pop("family", None)
    if not isinstance(family, str):
        raise BadInput(f"{path}: the key 'family' is missing or not a word; name the family there")
    return _from_spec(Spec(family, document), f"{path}: {family}")
