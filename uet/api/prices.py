"""Prices: bills, owning, cabling lists, comparisons, catalogues."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uet.api.fabrics import FabricLike, build

if TYPE_CHECKING:
    from topologies.bom import BillOfMaterials
    from topologies.cabling import CablingList
    from topologies.catalogue.catalogue import Catalogue
    from topologies.ownership import Comparison, Ownership, OwnershipModel
    from topologies.racks import RackModel
    from topologies.repair import Repair


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


def cost(
    spec: FabricLike,
    catalogue: str | Path = "hammingmesh-2022",
    include: Sequence[str] = (),
    cabling: str | None = None,
    racks: RackModel | None = None,
) -> BillOfMaterials:
    """Return the bill of materials of the fabric `spec` with the prices of `catalogue`.

    `include` adds 'nic' and 'accelerator', or parts of those kinds by name; `cabling` is 'published' or
    'rack' (as `racks` fills the hall), the catalogue's own rule if None. Raises BadInput for what is unknown
    or fits no part.
    """
    from topologies.bom import bill
    from topologies.catalogue.catalogue import load_catalogue

    return bill(build(spec), load_catalogue(catalogue), include, cabling, racks)


def own(bought: BillOfMaterials, model: OwnershipModel | None = None) -> Ownership:
    """Return what a bill's parts cost to run: energy, replacements, and spares in stock.

    `model` (`topologies.ownership.OwnershipModel`) has the price of energy, years and the like.
    """
    from topologies.ownership import ownership

    return ownership(bought, model)


def cabling_list(
    spec: FabricLike,
    catalogue: str | Path = "hammingmesh-2022",
    cabling: str | None = None,
    racks: RackModel | None = None,
) -> CablingList:
    """Return every cable that is bought with both ends, part and length; `write_csv` writes it to a file.

    `racks` (`topologies.racks.RackModel`) says how the hall is filled. Raises BadInput for what fits no part.
    """
    from topologies.cabling import cable_list
    from topologies.catalogue.catalogue import load_catalogue

    return cable_list(build(spec), load_catalogue(catalogue), cabling, racks)


def compare(
    a: FabricLike,
    b: FabricLike,
    catalogue: str | Path = "hammingmesh-2022",
    include: Sequence[str] = (),
    cabling: str | None = None,
) -> Comparison:
    """Return how the bill of `b` differs from that of `a`, in total and by kind of part.

    Each is a spec, or the file of a seller's quote, which has its own prices (`topologies.ownership.read_quote`).
    """
    from topologies.ownership import compare as compare_bills

    one, two = (_bill_or_quote(spec, catalogue, include, cabling) for spec in (a, b))
    return compare_bills(one, two)


def _bill_or_quote(
    spec: FabricLike, catalogue: str | Path, include: Sequence[str], cabling: str | None
) -> BillOfMaterials:
    from topologies.ownership import is_quote, read_quote

    if isinstance(spec, str | Path) and is_quote(spec):
        return read_quote(spec)
    return cost(spec, catalogue, include, cabling)


def repair(
    spec: FabricLike,
    fail: str,
    catalogue: str | Path = "hammingmesh-2022",
    include: Sequence[str] = (),
    cabling: str | None = None,
    racks: RackModel | None = None,
    seed: int = 1,
) -> Repair:
    """Return what new parts cost for those that `fail` (the failure grammar) takes out of the fabric `spec`."""
    from topologies.catalogue.catalogue import load_catalogue
    from topologies.failures import damage
    from topologies.repair import repair as price_repair

    fabric = build(spec)
    bought = cost(fabric, catalogue, include, cabling, racks)
    return price_repair(fabric, damage(fabric, fail, seed), load_catalogue(catalogue), bought, racks)


def cluster_share(
    spec: FabricLike, bought: BillOfMaterials, catalogue: str | Path = "hammingmesh-2022"
) -> float | None:
    """Return the network's share of the cost of a cluster, with accelerators and NICs of a catalogue.

    None if that has no price for them.
    """
    from topologies.bom import cluster_share as share
    from topologies.catalogue.catalogue import load_catalogue

    return share(build(spec), load_catalogue(catalogue), bought)


def list_catalogues() -> list[CatalogueEntry]:
    """Return the catalogues that come with this package, sorted by name."""
    from topologies.catalogue.catalogue import catalogue_names, load_catalogue

    found = [load_catalogue(name) for name in catalogue_names()]
    return [CatalogueEntry(c.name, c.title, c.date, len(c.part), c.cabling) for c in found]


def show_catalogue(name: str | Path) -> Catalogue:
    """Return a catalogue by name or from a TOML file. Raises BadInput if there is none or it is wrong."""
    from topologies.catalogue.catalogue import load_catalogue

    return load_catalogue(name)
