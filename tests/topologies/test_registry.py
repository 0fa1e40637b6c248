from __future__ import annotations

import json
from pathlib import Path

import pytest

from topologies.document import from_document, same_graph, to_document
from topologies.registry import FAMILIES, build, family_model
from uet.base.errors import BadInput


def test_unknown_family_names_the_nearest():
    with pytest.raises(BadInput, match="did you mean 'fat-tree'"):
        build("fattree:hosts=16")


def test_every_wrong_key_is_reported_at_once():
    with pytest.raises(BadInput) as caught:
        build("fat-tree:host=16,levels=9,radix=four")
    assert len(caught.value.messages) == 3
    assert any("did you mean 'hosts'" in m for m in caught.value.messages)


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_every_key_has_a_description(family):
    for key, field in family_model(family).model_fields.items():
        assert field.description, f"{family}: {key}"


@pytest.mark.parametrize("suffix", [".yaml", ".json"])
def test_files_mean_the_same_as_strings(tmp_path: Path, suffix: str):
    path = tmp_path / f"fabric{suffix}"
    path.write_text(json.dumps({"family": "hammingmesh", "board": [2, 2], "grid": "3x2"}))
    assert same_graph(build(path), build("hammingmesh:board=2x2,grid=3x2"))


def test_a_wrong_file_is_named(tmp_path: Path):
    path = tmp_path / "fabric.yaml"
    path.write_text("family: fat-tree\nhosts: -3\n")
    with pytest.raises(BadInput, match=r"fabric\.yaml: fat-tree: hosts=-3"):
        build(str(path))
    path.write_text("hosts: 3\n")
    with pytest.raises(BadInput, match="'family' is missing"):
        build(path)


def test_spec_text_builds_the_same_fabric():
    for spec in ("fat-tree:hosts=100,radix=16,planes=2,gbps=200", "hammingmesh:grid=5x3,radix=6,row_taper=2:1"):
        fabric = build(spec)
        assert same_graph(build(fabric.spec), fabric)


@pytest.mark.parametrize("spec", ["fat-tree:hosts=13,radix=4,levels=3", "hammingmesh:board=2x3,grid=3x3,radix=4"])
def test_documents_survive_json(tmp_path: Path, spec: str):
    fabric = build(spec)
    path = tmp_path / "design.json"
    path.write_text(json.dumps({"cost_usd": 1, "fabric": to_document(fabric)}))
    again = build(path)
    assert same_graph(again, fabric)
    assert again.routes.rule == fabric.routes.rule


def test_a_changed_document_is_routed_by_table():
    document = to_document(build("fat-tree:hosts=8,radix=4"))
    for column in document["links"].values():
        del column[-1]
    fabric = from_document(document)
    assert fabric.routes.rule == "table"
    assert len(fabric.links) == len(build("fat-tree:hosts=8,radix=4").links) - 1


def test_broken_documents_are_bad_input():
    document = to_document(build("fat-tree:hosts=8,radix=4"))
    with pytest.raises(BadInput, match="schema"):
        from_document({**document, "schema": "other"})
    with pytest.raises(BadInput, match="'order' is missing"):
        from_document({k: v for k, v in document.items() if k != "order"})
    with pytest.raises(BadInput, match="do not fit together"):
        from_document({**document, "names": [["host", 8]]})
