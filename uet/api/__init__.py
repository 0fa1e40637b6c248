"""The Python API: one typed function per command, each named after it.

`import uet; uet.simulate(...)` is the usual way in; `uet` fetches each function from here when it is
first used, so that importing `uet` costs nothing.

    fabrics     list_topologies build export_topology draw_topology
    show        show_topology
    prices      cost own cabling_list compare repair cluster_share list_catalogues show_catalogue
    sharing     place flexibility resilience
    bandwidth   bandwidth draw_profile
    schedules   show_workload list_algorithms make_collective convert_workload check_workload merge_workloads
    traces      import_workload record_workload
    transforms  transform_workload
    training    make_llm make_pipeline
    work        simulate
    messages    simulate_loggops
    nccl        nccl_tune
    packets     decode decode_capture encode describe
    machine     doctor
    settings    parameters
    parts       new
    testbed     plan_testbed run_testbed
    touring     plan_tour tour
    tradeoff    tradeoff
    design      design verify plot
    racks       racks
    sweep       sweep
"""

from __future__ import annotations

FUNCTIONS = {
    "bandwidth": "uet.api.bandwidth",
    "build": "uet.api.fabrics",
    "cabling_list": "uet.api.prices",
    "check_workload": "uet.api.schedules",
    "cluster_share": "uet.api.prices",
    "compare": "uet.api.prices",
    "convert_workload": "uet.api.schedules",
    "cost": "uet.api.prices",
    "decode": "uet.api.packets",
    "decode_capture": "uet.api.packets",
    "describe": "uet.api.packets",
    "design": "uet.api.design",
    "doctor": "uet.api.machine",
    "draw_profile": "uet.api.bandwidth",
    "draw_topology": "uet.api.fabrics",
    "encode": "uet.api.packets",
    "export_topology": "uet.api.fabrics",
    "flexibility": "uet.api.sharing",
    "import_workload": "uet.api.traces",
    "list_algorithms": "uet.api.schedules",
    "list_catalogues": "uet.api.prices",
    "list_topologies": "uet.api.fabrics",
    "make_collective": "uet.api.schedules",
    "make_llm": "uet.api.training",
    "make_pipeline": "uet.api.training",
    "merge_workloads": "uet.api.schedules",
    "nccl_tune": "uet.api.nccl",
    "new": "uet.api.parts",
    "own": "uet.api.prices",
    "parameters": "uet.api.settings",
    "place": "uet.api.sharing",
    "plan_testbed": "uet.api.testbed",
    "plan_tour": "uet.api.touring",
    "plot": "uet.api.design",
    "racks": "uet.api.racks",
    "record_workload": "uet.api.traces",
    "repair": "uet.api.prices",
    "resilience": "uet.api.sharing",
    "run_testbed": "uet.api.testbed",
    "show_catalogue": "uet.api.prices",
    "show_topology": "uet.api.show",
    "show_workload": "uet.api.schedules",
    "simulate": "uet.api.work",
    "simulate_loggops": "uet.api.messages",
    "sweep": "uet.api.sweep",
    "tour": "uet.api.touring",
    "tradeoff": "uet.api.tradeoff",
    "transform_workload": "uet.api.transforms",
    "verify": "uet.api.design",
}
"""Public function -> module that defines it."""
