"""The testbed: real frames between namespaces, real data, checked to the last byte."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uet.api.fabrics import SpecLike, build, checked_target
from uet.api.schedules import read_work
from uet.api.settings import checked_settings
from uet.base.errors import BadInput, CheckFailed, UetError

if TYPE_CHECKING:
    from emulation.testbed.run import TestbedSettings
    from topologies.fabric import Fabric
    from uet.schedule.model import Schedule

Say = Callable[[str], None]
LINKS, CLOCKS = ("veth", "memory"), ("wall", "virtual")


@dataclass(frozen=True)
class TestbedRun:
    """What `uet testbed run --json` tells, and why the result is not complete and right, if so."""

    __test__ = False  # no test of pytest's

    summary: dict[str, Any]
    problem: UetError | None


@dataclass(frozen=True)
class TestbedPlan:
    """What a run would build, without building it."""

    __test__ = False

    fabric: Fabric
    schedule: Schedule
    settings: TestbedSettings

    def as_dict(self) -> dict[str, Any]:
        """Return the plan as plain data."""
        hosts = self.fabric.n_hosts if self.settings.links == "veth" else 0
        return {
            "work": self.schedule.name,
            "on": self.fabric.spec,
            "links": self.settings.links,
            "clock": self.settings.clock,
            "namespaces": hosts + 1 if hosts else 0,
            "veth_pairs": hosts,
            "switches": self.fabric.n_switches,
            "ranks": self.schedule.n_ranks,
            "operations": len(self.schedule.operations),
        }


def plan_testbed(
    work: SpecLike,
    on: SpecLike,
    *,
    links: str = "veth",
    clock: str = "wall",
    dilation: float | None = None,
    link_gbps: float | None = None,
    cc: str = "nscc",
    lb: str = "mixed",
    impair: str = "",
    retries: int | None = None,
    ip_version: int = 4,
    native_ip: bool = False,
    crc: str = "refprov",
    settings: Mapping[str, str | float] | None = None,
    pcap: str | Path | None = None,
    force: bool = False,
    seed: int = 1,
) -> TestbedPlan:
    """Return what `run_testbed` would build. Raises BadInput for whatever is wrong in the arguments.

    `dilation` seconds of the machine pass in a second of the testbed; `link_gbps` says it as the rate that
    the fabric's fastest links then have in reality. `retries` of -1 are endless. `pcap` asks for a capture
    of all host ports. The other arguments are those of `uet.simulate`.
    """
    from emulation.packet.impair import parse_impairments
    from emulation.packet.simulate import SimulationSettings
    from emulation.testbed.run import TestbedSettings

    _choose("links", links, LINKS)
    _choose("clock", clock, CLOCKS)
    values = checked_settings(settings or {})
    if retries is not None:
        values["rto.max_retries"] = retries
    fabric = build(on)
    schedule = read_work(work, fabric.n_hosts, seed)
    if link_gbps is not None:
        if dilation is not None:
            raise BadInput("--link-gbps and --dilation say the same; give one of them")
        if link_gbps <= 0:
            raise BadInput(f"--link-gbps {link_gbps:g} is no rate; give one above 0")
        dilation = float(fabric.links["gbps"].max()) / link_gbps
    simulation = SimulationSettings(
        controller=cc, balancer=lb, seed=seed, overrides=values, impairments=parse_impairments(impair)
    )
    chosen = TestbedSettings(
        simulation=simulation,
        links=links,
        clock=clock,
        dilation=dilation,
        ip_version=ip_version,
        udp=not native_ip,
        crc=crc,
        capture=None if pcap is None else checked_target(pcap, [".pcapng"], force),
    )
    return TestbedPlan(fabric, schedule, chosen)


def run_testbed(plan: TestbedPlan, say: Say | None = None) -> TestbedRun:
    """Carry a plan out: build namespaces and wires, run, check every byte, leave nothing behind.

    Over veth with the virtual clock the run is repeated without namespaces, and what was captured at the host
    ports must be the same to the last byte and picosecond. Raises Unavailable when the machine lacks
    something, before anything is sent.
    """
    from emulation.testbed.twin import run_twins, run_with_capture

    before = open_namespaces()
    if plan.settings.links == "veth" and plan.settings.clock == "virtual":
        summary, problem = run_twins(plan.fabric, plan.schedule, plan.settings, say)
    else:
        summary, problem = run_with_capture(plan.fabric, plan.schedule, plan.settings, say)
    summary["namespaces_left"] = open_namespaces() - before
    if problem is None and summary["namespaces_left"]:
        problem = CheckFailed(f"{summary['namespaces_left']} namespaces were left open")
    return TestbedRun(summary, problem)


def open_namespaces() -> int:
    """Return how many descriptors of network namespaces this process holds; they alone keep ours alive."""
    folder = Path("/proc/self/fd")
    if not folder.exists():
        return 0
    found = 0
    for entry in folder.iterdir():
        try:
            found += str(entry.readlink()).startswith("net:[")
        except OSError:  # the descriptor of the listing itself
            continue
    return found


def _choose(what: str, value: str, legal: tuple[str, ...]) -> None:
    if value not in legal:
        raise BadInput(f"--{what} {value}: choose {' or '.join(legal)}")
