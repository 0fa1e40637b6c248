"""Catalogues of parts: TOML files read by name or path, checked, and asked for the part that fits.

A figure is worth as much as its source, so every part says source, date and confidence of its price;
`evidence` says the same of any other figure whose source differs. Confidence is one of

published  read in the source named       vendor    a seller's page or blog
computed   derived from figures read      disputed  sources differ by more than a third
memory     recalled, not read again       estimate  interpolated; the source says how
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from uet.base.errors import BadInput, nearest
from uet.base.spec import check, is_file, read_mapping
from uet.base.values import StrictModel

FOLDER = Path(__file__).parent
FAILURE_RATES = FOLDER / "failure-rates.toml"

CABLES = ("dac", "aec", "aoc", "optic")
Kind = Literal["switch", "dac", "aec", "aoc", "optic", "nic", "accelerator"]
Confidence = Literal["published", "vendor", "computed", "disputed", "memory", "estimate"]
Number = Annotated[int | float, Field(ge=0)]  # int stays int, so that sums of whole dollars stay whole
FIGURES = ("price_usd", "power_w", "reach_m", "annual_failure_rate")


class Evidence(StrictModel):
    """Where a figure comes from, of when it is, and how far to trust it."""

    source: str
    date: str
    confidence: Confidence


class Part(StrictModel):
    """One thing that can be bought; figures that nobody knows are None.

    `radix` ports of `gbps` each (switches, NICs), every one divisible in up to `breakout` slower ones; so
    may be a cable. A cable's price and power cover both ends, transceivers included.
    """

    name: str
    kind: Kind
    gbps: Annotated[int | float, Field(gt=0)]
    radix: Annotated[int, Field(ge=1)] = 1
    breakout: Annotated[int, Field(ge=1)] = 1
    reach_m: Number | None = None
    price_usd: Number | None = None
    power_w: Number | None = None
    annual_failure_rate: Number | None = None
    source: str
    date: str
    confidence: Confidence
    evidence: Mapping[str, Evidence] = {}

    @model_validator(mode="after")
    def _whole(self) -> Part:
        if self.kind in CABLES and self.reach_m is None:
            raise ValueError(f"part '{self.name}' is a cable; say how far it reaches with reach_m")
        for figure in self.evidence:
            if figure not in FIGURES or getattr(self, figure) is None:
                raise ValueError(f"part '{self.name}' gives evidence for '{figure}', which it does not state")
        return self

    def links_each(self, gbps: float) -> int:
        """Return how many links of `gbps` a port or cable carries; 0 if they are too fast."""
        return min(self.breakout, int(self.gbps // gbps))

    def port_share(self, gbps: float) -> float | None:
        """Return which share of one port a link of `gbps` takes (1, 1/2, ...); None if it is too fast."""
        splits = self.links_each(gbps)
        return 1 / splits if splits else None

    def evidence_of(self, figure: str) -> Evidence:
        """Return the evidence of a figure of this part, by field name."""
        own = Evidence(source=self.source, date=self.date, confidence=self.confidence)
        return self.evidence.get(figure, own)


class Catalogue(StrictModel):
    """A named list of parts; `cabling` is the rule its cables are chosen by unless the caller says otherwise."""

    name: str
    title: str
    date: str
    cabling: Literal["published", "rack"] = "published"
    part: tuple[Part, ...]

    @field_validator("part")
    @classmethod
    def _names_differ(cls, parts: tuple[Part, ...]) -> tuple[Part, ...]:
        names = [p.name for p in parts]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two parts are called '{name}'; give each its own name")
        return parts

    def of(self, kind: str) -> list[Part]:
        """Return the priced parts of a kind, the cheapest first (equal prices: by name)."""
        priced = [p for p in self.part if p.kind == kind and p.price_usd is not None]
        return sorted(priced, key=lambda p: (p.price_usd or 0, p.name))

    def failure_rate(self, kind: str) -> float:
        """Return the annual failure rate of this catalogue's first part of a kind, else the default of the kind."""
        rates = [p.annual_failure_rate for p in self.part if p.kind == kind and p.annual_failure_rate is not None]
        return float(rates[0] if rates else _default_rates()[kind]["annual_failure_rate"])

    def named(self, name: str) -> Part:
        """Return the part called `name`; BadInput if there is none."""
        for part in self.part:
            if part.name == name:
                return part
        raise BadInput(f"catalogue {self.name} has no part '{name}'; {nearest(name, [p.name for p in self.part])}")


def catalogue_names() -> list[str]:
    """Return the names of the catalogues that come with this package, sorted."""
    return sorted(p.stem for p in FOLDER.glob("*.toml") if p != FAILURE_RATES)


def load_catalogue(name: str | Path) -> Catalogue:
    """Return a catalogue by its name or by the path of a TOML file; BadInput says what is wrong with it.

    A part without a failure rate gets the one of its kind in failure-rates.toml, with its evidence.
    """
    if isinstance(name, Path) or is_file(name):
        path = Path(name)
    elif name in catalogue_names():
        path = FOLDER / f"{name}.toml"
    else:
        remedy = nearest(name, catalogue_names())
        raise BadInput(f"no catalogue is called '{name}'; {remedy}, or the path of a .toml file")
    document = {"name": path.stem, **read_mapping(path)}
    read = check(Catalogue, document, str(path) if path.parent != FOLDER else f"catalogue {path.stem}")
    return read.model_copy(update={"part": tuple(_with_failure_rate(p) for p in read.part)})


@cache
def _default_rates() -> dict[str, Any]:
    return read_mapping(FAILURE_RATES)


def _with_failure_rate(part: Part) -> Part:
    if part.annual_failure_rate is not None:
        return part
    rate = _default_rates()[part.kind]
    evidence = Evidence(**{key: rate[key] for key in ("source", "date", "confidence")})
    figures = {"annual_failure_rate": rate["annual_failure_rate"]}
    return part.model_copy(update={**figures, "evidence": {**part.evidence, "annual_failure_rate": evidence}})
