"""How much two jobs on disjoint halves of a full tree slow each other down, by load balancer and placement.

Each half of the hosts of a two-level tree runs the same collective, in packed halves or on every second
host; the slowdown is the time beside the other job over the time alone, the mean of both jobs over the
seeds, since ECMP draws other paths with every seed. The largest stands beside it. Usage:

    python benchmarks/jobs.py [--seeds 5] [--hosts 64] [--size 4MiB] [--entropies 64]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

WORKS = ("allreduce:algorithm=ring,", "alltoall:", "permutation:")
PLACEMENTS = ("packed", "round-robin")
BALANCERS = ("reps", "oblivious", "ecmp")


def slowdowns(file: Path, fabric: str, balancer: str, entropies: int, seeds: int) -> list[float]:
    """Return the slowdown of every job and seed."""
    import uet

    found = []
    for seed in range(1, seeds + 1):
        run = uet.simulate(file, fabric, lb=balancer, cc="nscc", seed=seed, settings={"lb.entropies": entropies})
        found += [job["slowdown"] for job in run.summary["jobs"]]
    return found


def main() -> None:
    """Measure every work, placement and balancer."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--hosts", type=int, default=64)
    parser.add_argument("--size", default="4MiB")
    parser.add_argument("--entropies", type=int, default=64)
    arguments = parser.parse_args()
    fabric = f"fat-tree:hosts={arguments.hosts},radix=16,levels=2"
    print(
        f"two jobs of {arguments.hosts // 2} ranks on {fabric}, NSCC, {arguments.seeds} seeds: mean (largest) slowdown"
    )
    print(f"{'work':26} {'placement':12}" + "".join(f"{name:>18}" for name in BALANCERS))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "jobs.yaml"
        for work in WORKS:
            for placement in PLACEMENTS:
                job = f"{{work: '{work}size={arguments.size}', ranks: {arguments.hosts // 2}}}"
                file.write_text(f"placement: {placement}\njobs: [{job}, {job}]\n")
                cells = [
                    slowdowns(file, fabric, balancer, arguments.entropies, arguments.seeds) for balancer in BALANCERS
                ]
                text = "".join(f"{statistics.mean(c):10.3f} ({max(c):5.2f})" for c in cells)
                print(f"{work[:-1]:26} {placement:12}{text}", flush=True)


if __name__ == "__main__":
    main()
