"""What catalogues must state, and which mistakes in them are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from topologies.catalogue.catalogue import CABLES, catalogue_names, load_catalogue
from uet.base.errors import BadInput

PART = (
    '[[part]]\nname="{name}"\nkind="{kind}"\ngbps=400\nprice_usd={price}\nsource="s"\ndate="d"\nconfidence="vendor"\n'
)


@pytest.mark.parametrize("name", catalogue_names())
def test_every_part_states_source_and_reach(name: str) -> None:
    catalogue = load_catalogue(name)
    assert catalogue.part
    for part in catalogue.part:
        for figure in ("price_usd", "annual_failure_rate"):
            assert part.evidence_of(figure).source
        assert part.annual_failure_rate
        assert part.kind not in CABLES or part.reach_m


def test_the_published_prices_of_2022() -> None:
    # Hoefler et al., HammingMesh, SC22: 5 m copper, 20 m active optical, 64-port switch
    catalogue = load_catalogue("hammingmesh-2022")
    assert [p.price_usd for p in catalogue.part] == [14280, 272, 603]
    assert [p.reach_m for p in catalogue.part] == [None, 5, 20]
    assert catalogue.cabling == "published"


def test_a_part_states_its_own_failure_rate_or_takes_that_of_its_kind(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text(
        'title="t"\ndate="d"\n'
        + PART.format(name="a", kind="switch", price=1)
        + PART.format(name="b", kind="switch", price=1)
        + "annual_failure_rate=0.5\n"
    )
    a, b = load_catalogue(path).part
    assert (a.annual_failure_rate, a.evidence_of("annual_failure_rate").confidence) == (0.08, "published")
    assert (b.annual_failure_rate, b.evidence_of("annual_failure_rate").confidence) == (0.5, "vendor")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (PART.format(name="a", kind="switsch", price=1), "part.0.kind"),
        (PART.format(name="a", kind="dac", price=1), "reach_m"),
        (PART.format(name="a", kind="nic", price=-1), "part.0.price_usd"),
        (PART.format(name="a", kind="nic", price=1) * 2, "two parts are called 'a'"),
        (PART.format(name="a", kind="nic", price=1) + "volts=3\n", "volts"),
        (PART.format(name="a", kind="nic", price=1) + '[part.evidence.power_w]\nsource="x"\ndate="d"\n', "confidence"),
        (
            PART.format(name="a", kind="nic", price=1)
            + '[part.evidence.power_w]\nsource="x"\ndate="d"\nconfidence="memory"\n',
            "does not state",
        ),
        ("title=", "c.toml"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "c.toml"
    path.write_text('title="t"\ndate="d"\n' + text)
    with pytest.raises(BadInput, match=complaint):
        load_catalogue(path)


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(BadInput, match="did you mean 'hammingmesh-2022'"):
        load_catalogue("hammingmesh-2021")
    with pytest.raises(BadInput, match="cannot be read"):
        load_catalogue("missing.toml")
