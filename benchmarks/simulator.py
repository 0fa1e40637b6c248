"""CPU seconds of the packet simulator, beside those of uet-htsim where UET_HTSIM_BIN names its binary.

Both run the same flows on the same three-tier tree of 400 Gb/s links, with oblivious spraying and a
constant window where the case does not say otherwise, in turn, so that a noisy machine disturbs both
alike. Ours is the loop and its set-up
(interpreter start and compilation stand beside it); the rival's is its whole process. Usage:

    UET_HTSIM_BIN=/path/to/htsim_uec python benchmarks/simulator.py [--runs 7] [--case NAME]
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

PACKET_BYTES = 4150  # the reference's default: 4,086 bytes of payload and 64 of header


@dataclass(frozen=True)
class Case:
    """One workload on a tree of hosts = radix^3 / 4, with a window in packets (0: 1.5 BDP)."""

    name: str
    hosts: int
    radix: int
    work: str
    window_packets: int = 0
    controller: str = "constant"
    balancer: str = "oblivious"


CASES = (
    Case("permutation-128", 128, 8, "permutation:size=8MB"),
    Case("permutation-1024", 1024, 16, "permutation:size=2MB"),
    Case("permutation-1024-nscc", 1024, 16, "permutation:size=2MB", controller="nscc", balancer="mixed"),
    Case("incast-64", 128, 8, "incast:fan_in=64,size=1MB", 8),
    Case("incast-64-deep", 128, 8, "incast:fan_in=64,size=1MB", 30),
)


def topo_text(case: Case) -> str:
    """Return the case's tree in the reference's topology format."""
    half = case.radix // 2
    head = f"Nodes {case.hosts}\nTiers 3\nPodsize {half * half}\n"
    link = "Downlink_speed_Gbps 400\nDownlink_Latency_ns 1000\nSwitch_Latency_ns 0\n"
    lower = f"{link}Radix_Down {half}\nRadix_Up {half}\n"
    return f"{head}\nTier 0\n{lower}\nTier 1\n{lower}Bundle 1\n\nTier 2\n{link}Radix_Down {case.radix}\nBundle 1\n"


def cm_text(case: Case, flows: list[tuple[int, int, int]]) -> str:
    """Return flows (source, target, bytes) in the reference's connection format."""
    lines = [f"{a}->{b} id {k} start 0 size {n}" for k, (a, b, n) in enumerate(flows, 1)]
    return "\n".join([f"Nodes {case.hosts}", f"Connections {len(flows)}", *lines]) + "\n"


def rival_cpu_s(binary: str, case: Case, folder: Path, seed: int) -> float:
    """Run the rival once and return its CPU seconds."""
    command = [
        binary, "-tm", str(folder / "case.cm"), "-topo", str(folder / "case.topo"), "-linkspeed", "400000",
        "-end", "100000", "-seed", str(seed), "-load_balancing_algo", case.balancer, "-sender_cc_algo", case.controller,
        "-o", str(folder / "log"),
    ]  # fmt: skip
    if case.window_packets:
        command += ["-cwnd", str(case.window_packets)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=folder)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(case: Case, runs: int, binary: str | None) -> None:
    """Print medians over `runs` interleaved runs of a case."""
    from emulation.packet.simulate import SimulationSettings, simulate
    from topologies.registry import build
    from uet.schedule.works import build_work

    fabric = build(f"fat-tree:hosts={case.hosts},radix={case.radix},levels=3,latency_ns=1000")
    schedule = build_work(case.work, fabric.n_hosts)
    overrides = {"cc.window_bytes": case.window_packets * PACKET_BYTES} if case.window_packets else {}

    def ours(seed: int) -> tuple[float, dict[str, object]]:
        options = SimulationSettings(
            profile="htsim", controller=case.controller, balancer=case.balancer, seed=seed, overrides=overrides
        )
        started = time.process_time()
        totals = simulate(fabric, schedule, options).totals
        return time.process_time() - started, totals

    compile_s, totals = ours(1)
    mine, theirs = [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "case.topo").write_text(topo_text(case))
        sends = schedule.operations[schedule.operations["kind"] == 0]
        flows = list(zip(sends["rank"].tolist(), sends["peer"].tolist(), sends["bytes"].tolist(), strict=True))
        (folder / "case.cm").write_text(cm_text(case, flows))
        for seed in range(1, runs + 1):
            if binary:
                theirs.append(rival_cpu_s(binary, case, folder, seed))
            cpu_s, totals = ours(seed)
            mine.append(cpu_s)
    median = statistics.median(mine)
    text = f"{case.name:18} {median:8.3f} CPU s  {1e9 * median / int(str(totals['events'])):6.1f} ns/event"
    text += f"  {totals['events']:>10} events  first run {compile_s:.1f} s"
    if theirs:
        rival = statistics.median(theirs)
        ratios = sorted(b / a for a, b in zip(mine, theirs, strict=True))
        text += f"  uet-htsim {rival:8.3f} CPU s  ratio {statistics.median(ratios):5.1f}x"
        text += f" ({ratios[0]:.1f} to {ratios[-1]:.1f})"
    print(text, flush=True)


def main() -> None:
    """Measure all cases, or the one named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--case", choices=[c.name for c in CASES])
    arguments = parser.parse_args()
    print(f"interpreter start and imports: {time.process_time():.2f} CPU s; medians of {arguments.runs} runs")
    for case in CASES:
        if arguments.case in (None, case.name):
            measure(case, arguments.runs, os.environ.get("UET_HTSIM_BIN"))


if __name__ == "__main__":
    main()
