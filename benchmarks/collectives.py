"""Fraction of its bandwidth bound that a long allreduce reaches, packet by packet.

The bound is that of reduction in the hosts: 2 (n - 1)/n D bytes over a host's ports, or with islands the
slower of 2 (m - 1)/m D/g over its NIC and 2 (g - 1)/g D over its island link. Headers count against the
fraction: with payloads of 4,096 bytes no run can exceed 0.970.

    python -m benchmarks.collectives
"""

from __future__ import annotations

import uet

MIB = 2**20
GBPS, ISLAND_GBPS = 400, 7200


def mesh_us(n: int, size: int) -> float:
    return 2 * (n - 1) / n * size * 8 / (4 * GBPS * 1000)


def islands_us(islands: int, members: int, size: int) -> float:
    outside = 2 * (islands - 1) / islands * size / members * 8 / (GBPS * 1000)
    return max(outside, 2 * (members - 1) / members * size * 8 / (ISLAND_GBPS * 1000))


def cases() -> list[tuple[str, str, float]]:
    size = 64 * MIB
    mesh = "hammingmesh:board=2x2,grid=4x4"
    found = [(f"allreduce:algorithm={a},size=64MiB,grid=8x8", mesh, mesh_us(64, size)) for a in ("dual-rings", "torus")]
    for network in ("rail:radix=16", "rail-only:radix=16", "fat-tree:radix=32", "fat-tree:radix=16"):
        spec = f"nvlink-islands:islands=4,size=8,island_gbps={ISLAND_GBPS},scale_out=({network})"
        found.append(("allreduce:algorithm=hierarchical,size=64MiB,island=8", spec, islands_us(4, 8, size)))
    return found


def main() -> None:
    print(f"{'constant':>9} {'nscc+reps':>9}  work and fabric")
    for work, spec, bound_us in cases():
        runs = [uet.simulate(work, spec), uet.simulate(work, spec, cc="nscc", lb="reps")]
        reached = [bound_us / run.summary["sim_us"] for run in runs]
        print(f"{reached[0]:9.3f} {reached[1]:9.3f}  {work} on {spec}", flush=True)


if __name__ == "__main__":
    main()
