"""uet: design, cost, simulate and try out Ultra Ethernet AI fabrics.

Every command of the command line is a function of the same name here: `uet.simulate("permutation:size=2MiB",
on="fat-tree:hosts=128,radix=16,levels=2")`. They are loaded on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from uet.api.bandwidth import bandwidth, draw_profile
    from uet.api.design import design, plot, verify
    from uet.api.fabrics import build, draw_topology, export_topology, list_topologies
    from uet.api.machine import doctor
    from uet.api.messages import simulate_loggops
    from uet.api.nccl import nccl_tune
    from uet.api.packets import decode, decode_capture, describe, encode
    from uet.api.parts import new
    from uet.api.prices import (
        cabling_list,
        cluster_share,
        compare,
        cost,
        list_catalogues,
        own,
        repair,
        show_catalogue,
    )
    from uet.api.racks import racks
    from uet.api.schedules import (
        check_workload,
        convert_workload,
        list_algorithms,
        make_collective,
        merge_workloads,
        show_workload,
    )
    from uet.api.settings import parameters
    from uet.api.sharing import flexibility, place, resilience
    from uet.api.show import show_topology
    from uet.api.sweep import sweep
    from uet.api.testbed import plan_testbed, run_testbed
    from uet.api.touring import plan_tour, tour
    from uet.api.traces import import_workload, record_workload
    from uet.api.tradeoff import tradeoff
    from uet.api.training import make_llm, make_pipeline
    from uet.api.transforms import transform_workload
    from uet.api.work import simulate

__all__ = [
    "bandwidth",
    "build",
    "cabling_list",
    "check_workload",
    "cluster_share",
    "compare",
    "convert_workload",
    "cost",
    "decode",
    "decode_capture",
    "describe",
    "design",
    "doctor",
    "draw_profile",
    "draw_topology",
    "encode",
    "export_topology",
    "flexibility",
    "import_workload",
    "list_algorithms",
    "list_catalogues",
    "list_topologies",
    "make_collective",
    "make_llm",
    "make_pipeline",
    "merge_workloads",
    "nccl_tune",
    "new",
    "own",
    "parameters",
    "place",
    "plan_testbed",
    "plan_tour",
    "plot",
    "racks",
    "record_workload",
    "repair",
    "resilience",
    "run_testbed",
    "show_catalogue",
    "show_topology",
    "show_workload",
    "simulate",
    "simulate_loggops",
    "sweep",
    "tour",
    "tradeoff",
    "transform_workload",
    "verify",
]


def __getattr__(name: str) -> Any:
    """Load a public function on first use (PEP 562)."""
    from importlib import import_module

    from uet.api import FUNCTIONS

    if name not in FUNCTIONS:
        raise AttributeError(f"module 'uet' has no attribute '{name}'")
    function = getattr(import_module(FUNCTIONS[name]), name)
    globals()[name] = function
    return function


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
