"""The Python API: one typed function per command, each named after it.

`import uet; uet.simulate(...)` is the usual way in; `uet` fetches each function from here when it is
first used, so that importing `uet` costs nothing.

    fabrics     list_topologies show_topology export_topology draw_topology cost list_catalogues show_catalogue
    bandwidth   bandwidth draw_profile
    work        show_workload simulate
    packets     decode decode_capture encode describe
    machine     doctor
    settings    parameters
    touring     plan_tour tour
    tradeoff    tradeoff
"""

from __future__ import annotations

FUNCTIONS = {
    "bandwidth": "uet.api.bandwidth",
    "cost": "uet.api.fabrics",
    "decode": "uet.api.packets",
    "decode_capture": "uet.api.packets",
    "describe": "uet.api.packets",
    "doctor": "uet.api.machine",
    "draw_profile": "uet.api.bandwidth",
    "draw_topology": "uet.api.fabrics",
    "encode": "uet.api.packets",
    "export_topology": "uet.api.fabrics",
    "list_catalogues": "uet.api.fabrics",
    "list_topologies": "uet.api.fabrics",
    "plan_tour": "uet.api.touring",
    "parameters": "uet.api.settings",
    "show_catalogue": "uet.api.fabrics",
    "show_topology": "uet.api.fabrics",
    "show_workload": "uet.api.work",
    "simulate": "uet.api.work",
    "tour": "uet.api.touring",
    "tradeoff": "uet.api.tradeoff",
}
"""Public function -> module that defines it."""
