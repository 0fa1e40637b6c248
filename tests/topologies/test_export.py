from __future__ import annotations

import io
import json

import networkx as nx
import pytest

from topologies.document import SCHEMA, from_document, same_graph
from topologies.export import FORMATS, to_dot, to_graphml, to_json
from topologies.registry import build

SPECS = ["fat-tree:hosts=12,radix=8,levels=2", "hammingmesh:board=2x2,grid=2x2", "dragonfly:p=2,a=4,h=2"]


@pytest.mark.parametrize("spec", SPECS)
def test_graphml_is_read_by_networkx(spec):
    fabric = build(spec)
    graph = nx.read_graphml(io.BytesIO(to_graphml(fabric).encode()), force_multigraph=True)
    wanted = fabric.to_networkx()
    assert dict(graph.degree()) == dict(wanted.degree())
    assert sorted(d["gbps"] for _, _, d in graph.edges(data=True)) == sorted(fabric.links["gbps"].tolist())
    assert {graph.nodes[n]["kind"] for n in graph} == {"host", "switch"}


@pytest.mark.parametrize("spec", SPECS)
def test_json_holds_everything(spec):
    fabric = build(spec)
    document = json.loads(to_json(fabric))
    assert document["schema"] == SCHEMA
    assert same_graph(from_document(document), fabric)


def test_dot_names_every_link():
    fabric = build(SPECS[0])
    lines = to_dot(fabric).splitlines()
    assert sum(" -- " in line for line in lines) == len(fabric.links)
    assert any(line.strip().startswith("leaf0 -- spine0 [class=aoc, gbps=400") for line in lines)


def test_formats_go_by_suffix():
    assert FORMATS[".topo"](build("fat-tree:hosts=64,radix=16")).splitlines()[1] == "Nodes 64"
