"""The five workloads of the HammingMesh paper on its small fabrics, by closed forms, beside the published overheads.

python benchmarks/hammingmesh_workloads.py

Hoefler et al., SC22 (arXiv 2209.01346), simulated ResNet-152, GPT-3, GPT-3 with experts, CosmoFlow and DLRM on about
1,024 accelerators and printed what a network saves: the ratio of the costs times that of the communication that a
step waits for. Sizes and compute times of a step are those of its workloads (DNN-cpp-proxies); here the waiting comes
from closed forms of the bandwidth that each pattern gets:

    ring      an allreduce of the whole machine: all links that rings can use, which is all on every fabric here
    board     rings of four accelerators: all links of a tree; on grids a 2 x 2 square, whose sides carry one link of
              four each way along them (both links of a dimension where lines are switched: 1 x 1 boards)
    hop       a message to the next stage: all links of a tree, one of the four directions on grids
    near      alltoall of 16 accelerators: on grids a 4 x 4 square, bound by its bisection
    far       alltoall of the whole machine: what the fabric carries (`solvers.design.forms`)

Overheads are relative to the full fat tree; what differs from the published ones, and why, is in docs/workloads.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import uet
from solvers.design.forms.families import FAMILIES
from topologies.registry import family_model
from uet.base.spec import check, parse_spec
from uet.workloads.models.residual import residual_network
from uet.workloads.models.volumetric import Volumetric

INJECTION = 6400e9 / 8  # bytes per second of an accelerator
STEP_S = 80e-9  # latency of a step of a ring
WORD = 4


@dataclass(frozen=True)
class Fabric:
    """A fabric: its spec and the share of the injection that each pattern gets."""

    spec: str
    shares: Mapping[str, float]


def tree(spec: str) -> Fabric:
    return Fabric(spec, {"ring": 1.0, "board": 1.0, "hop": 1.0, "near": 1.0, "far": alltoall(spec)})


def grid(spec: str, board: float, near: float) -> Fabric:
    return Fabric(spec, {"ring": 1.0, "board": board, "hop": 0.25, "near": near, "far": alltoall(spec)})


def alltoall(spec: str) -> float:
    """Return the share of the injection that uniform alltoall gets at most."""
    parsed = parse_spec(spec)
    parameters = check(family_model(parsed.family), parsed.arguments, spec)
    return min(1.0, FAMILIES[parsed.family].proven(parameters).alltoall.upper)


FABRICS = {
    "fat tree": lambda: tree("fat-tree:hosts=1024,radix=64,planes=16"),
    "50 %": lambda: tree("fat-tree:hosts=1024,radix=64,down=42,up=22,planes=16"),
    "75 %": lambda: tree("fat-tree:hosts=1024,radix=64,down=51,up=13,planes=16"),
    "Dragonfly": lambda: tree("dragonfly:p=8,a=16,h=8,g=8,routers_per_box=2,planes=16"),
    "HyperX": lambda: grid("hammingmesh:board=1x1,grid=32x32", board=1.0, near=1.0),
    "Hx2Mesh": lambda: grid("hammingmesh:board=2x2,grid=16x16", board=0.5, near=0.5),
    "Hx4Mesh": lambda: grid("hammingmesh:board=4x4,grid=8x8", board=0.5, near=0.5),
    "torus": lambda: grid("torus:dims=32x32,board=2x2,planes=4", board=0.5, near=0.25),
}

PUBLISHED = {  # waiting relative to the full fat tree, derived from the plotted savings
    "ResNet-152": (1, 1.00, 1.01, 1.03, 1.32, 1.26, 1.21, 1.35),
    "GPT-3": (1, 1.55, 1.91, 1.59, 3.05, 3.32, 6.11, 13.6),
    "GPT-3 MoE": (1, 0.90, 0.97, 0.59, 2.64, 5.50, 3.43, 5.99),
    "CosmoFlow": (1, 1.00, 1.00, 1.24, 1.64, 1.90, 3.15, 4.20),
    "DLRM": (1, 1.17, 1.50, 1.17, 0.67, 1.17, 1.67, 3.67),
}


@dataclass(frozen=True)
class Step:
    """Seconds of a step: computing, and what the network makes it wait."""

    compute_s: float
    waits_s: float


def ring_s(elements: float, members: int, share: float) -> float:
    """Return the time of an allreduce round a ring."""
    return 2 * (members - 1) * (elements * WORD / members / (share * INJECTION) + STEP_S)


def moved_s(elements: float, share: float) -> float:
    """Return the time of so many elements out of an accelerator."""
    return elements * WORD / (share * INJECTION) + STEP_S


def resnet(on: Mapping[str, float]) -> Step:
    """1,024 replicas; ten buckets of gradients, each added up while the next is computed."""
    forward, backward, buckets = 0.036, 0.0072, 10
    elements = residual_network("resnet-152").parameters / buckets
    done = 0.0
    for k in range(buckets):
        done = max(done, (k + 1) * backward) + ring_s(elements, 1024, on["ring"])
    return Step(forward + buckets * backward, done - buckets * backward)


def gpt3(on: Mapping[str, float]) -> Step:
    """A stage's backward pass of a microbatch: two allreduces over four accelerators and a message."""
    size = 2048 * 12288
    return Step(0.03183, 2 * ring_s(size, 4, on["board"]) + moved_s(size, on["hop"]))


def moe(on: Mapping[str, float]) -> Step:
    """The same with 16 experts: two alltoalls more, over 16 accelerators."""
    size = 2048 * 12288
    dense = gpt3(on)
    return Step(2 * (0.022367 + 0.041293 / 16), dense.waits_s + 2 * moved_s(size * 15 / 16, on["near"]))


def cosmoflow(on: Mapping[str, float]) -> Step:
    """Four accelerators per cube: halos with two neighbours, gathered dense layers, gradients behind backward."""
    forward = (6567, 13135, 6567, 3283, 1641, 5, 3, 1)
    backward = (2, 6, 10, 3283, 6567, 13135, 26270, 13135)
    halos = (2097152, 1048576, 524288, 262144, 131072, 262144, 524288, 1048576)
    dense = (65536, 256, 128, 128, 256, 65536)
    waits = sum(2 * moved_s(n, on["hop"]) for n in halos) + sum(moved_s(n * 3 / 4, on["board"]) for n in dense)
    net = Volumetric()
    gradients = [net.dense_parameters, *reversed(net.layer_parameters)]
    done = now = 0.0
    for size, us in zip(gradients, backward[2:], strict=True):
        now += us * 1e-6
        done = max(done, now) + ring_s(size, 256, on["ring"])
    return Step(1e-6 * (sum(forward) + sum(backward)), waits + max(0.0, done - now))


def dlrm(on: Mapping[str, float]) -> Step:
    """128 accelerators: an alltoall of embeddings forward and one back behind the bottom network; two allreduces."""
    embed, bottom, interact, top = 95e-6, 341e-6, 209e-6, 455e-6
    exchange = moved_s(262144, on["far"])
    forward = max(bottom, embed + exchange) + interact + top
    back = 2 * top + interact + max(2 * bottom + ring_s(728065, 128, on["ring"]), exchange + 2 * embed)
    total = forward + back + ring_s(49536, 128, on["ring"])
    compute = max(bottom, embed) + interact + top + 2 * top + interact + max(2 * bottom, 2 * embed)
    return Step(compute, total - compute)


WORKLOADS = {"ResNet-152": resnet, "GPT-3": gpt3, "GPT-3 MoE": moe, "CosmoFlow": cosmoflow, "DLRM": dlrm}


def main() -> None:
    fabrics = {name: make() for name, make in FABRICS.items()}
    costs = {name: float(uet.cost(f.spec).cost_usd) for name, f in fabrics.items()}
    print("fabric      cost [M$]  alltoall")
    for name, fabric in fabrics.items():
        print(f"{name:10} {costs[name] / 1e6:9.2f} {fabric.shares['far']:9.1%}")
    for work, published in PUBLISHED.items():
        steps = {name: WORKLOADS[work](fabric.shares) for name, fabric in fabrics.items()}
        base = steps["fat tree"].waits_s
        print(f"\n{work:11} step [ms]  waits [ms]  relative  published   Hx2 saves (published)   Hx4 saves (published)")
        for k, (name, step) in enumerate(steps.items()):
            total = step.compute_s + step.waits_s
            saves = [_saving(costs, steps, published, name, k, mesh) for mesh in ("Hx2Mesh", "Hx4Mesh")]
            print(
                f"{name:10} {total * 1e3:10.3f} {step.waits_s * 1e3:11.4f} {step.waits_s / base:9.2f} "
                f"{published[k]:10.2f}   " + "   ".join(f"{ours:10.2f} ({theirs:8.2f})" for ours, theirs in saves)
            )


def _saving(
    costs: dict[str, float], steps: dict[str, Step], published: tuple[float, ...], name: str, k: int, mesh: str
) -> tuple[float, float]:
    """Return what a mesh saves over a fabric: the ratio of costs times that of waiting, ours and theirs."""
    cheaper, at = costs[name] / costs[mesh], list(FABRICS).index(mesh)
    return cheaper * steps[name].waits_s / steps[mesh].waits_s, cheaper * published[k] / published[at]


if __name__ == "__main__":
    main()
