"""Designs over a range of one key: budgets, sizes, demands; on local processes or a Dask cluster, resumable."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uet.base.errors import BadInput, Unavailable

if TYPE_CHECKING:
    from solvers.design.spec import DesignSpec

Say = Callable[[str], None]
KEPT = ("status", "gap", "design", "conflicts", "solved_exactly", "candidates")


@dataclass(frozen=True)
class Sweep:
    """The points in the order of the values: what `design` tells of each, without rivals; `reused` were there."""

    key: str
    points: tuple[Mapping[str, Any], ...]
    reused: int
    folder: Path

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain data."""
        return {"key": self.key, "points": list(self.points), "reused": self.reused, "folder": str(self.folder)}


def sweep(
    spec: str | Path,
    key: str,
    values: Sequence[str],
    out: str | Path,
    *,
    jobs: int = 1,
    scheduler: str | None = None,
    seed: int = 1,
    say: Say | None = None,
) -> Sweep:
    """Design the specification in a file once for each value of one of its keys.

    Every point becomes a file in the folder `out` as soon as it is done; points that are there already, of
    the same specification and seed, are not computed again. `jobs` local processes work, or the Dask cluster at
    `scheduler` (needs dask.distributed there and here). Raises BadInput for wrong values before any work, and
    Unavailable without Dask.
    """
    from solvers.design.spec import DesignSpec, checked
    from uet.base.spec import check, read_mapping

    plain = read_mapping(spec)
    plans = [
        checked(check(DesignSpec, {**plain, key: value}, f"{spec} with {key}={value}"), f"{spec} with {key}={value}")
        for value in values
    ]
    if not plans:
        raise BadInput(f"there is no value of {key} to sweep over; name some, such as {key}=1e6,2e6")
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"{out}: cannot be written ({error.strerror}); choose another folder") from None
    files = [folder / f"{key}={value}.{_digest(plan, seed)}.json" for value, plan in zip(values, plans, strict=True)]
    left = [k for k, file in enumerate(files) if not file.exists()]
    for done, (k, facts) in enumerate(_solve([plans[k] for k in left], left, seed, jobs, scheduler), 1):
        _write(files[k], {key: values[k], **facts})
        if say:
            say(f"{done} of {len(left)}: {key}={values[k]} {facts['status']}")
    points = tuple(json.loads(file.read_text(encoding="utf-8")) for file in files)
    return Sweep(key, points, len(files) - len(left), folder)


def point(plan: DesignSpec, seed: int) -> dict[str, Any]:
    """Return what is told of one design of a sweep."""
    from solvers.design.design import design
    from solvers.design.facts import document

    facts = document(design(plan, seed, None, False))
    return {name: facts[name] for name in KEPT}


def _digest(plan: DesignSpec, seed: int) -> str:
    return hashlib.sha256(f"{seed} {plan.model_dump_json()}".encode()).hexdigest()[:12]


def _write(file: Path, facts: Mapping[str, Any]) -> None:
    from uet.base.runs import to_json

    temporary = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    temporary.write_text(to_json(facts) + "\n", encoding="utf-8")
    temporary.rename(file)


def _solve(
    plans: Sequence[DesignSpec], numbers: Sequence[int], seed: int, jobs: int, scheduler: str | None
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (number, facts) of every plan as it is done."""
    if scheduler is not None:
        yield from _on_cluster(plans, numbers, seed, scheduler)
    elif jobs == 1 or len(plans) < 2:
        for number, plan in zip(numbers, plans, strict=True):
            yield number, point(plan, seed)
    else:
        from multiprocessing import get_context

        with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
            waiting = {pool.submit(point, plan, seed): n for n, plan in zip(numbers, plans, strict=True)}
            for future in as_completed(waiting):
                yield waiting[future], future.result()


def _on_cluster(
    plans: Sequence[DesignSpec], numbers: Sequence[int], seed: int, scheduler: str
) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        import distributed
    except ImportError:
        raise Unavailable("--scheduler needs the package 'distributed'; pip install distributed") from None
    try:
        client = distributed.Client(scheduler, timeout="10s")
    except (OSError, ValueError) as error:
        raise BadInput(
            f"no Dask scheduler answers at {scheduler} ({error}); start one or leave --scheduler out"
        ) from None
    with client:
        waiting = {client.submit(point, p, seed, pure=False): n for n, p in zip(numbers, plans, strict=True)}
        for future, facts in distributed.as_completed(list(waiting), with_results=True):
            yield waiting[future], facts
