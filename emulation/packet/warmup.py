"""Have every kernel of the simulator ready before the clock of a run starts."""

from __future__ import annotations

import time
from dataclasses import replace

from emulation.packet.simulate import SimulationSettings, simulate
from topologies.fabric import Fabric
from topologies.registry import build
from uet.schedule.works import build_work


def warm_up(fabric: Fabric, settings: SimulationSettings) -> float:
    """Compile or load the kernels that a run on `fabric` needs and return the CPU seconds that took.

    Runs one message between two hosts of a tree with the same controller, balancer and codec, which
    reaches the same machine code as any other run.
    """
    started = time.process_time()
    _ = fabric.routes.address
    plain = replace(settings, overrides={}, end_ps=None, placement=None)
    simulate(build("fat-tree:hosts=2,radix=2,levels=1"), build_work("sendrecv:src=0,dst=1,size=8KiB", 2), plain)
    return time.process_time() - started
