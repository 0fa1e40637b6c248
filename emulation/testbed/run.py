"""`Testbed`: run a Schedule on real data over a fabric whose edge is made of real frames."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from emulation.data import data_world
from emulation.packet.devices import Devices
from emulation.packet.edge import EDGE, Edge
from emulation.packet.settings import NETWORK_PARAMETERS
from emulation.packet.simulate import Simulation, SimulationSettings
from emulation.packet.state import SIM
from emulation.results import Result
from emulation.testbed.addresses import MAX_HOSTS, ip, mac
from emulation.testbed.edge import edge
from emulation.testbed.namespaces import Wires
from emulation.testbed.state import BED, CAPTURE, CAPTURED, EDGE_WORLD, FRAME, FRAME_BYTES, WIRE_END
from emulation.testbed.syscalls import TIMESPEC
from topologies.fabric import Fabric
from uet.base.errors import BadInput, CheckFailed, Interrupted, UetError
from uet.base.jit import World
from uet.base.tables import Records
from uet.schedule.execute import Buffers, random_data
from uet.schedule.model import Schedule
from uet.schedule.verify import check_result
from uet.transport.settings import chosen
from uet.transport.wire.capture import CaptureWriter
from uet.transport.wire.path import PATH, make_path
from uet.transport.wire.rewrite import MIN_TRIM_UET_BYTES

if TYPE_CHECKING:
    from emulation.packet.guard import Guard

MOST_HOSTS = 64
FRAME_HEADROOM_BYTES = 256
LARGEST_FRAME_BYTES = 9014  # MTU 9,000 and the Ethernet header
CAPTURE_ROOM_BYTES, CAPTURE_ROWS = 48 << 20, 1 << 16
EVENTS_PER_CALL, CAPTURING_EVENTS_PER_CALL = 200_000, 2_000
RATE_IN_ALL_GBPS = 0.5
"""What two busy cores keep pace with, summed over hosts, with a margin."""
STEP_NS = 100_000


@dataclass(frozen=True)
class TestbedSettings:
    """How to run: the simulator's settings, links, clock, dilation (None: what keeps pace), frames, capture."""

    __test__ = False  # no test of pytest's

    simulation: SimulationSettings = field(default_factory=SimulationSettings)
    links: str = "veth"
    clock: str = "wall"
    dilation: float | None = None
    ip_version: int = 4
    udp: bool = True
    crc: str = "refprov"
    capture: Path | None = None


class Testbed:
    """A fabric of namespaces that a schedule runs on; a context manager that leaves nothing behind."""

    __test__ = False

    def __init__(self, fabric: Fabric, schedule: Schedule, settings: TestbedSettings) -> None:
        """Check everything and build it. Raises BadInput or Unavailable, and then has left nothing."""
        self.fabric, self.schedule, self.settings = fabric, schedule, settings
        _check(fabric, schedule, settings)
        self._n_ends = Devices(fabric).n_endpoints
        self._open = ExitStack()
        self.before = random_data(schedule, settings.simulation.seed)
        self.buffers = Buffers(schedule, self.before.copy())
        try:
            self._wires = self._make_wires()
            self.simulation = Simulation(fabric, schedule, settings.simulation, self._make_edge)
            self._writer = self._open_capture()
        except BaseException:
            self._open.close()
            raise

    def __enter__(self) -> Testbed:
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    @property
    def dilation(self) -> float:
        """Seconds of the machine per second of the testbed; 0 with the virtual clock."""
        if self.settings.clock == "virtual":
            return 0.0
        in_all = float(self.fabric.links["gbps"].max()) * self.schedule.n_ranks
        return self.settings.dilation or max(in_all / RATE_IN_ALL_GBPS, 1.0)

    def _make_wires(self) -> Wires | None:
        if self.settings.links != "veth":
            return None
        n = self._n_ends
        wires = Wires(n, LARGEST_FRAME_BYTES - 14, self.settings.ip_version, [mac(k) for k in range(n)])
        self._open.callback(wires.close)
        return wires

    def _open_capture(self) -> CaptureWriter | None:
        if self.settings.capture is None:
            return None
        file: BinaryIO = self._open.enter_context(self.settings.capture.open("wb"))
        return CaptureWriter(file, [f"host{k}" for k in range(self._n_ends)])

    def _make_edge(self, slots: int) -> Edge:
        capturing = self.settings.capture is not None
        self._guard = self._make_guard()
        self._world = World(
            EDGE_WORLD,
            {
                "bed": self._bed_row(capturing),
                "wire_end": self._wire_ends(),
                "frame": FRAME.zeros(slots * self._frame_room()),
                "frame_bytes": FRAME_BYTES.zeros(slots),
                "capture": CAPTURE.zeros(CAPTURE_ROOM_BYTES if capturing else 0),
                "captured": CAPTURED.zeros(CAPTURE_ROWS if capturing else 0),
                "path": self._paths(),
                "timespec": TIMESPEC.zeros(1),
                "data": data_world(self.schedule, self.buffers),
            },
        )
        address = EDGE.address(edge, SIM.dtype, EDGE_WORLD.dtype)
        return Edge(address, self._world, self.settings.clock == "wall", self._guard)

    def _make_guard(self) -> Guard | None:
        if not self.settings.simulation.overrides.get("tss.enabled"):
            return None
        from emulation.packet.guard import Guard  # only now: it loads a library of cryptography

        return Guard(self._n_ends, self.settings.simulation.seed)

    def _frame_room(self) -> int:
        return -(-(_payload_bytes(self.settings) + FRAME_HEADROOM_BYTES) // 64) * 64

    def _bed_row(self, capturing: bool) -> Records:
        row = BED.zeros(1)
        row["seed"] = self.settings.simulation.seed
        row["corrupt"] = round(self.settings.simulation.impairments.corrupt * 2**32)
        row["frame_room"], row["trim_uet_bytes"] = self._frame_room(), MIN_TRIM_UET_BYTES
        if self._guard is not None:
            row["seal"], row["open"] = self._guard.seal_address, self._guard.open_address
        row["capture_room"] = CAPTURE_ROOM_BYTES if capturing else 0
        row["dilation"], row["step_ns"], row["late_ps"] = self.dilation or 1.0, STEP_NS, 1_000_000
        return row

    def _wire_ends(self) -> Records:
        rows = WIRE_END.zeros(self._n_ends)
        rows["host"] = rows["fabric"] = -1
        if self._wires is not None:
            rows["host"] = [s.fileno() for s in self._wires.host_sockets]
            rows["fabric"] = [s.fileno() for s in self._wires.fabric_sockets]
        return rows

    def _paths(self) -> Records:
        version = self.settings.ip_version
        ends = (ip(0, version), ip(0, version), mac(0), mac(0))
        crc = "none" if self._guard is not None else self.settings.crc  # TSS takes the place of the CRC
        crcs = (crc, crc, "none", "none")
        rows = PATH.zeros(len(crcs))
        for k, crc in enumerate(crcs):
            rows[k : k + 1] = make_path(*ends, udp=self.settings.udp, crc=crc)
        return rows

    def run(self, progress: Callable[[Testbed], None] | None = None) -> UetError | None:
        """Run to the end and return why the result is not complete and right, None if it is."""
        budget = CAPTURING_EVENTS_PER_CALL if self._writer else EVENTS_PER_CALL
        try:
            while not self.simulation.advance(budget):
                self._keep_captured()
                if progress is not None:
                    progress(self)
        except KeyboardInterrupt:
            return Interrupted("interrupted; the counts are partial and the data was not checked")
        finally:
            self._keep_captured()
        if self.simulation.problem is not None:
            return self.simulation.problem
        try:
            check_result(self.schedule, self.before, self.buffers.data)
        except CheckFailed as wrong:
            return wrong
        return None

    def _keep_captured(self) -> None:
        """Write captured frames out and make room for more."""
        if self._writer is None:
            return
        bed, rows = self._world.tables["bed"], self._world.tables["captured"]
        held = self._world.tables["capture"]["byte"]
        for row in rows[: int(bed["captured"][0])]:
            first = int(row["first"])
            self._writer.write(
                int(row["host"]), int(row["time_ps"]), held[first : first + int(row["length"])].tobytes()
            )
        bed["captured"], bed["capture_bytes"] = 0, 0

    def report(self, problem: UetError | None, wall_s: float) -> dict[str, Any]:
        """Return the document of a run that ended with `problem`."""
        result: Result = self.simulation.result()
        totals, bed = result.totals, self._world.tables["bed"][0]
        seconds = totals["sim_us"] / 1e6
        paced = self.settings.clock == "wall"
        return {
            "work": self.schedule.name,
            "on": self.fabric.spec,
            "hosts": self.fabric.n_hosts,
            "links": self.settings.links,
            "clock": self.settings.clock,
            "dilation": self.dilation or None,
            "cc": self.settings.simulation.controller,
            "lb": self.settings.simulation.balancer,
            "status": "partial" if isinstance(problem, Interrupted) else result.status,
            "correct": problem is None,
            "bytes": int(bed["delivered"]),
            "goodput_gbps": float(bed["delivered"]) * 8 / seconds / 1e9 if seconds else None,
            **{key: totals[key] for key in _FROM_SIMULATION},
            "corrupt_injected": int(bed["corrupted"]),
            "frames": int(bed["frames"]),
            "frame_bytes": int(bed["frame_bytes"]),
            "frames_lost": int(bed["lost"]),
            "frames_refused": int(bed["refused"]),
            "tss": None if self._guard is None else self._guard.report(),
            "capture_lost": int(bed["capture_lost"]),
            "kept_pace": bool(bed["late"] * 100 <= bed["events"]) if paced else None,
            "late_fraction": float(bed["late"]) / max(int(bed["events"]), 1) if paced else None,
            "stalled_s": float(bed["stalled_ns"]) / 1e9 if paced else None,
            "packets_per_s": int(bed["frames"]) / 2 / wall_s if wall_s else None,
            "cpu_s": totals["cpu_s"],
            "wall_s": wall_s,
        }


_FROM_SIMULATION = (
    "flows", "finished", "fct_us", "finish_us", "data_packets", "retransmissions", "trims", "drops", "ecn_marks", "rto",
    "acks", "nacks", "duplicates", "drops_injected", "duplicated_injected", "reordered_injected", "base_rtt_us",
    "sim_us",
)  # fmt: skip


def _payload_bytes(settings: TestbedSettings) -> int:
    """Return the payload of a full packet."""
    simulation = settings.simulation
    network = [p.key for p in NETWORK_PARAMETERS]
    return int(chosen(simulation.profile, simulation.overrides, network)["mtu.payload_bytes"])


def _check(fabric: Fabric, schedule: Schedule, settings: TestbedSettings) -> None:
    """Raise BadInput for what cannot be run on a testbed."""
    wrong = []
    if settings.links == "veth" and fabric.n_hosts > MOST_HOSTS:
        wrong.append(f"{fabric.spec} has {fabric.n_hosts} hosts; a testbed with veth pairs takes {MOST_HOSTS} at most")
    if fabric.n_hosts > MAX_HOSTS:
        wrong.append(f"{fabric.spec} has more hosts than the testbed has addresses")
    if settings.ip_version not in (4, 6):
        wrong.append(f"IP version {settings.ip_version} does not exist; choose 4 or 6")
    payload = _payload_bytes(settings)
    if payload + FRAME_HEADROOM_BYTES > LARGEST_FRAME_BYTES:
        wrong.append(f"mtu.payload_bytes={payload} does not fit the frames of a veth pair; choose 1024 to 8192")
    if settings.dilation is not None and settings.dilation <= 0:
        wrong.append(f"a dilation of {settings.dilation:g} is none; choose 1 or more")
    if schedule.data_bytes == 0:
        wrong.append(f"{schedule.name} moves no data of its own (it is a trace of sizes); use 'uet simulate'")
    if wrong:
        raise BadInput(*wrong)


def run_testbed(
    fabric: Fabric,
    schedule: Schedule,
    settings: TestbedSettings,
    progress: Callable[[Testbed], None] | None = None,
) -> tuple[dict[str, Any], UetError | None]:
    """Build a testbed, run `schedule` on it, take it down, and return its report and problem.

    Raises BadInput and Unavailable before anything has been sent.
    """
    with Testbed(fabric, schedule, settings) as bed:
        started = time.perf_counter()
        problem = bed.run(progress)
        return bed.report(problem, time.perf_counter() - started), problem


def compare_captures(ours: Path, theirs: Path) -> int:
    """Return how many bytes of two capture files differ, the difference of their lengths included."""
    a, b = np.fromfile(ours, np.uint8), np.fromfile(theirs, np.uint8)
    common = min(len(a), len(b))
    return int((a[:common] != b[:common]).sum()) + abs(len(a) - len(b))
