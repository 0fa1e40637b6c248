"""What owning a bill's parts takes: energy, replacements, spares; and how two bills differ."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from topologies.bom import BillLine, BillOfMaterials
from uet.base.spec import check, read_mapping
from uet.base.values import StrictModel

DAYS_PER_YEAR, HOURS_PER_YEAR = 365, 8760


class OwnershipModel(StrictModel):
    """Prices and habits of running: energy per kWh, power usage effectiveness, years, and resupply of parts.

    `shortfall` is the accepted probability that a resupply period needs more spares than are in stock.
    """

    usd_per_kwh: Annotated[float, Field(ge=0)] = 0.08
    pue: Annotated[float, Field(ge=1)] = 1.25
    years: Annotated[float, Field(gt=0)] = 4
    resupply_days: Annotated[float, Field(gt=0)] = 30
    shortfall: Annotated[float, Field(gt=0, lt=1)] = 0.01


@dataclass(frozen=True)
class SpareLine:
    """Spares of one part: failures expected in a resupply period, pieces to stock and their price."""

    part: str
    kind: str
    failures_per_resupply: float
    spares: int
    cost_usd: float


@dataclass(frozen=True)
class Ownership:
    """Costs of owning a bill's parts in USD over `years`; energy is None if a part's power is unknown."""

    years: float
    capital_usd: float
    energy_usd: float | None
    replacement_usd: float
    spares_usd: float
    spares: tuple[SpareLine, ...]
    unknown_failure_rates: tuple[str, ...]  # parts left out of replacements and spares

    @property
    def running_usd(self) -> float | None:
        """Energy and replacements over all years; None if the energy is unknown."""
        return None if self.energy_usd is None else self.energy_usd + self.replacement_usd

    @property
    def total_usd(self) -> float | None:
        """Capital, spares and running cost; None if the energy is unknown."""
        return None if self.running_usd is None else self.capital_usd + self.spares_usd + self.running_usd

    def as_dict(self) -> dict[str, Any]:
        """Return the costs as plain values."""
        return {**asdict(self), "running_usd": self.running_usd, "total_usd": self.total_usd}


def ownership(bill: BillOfMaterials, model: OwnershipModel | None = None) -> Ownership:
    """Return what the parts of a bill cost to buy, feed, replace and keep in stock.

    energy = W * PUE * hours * price; a failed part is replaced by a new one; stock is the smallest for
    which Poisson failures in a resupply period exceed it with at most the accepted probability.
    """
    model = model or OwnershipModel()
    kwh = None if bill.power_w is None else bill.power_w / 1000 * model.pue * HOURS_PER_YEAR * model.years
    known = [line for line in bill.lines if line.annual_failure_rate is not None]
    spares = tuple(_spares(line, model) for line in known)
    return Ownership(
        model.years,
        bill.cost_usd,
        None if kwh is None else kwh * model.usd_per_kwh,
        sum(line.total_usd * (line.annual_failure_rate or 0) * model.years for line in known),
        sum(line.cost_usd for line in spares),
        spares,
        tuple(line.part for line in bill.lines if line.annual_failure_rate is None),
    )


def _spares(line: BillLine, model: OwnershipModel) -> SpareLine:
    from scipy.special import pdtrc

    mean = line.count * (line.annual_failure_rate or 0) * model.resupply_days / DAYS_PER_YEAR
    stock = 0
    while float(pdtrc(stock, mean)) > model.shortfall:  # P(more than `stock` failures)
        stock += 1
    return SpareLine(line.part, line.kind, mean, stock, stock * line.unit_usd)


@dataclass(frozen=True)
class Difference:
    """One kind of part in two bills."""

    kind: str
    count_a: int
    count_b: int
    usd_a: float
    usd_b: float
    difference_usd: float  # b minus a


@dataclass(frozen=True)
class Comparison:
    """Two bills side by side; ratios are b over a and None when a has nothing."""

    a: str
    b: str
    cost_usd_a: float
    cost_usd_b: float
    difference_usd: float
    cost_ratio: float | None
    per_accelerator_usd_a: float
    per_accelerator_usd_b: float
    usd_per_gbps_a: float
    usd_per_gbps_b: float
    power_w_a: float | None
    power_w_b: float | None
    lines: tuple[Difference, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the comparison as plain values."""
        return asdict(self)


def compare(a: BillOfMaterials, b: BillOfMaterials) -> Comparison:
    """Return how bill `b` differs from bill `a`, in total and by kind of part."""
    return Comparison(
        a.spec, b.spec, a.cost_usd, b.cost_usd, b.cost_usd - a.cost_usd,
        b.cost_usd / a.cost_usd if a.cost_usd else None,
        a.per_accelerator_usd, b.per_accelerator_usd, a.usd_per_gbps, b.usd_per_gbps, a.power_w, b.power_w,
        tuple(_difference(kind, a, b) for kind in dict.fromkeys(line.kind for line in (*a.lines, *b.lines))),
    )  # fmt: skip


def _difference(kind: str, a: BillOfMaterials, b: BillOfMaterials) -> Difference:
    mine, theirs = ([line for line in bill.lines if line.kind == kind] for bill in (a, b))
    usd_a, usd_b = (sum(line.total_usd for line in lines) for lines in (mine, theirs))
    count_a, count_b = (sum(line.count for line in lines) for lines in (mine, theirs))
    return Difference(kind, count_a, count_b, usd_a, usd_b, usd_b - usd_a)


class _QuoteLine(StrictModel):
    part: str
    kind: str
    count: Annotated[int, Field(ge=0)]
    unit_usd: Annotated[int | float, Field(ge=0)]
    unit_power_w: Annotated[int | float, Field(ge=0)] | None = None
    annual_failure_rate: Annotated[float, Field(ge=0)] | None = None


class _Quote(StrictModel):
    hosts: Annotated[int, Field(ge=1)]
    injection_gbps: Annotated[float, Field(gt=0)]
    line: tuple[_QuoteLine, ...]


def is_quote(path: str | Path) -> bool:
    """Tell whether a path names a file of a seller's quote: a mapping with a list `line`."""
    return Path(path).suffix in (".toml", ".yaml", ".yml", ".json") and "line" in read_mapping(path)


def read_quote(path: str | Path) -> BillOfMaterials:
    """Return a seller's quote as a bill, to be compared with ours.

    The file is TOML, YAML or JSON: `hosts`, `injection_gbps` of one host, and a list `line` of part,
    kind, count, unit_usd and, if known, unit_power_w and annual_failure_rate. Raises BadInput.
    """
    quote = check(_Quote, read_mapping(path), str(path))
    lines = tuple(
        BillLine(
            q.part, q.kind, q.count, q.unit_usd, q.unit_usd * q.count, q.unit_power_w,
            None if q.unit_power_w is None else q.unit_power_w * q.count, q.annual_failure_rate, "vendor", str(path),
        )
        for q in quote.line
    )  # fmt: skip
    switches = sum(q.count for q in quote.line if q.kind == "switch")
    cables: dict[str, int] = {}
    for q in quote.line:
        if q.kind not in ("switch", "nic", "accelerator"):
            cables[q.kind] = cables.get(q.kind, 0) + q.count
    return BillOfMaterials(
        Path(path).stem, str(path), "quote", quote.hosts, switches, cables, quote.injection_gbps, lines
    )
