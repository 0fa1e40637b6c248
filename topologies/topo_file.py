"""The .topo files of htsim: two- and three-tier trees, read into Fabrics and written from them.

A header (Nodes, Tiers, Podsize) and a block per tier, `Tier 0` for the leaves: Downlink_speed_Gbps and
Downlink_Latency_ns of the links below the tier, Radix_Down, Radix_Up (not on the top tier),
Oversubscribed, Bundle (parallel links to each switch below), Switch_Latency_ns; queue sizes are left to
the simulator. Keys in any case, # begins a comment. Format: uet-htsim, README of htsim_uec and its files.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np

from topologies.fabric import Fabric, FabricBuilder, Order
from topologies.routing.up_down_tables import tree_routes
from topologies.trees import Tree, TreeNodes, wire_above
from uet.base.errors import BadInput, nearest

_HEADER: tuple[str, ...] = ("nodes", "tiers", "podsize")
_TIER: tuple[str, ...] = (
    "downlink_speed_gbps", "radix_down", "radix_up", "oversubscribed", "bundle", "downlink_latency_ns",
    "switch_latency_ns", "queue_up", "queue_down",
)  # fmt: skip
_REQUIRED = ("downlink_speed_gbps", "radix_down", "downlink_latency_ns")
_DEFAULTS = {"bundle": 1, "switch_latency_ns": 0}
_CAPITALS = {
    "downlink_speed_gbps": "Downlink_speed_Gbps", "radix_down": "Radix_Down", "radix_up": "Radix_Up",
    "bundle": "Bundle", "downlink_latency_ns": "Downlink_Latency_ns", "switch_latency_ns": "Switch_Latency_ns",
}  # fmt: skip

Block = dict[str, int]


def read_topo(path: str | Path) -> Fabric:
    """Return the tree of a .topo file; BadInput names file and line of what is wrong."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror}); check the path") from None
    except UnicodeDecodeError:
        raise BadInput(f"{path}: is not a text file; expected a .topo file") from None
    return parse_topo(text, str(path))


def parse_topo(text: str, where: str) -> Fabric:
    """Return the tree that the text of a .topo file describes; `where` becomes the fabric's spec."""
    header, tiers = _blocks(text, where)
    return _build(header, tiers, _shape(header, tiers, where), where)


def _blocks(text: str, where: str) -> tuple[Block, list[Block]]:
    header: Block = {}
    tiers: dict[int, Block] = {}
    block, legal = header, _HEADER
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        key = words[0].lower()
        if len(words) != 2 or not words[1].isdigit():
            raise BadInput(f"{where}:{number}: '{line.strip()}' is not a key and a whole number")
        if key == "tier":
            block, legal = tiers.setdefault(int(words[1]), {}), _TIER
        elif key not in legal:
            raise BadInput(f"{where}:{number}: unknown key '{words[0]}'; {nearest(key, (*legal, 'tier'))}")
        elif key in block:
            raise BadInput(f"{where}:{number}: {words[0]} stands twice; keep one")
        else:
            block[key] = int(words[1])
    return header, _complete(header, tiers, where)


def _complete(header: Block, tiers: Mapping[int, Block], where: str) -> list[Block]:
    """Check that all keys are there, and return the tiers with defaults filled in."""
    missing = [key for key in _HEADER if key not in header]
    count = header.get("tiers", 2)
    if not missing and count not in (2, 3):
        raise BadInput(f"{where}: Tiers {count} is not 2 or 3")
    if not missing and sorted(tiers) != list(range(count)):
        raise BadInput(f"{where}: needs the blocks Tier 0 to Tier {count - 1}, but has {sorted(tiers)}")
    for k, tier in sorted(tiers.items()):
        needed = (*_REQUIRED, "radix_up") if k < count - 1 else _REQUIRED
        missing += [f"{_CAPITALS[key]} of Tier {k}" for key in needed if key not in tier]
    if missing:
        raise BadInput(*(f"{where}: {name} is missing" for name in missing))
    zero = [f"{_CAPITALS.get(key, key)} of Tier {k}" for k in tiers for key in tiers[k] if not tiers[k][key]]
    wrong = [name for name in zero if "ency" not in name]
    if wrong or not all(header.values()):
        raise BadInput(f"{where}: {', '.join(wrong) or 'Nodes and Podsize'} must be at least 1")
    return [_DEFAULTS | tiers[k] for k in range(count)]


def _shape(header: Block, tiers: list[Block], where: str) -> Tree:
    """Return the tree; BadInput where the numbers of ports and switches do not fit together."""
    leaf, spine = tiers[0], tiers[1]
    pod = header["nodes"] if header["tiers"] == 2 else header["podsize"]
    pods = _whole(header["nodes"], pod, "Nodes / Podsize", where)
    pod_leaves = _whole(pod, leaf["radix_down"], "Podsize / Radix_Down of Tier 0", where)
    pod_spines = _whole(pod_leaves * leaf["radix_up"], spine["radix_down"], "spines of a pod", where)
    _bundled(leaf["radix_up"], spine["bundle"], pod_spines, 1, where)
    for k, (low, high) in enumerate(pairwise(tiers)):
        _oversubscribed(low, high, k, where)
    leaves, spines = pods * pod_leaves, pods * pod_spines
    if header["tiers"] == 2:
        return Tree(leaves, leaf["radix_up"], leaves, spines, spines)
    core = tiers[2]
    cores = _whole(spines * spine["radix_up"], core["radix_down"], "cores", where)
    _bundled(spine["radix_up"] * pod_spines, core["bundle"], cores, 2, where)
    taper = (spine["radix_down"], spine["radix_up"])
    return Tree(leaves, leaf["radix_up"], pod_leaves, pod_spines, spines, cores, taper, core["bundle"])


def _whole(total: int, part: int, what: str, where: str) -> int:
    if total % part:
        raise BadInput(f"{where}: {what} is {total}/{part}, not a whole number; change one of the radices")
    return total // part


def _bundled(ports: int, bundle: int, switches: int, tier: int, where: str) -> None:
    if ports != bundle * switches:
        remedy = f"; did you mean Bundle {ports // switches}?" if ports % switches == 0 else "; change a radix"
        reached = f"{ports} up-links with Bundle {bundle} of Tier {tier} reach {ports // bundle} switches"
        raise BadInput(f"{where}: {reached}, but there are {switches}{remedy}")


def _oversubscribed(low: Block, high: Block, tier: int, where: str) -> None:
    stated = low.get("oversubscribed")
    ports = low["radix_down"] / low["radix_up"]
    rates = ports * low["downlink_speed_gbps"] / high["downlink_speed_gbps"]
    if stated is not None and stated not in (ports, rates):
        raise BadInput(
            f"{where}: Oversubscribed {stated} of Tier {tier} does not fit its radices, which give {ports:g}"
        )


def _build(header: Block, tiers: list[Block], tree: Tree, where: str) -> Fabric:
    latencies = {tier["switch_latency_ns"] for tier in tiers}
    if len(latencies) > 1:
        raise BadInput(f"{where}: Switch_Latency_ns differs between tiers; give every tier the same")
    host = np.arange(header["nodes"])
    host_leaf = host // tiers[0]["radix_down"]
    pods = tree.leaf_pod if tree.cores else np.arange(tree.leaves)
    graph = FabricBuilder(len(host), pods[host_leaf])
    leaf = graph.switches("leaf", tree.leaves, 1, pods)
    links = [(float(tier["downlink_speed_gbps"]), float(tier["downlink_latency_ns"])) for tier in tiers]
    graph.links(leaf[host_leaf], host, "dac", *links[0])
    at = TreeNodes(host, host_leaf, wire_above(graph, tree, leaf, links[1:]))
    cables = {"dac": len(host), "aoc": len(tree.leaf_links[0]) + len(tree.spine_links[0])}
    order = Order(tree.leaves + tree.spines + tree.cores, cables)
    radix = max(tier["radix_down"] + tier.get("radix_up", 0) for tier in tiers)
    return graph.build(where, "topo", 1, order, partial(tree_routes, tree, (at,)), latencies.pop(), {"radix": radix})


def to_topo(fabric: Fabric) -> str:
    """Return one plane of a full two- or three-level tree as the text of a .topo file.

    Raises BadInput for any other fabric, and for rates and latencies that are not whole numbers.
    """
    level = fabric.nodes["level"]
    tiers = int(level.max())
    refusal = f"{fabric.spec}: only full trees of two or three levels have a .topo form; take .json, .graphml or .dot"
    if tiers not in (2, 3) or set(np.unique(level)) != set(range(tiers + 1)):
        raise BadInput(refusal)
    pods = len(np.unique(fabric.nodes["group"][: fabric.n_hosts])) if tiers == 3 else 1
    lines = [f"# {fabric.spec}", f"Nodes {fabric.n_hosts}", f"Tiers {tiers}", f"Podsize {fabric.n_hosts // pods}"]
    for k in range(tiers):
        lines += ["", f"Tier {k}", *(f"{_CAPITALS[key]} {value}" for key, value in _tier(fabric, k, tiers).items())]
    text = "\n".join([*lines, ""])
    try:
        again = parse_topo(text, fabric.spec)
    except BadInput:
        raise BadInput(refusal) from None
    tables = ("nodes", "ports", "links")
    same = (np.array_equal(getattr(again, t)[f], getattr(fabric, t)[f]) for t, f in _columns(fabric, tables))
    if not all(same):
        raise BadInput(refusal)
    return text


def _columns(fabric: Fabric, tables: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(t, name) for t in tables for name in getattr(fabric, t).dtype.names]


def _tier(fabric: Fabric, tier: int, tiers: int) -> Block:
    """Return the numbers of a tier, read off its first switch."""
    level = fabric.nodes["level"]
    node = int(np.argmax(level == tier + 1))
    first, count = int(fabric.nodes["first_port"][node]), int(fabric.nodes["n_ports"][node])
    ports = np.arange(first, first + count)
    far = fabric.ports["node"][fabric.ports["peer"][ports]]
    down = level[far] == tier
    link = fabric.links[fabric.ports["link"][ports[down][0]]]
    numbers: Block = {
        "downlink_speed_gbps": int(link["gbps"]),
        "radix_down": int(down.sum()),
        "downlink_latency_ns": int(link["latency_ps"]) // 1000,
        "switch_latency_ns": fabric.switch_latency_ps // 1000,
    }
    if tier < tiers - 1:
        numbers["radix_up"] = int((~down).sum())
    if tier:
        numbers["bundle"] = int(np.count_nonzero(far == far[down][0]))
    return numbers
