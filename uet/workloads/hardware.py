"""`Hardware`: what an accelerator computes and moves, and which share of it is reached in practice."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field

from uet.base.errors import BadInput, nearest
from uet.base.spec import check, is_file, read_mapping
from uet.base.values import StrictModel

Positive = Annotated[float, Field(gt=0, le=1e9, allow_inf_nan=False)]
Share = Annotated[float, Field(gt=0, le=1)]


class Efficiency(StrictModel):
    """Shares of the peak that are reached: of operations by matrices, of the memory's bandwidth by elementwise kernels
    and of the links by collectives.

    One set for all hardware, fitted to half of the published steps in benchmarks/training.py. The network's also
    pays for what is not modelled at scale, such as stragglers.
    """

    matmul: Share = 0.70
    memory: Share = 0.97
    island: Share = 0.65
    network: Share = 0.31


class Hardware(StrictModel):
    """An accelerator: dense 16-bit peak, memory, and links per direction, in gigabits per second.

    `island` accelerators are joined by links of `island_gbps` each; `network_gbps` is the share of an
    accelerator in the network. `latency_us` is what a step of a collective takes at least.
    """

    name: str = "accelerator"
    peak_tflops: Positive
    memory_gbps: Positive
    island: Annotated[int, Field(ge=1, le=1_000_000)] = 8
    island_gbps: Positive
    network_gbps: Positive
    latency_us: Annotated[float, Field(ge=0, le=1e6)] = 2.0
    efficiency: Efficiency = Efficiency()
    source: str = ""


_NVIDIA = "NVIDIA datasheet"
HARDWARE: Mapping[str, Hardware] = {
    h.name: h
    for h in (
        Hardware(name="v100", peak_tflops=125, memory_gbps=7200, island_gbps=1200, network_gbps=100, source=_NVIDIA),
        Hardware(name="a100", peak_tflops=312, memory_gbps=16312, island_gbps=2400, network_gbps=200, source=_NVIDIA),
        Hardware(name="h800", peak_tflops=989, memory_gbps=26800, island_gbps=1600, network_gbps=400, source=_NVIDIA),
        Hardware(name="h100", peak_tflops=989, memory_gbps=26800, island_gbps=3600, network_gbps=400, source=_NVIDIA),
        Hardware(name="h200", peak_tflops=989, memory_gbps=38400, island_gbps=3600, network_gbps=400, source=_NVIDIA),
        Hardware(name="b200", peak_tflops=2250, memory_gbps=64000, island_gbps=7200, network_gbps=400, source=_NVIDIA),
        Hardware(
            name="gb200", peak_tflops=2500, memory_gbps=64000, island=72, island_gbps=7200, network_gbps=400,
            source=_NVIDIA,
        ),
    )
}  # fmt: skip
"""Known accelerators by name: dense 16-bit peak without sparsity, SXM forms, one NIC each."""


def find_hardware(name: str | Path) -> Hardware:
    """Return a known accelerator, or the one that a YAML, JSON or TOML file describes (`like:` and what differs)."""
    text = str(name)
    if not is_file(text):
        if text.lower() not in HARDWARE:
            raise BadInput(f"unknown hardware '{text}'; {nearest(text, HARDWARE)}; or name a .yaml file")
        return HARDWARE[text.lower()]
    facts = read_mapping(text)
    like = facts.pop("like", None)
    base = find_hardware(like).model_dump(exclude={"source"}) if isinstance(like, str) else {}
    return check(Hardware, {"name": Path(text).stem} | base | facts, text)
