"""Step times of published training runs: fit the efficiencies to every other run and compare the rest.

python benchmarks/training.py            compare with the constants in uet/workloads/hardware.py
python benchmarks/training.py --fit      find them again (about a minute)
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy.optimize import least_squares

from uet.workloads.hardware import Efficiency
from uet.workloads.published import Run, published_runs

FIELDS = ("matmul", "memory", "island", "network")


def errors(runs: tuple[Run, ...], efficiency: Efficiency) -> np.ndarray:
    """Return the relative errors of the model, positive where it is too slow."""
    return np.array([run.predicted_s(efficiency) / run.seconds - 1 for run in runs])


def fitted(runs: tuple[Run, ...]) -> Efficiency:
    """Return the efficiencies with the least squares of logarithmic errors."""

    def residuals(x: np.ndarray) -> np.ndarray:
        return np.log1p(errors(runs, Efficiency(**dict(zip(FIELDS, x, strict=True)))))

    found = least_squares(residuals, [0.7] * 4, bounds=([0.2] * 4, [1.0] * 4), diff_step=0.02, max_nfev=20)
    return Efficiency(**{name: round(float(v), 3) for name, v in zip(FIELDS, found.x, strict=True)})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fit", action="store_true", help="fit the efficiencies again")
    runs = published_runs()
    train, held_out = runs[::2], runs[1::2]
    efficiency = fitted(train) if parser.parse_args().fit else Efficiency()
    print("efficiencies:", efficiency.model_dump())
    for title, half in (("fitted", train), ("held out", held_out)):
        found = errors(half, efficiency)
        for run, error in zip(half, found, strict=True):
            ours = run.seconds * (1 + error)
            print(f"{title:9} {run.seconds:8.2f} s published {ours:8.2f} s {error:+7.1%}  {run.name}")
        print(f"{title:9} mean error {np.abs(found).mean():.1%}, largest {np.abs(found).max():.1%}\n")


if __name__ == "__main__":
    main()
