"""Fraction of its bandwidth bound that a long allreduce reaches, packet by packet.

The bound is that by cuts, with reduction in the hosts: 2 (n - 1)/n D bytes over a host's ports, or with
islands the slower of this and of 2 (m - 1)/m D over an island's NICs. Headers count against the fraction:
with payloads of 4,096 bytes no run can exceed 0.970.

    python -m benchmarks.collectives
"""

from __future__ import annotations

import uet

ISLAND_GBPS = 7200


def cases() -> list[tuple[str, str]]:
    mesh = "hammingmesh:board=2x2,grid=4x4"
    found = [(f"allreduce:algorithm={a},size=64MiB,grid=8x8", mesh) for a in ("dual-rings", "torus")]
    for network in ("rail:radix=16", "rail-only:radix=16", "fat-tree:radix=32", "fat-tree:radix=16"):
        spec = f"nvlink-islands:islands=4,size=8,island_gbps={ISLAND_GBPS},scale_out=({network})"
        found.append(("allreduce:algorithm=hierarchical,size=64MiB,island=8", spec))
    return found


def main() -> None:
    print(f"{'constant':>9} {'nscc+reps':>9}  work and fabric")
    for work, spec in cases():
        runs = [uet.simulate(work, spec), uet.simulate(work, spec, cc="nscc", lb="reps")]
        reached = [run.summary["bound"]["fraction"] for run in runs]
        print(f"{reached[0]:9.3f} {reached[1]:9.3f}  {work} on {spec}", flush=True)


if __name__ == "__main__":
    main()
