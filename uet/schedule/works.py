"""WORK strings: `permutation:size=2MiB`, `allreduce:algorithm=ring,size=1MiB` and so on become schedules.

`size` is the bytes of one rank's full vector (allgather: of the output), or of one message.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from pydantic import Field, field_validator

from uet.base.errors import BadInput, nearest
from uet.base.spec import Spec, check, parse_spec
from uet.base.values import Dims, SizeBytes, StrictModel, TimePs
from uet.schedule import arrivals, patterns
from uet.schedule.collectives.library import ALGORITHMS, ROOTED, collective
from uet.schedule.model import Schedule
from uet.schedule.sizes import sizes_of

OPTIONS = ("grid", "first_steps", "island", "chunks", "channels", "protocol", "aggregate", "ways", "radix")
"""Keys that only some algorithms take."""

DTYPES = ("uint8", "int32", "int64", "float16", "float32", "float64")

Size = Annotated[SizeBytes, Field(gt=0)]
Time = Annotated[TimePs, Field(gt=0)]


class _Work(StrictModel):
    """Keys of every work: how many of the ranks at hand take part (the first ones), all by default."""

    ranks: int | None = Field(default=None, ge=1)


class Permutation(_Work):
    """Every rank sends one message of `size` and receives one."""

    size: Size


class Incast(_Work):
    """`fan_in` ranks send one message of `size` each to `target`."""

    fan_in: int = Field(ge=1)
    size: Size
    target: int = 0


class SendRecv(_Work):
    """One message of `size` from `src` to `dst`."""

    src: int
    dst: int
    size: Size


class Poisson(_Work):
    """Every rank sends messages to random others that begin at random times within `time`.

    On average it sends `load` of `gbps`. `sizes` are fixed, uniform, exponential, pareto (of `shape`), with
    mean `size`, or a file of a cumulative distribution.
    """

    load: float = Field(gt=0)
    time: Time
    sizes: str = "fixed"
    size: Size | None = None
    shape: float = 1.5
    gbps: float = Field(default=400, gt=0)


class Rpc(_Work):
    """Every rank calls random others, on average every `interval` within `time`: a request, then its response."""

    interval: Time
    time: Time
    request: Size = 256
    response: Size = 4096


class Collective(_Work):
    """A collective; without `dtype` elements are float32 where the size allows it, else bytes.

    Some algorithms take more: `grid` (columns x rows of ranks), `island` (ranks per island), `chunks` (that
    follow each other), `first_steps` (only so many steps), NCCL's `channels` and `protocol`, `aggregate` (most
    blocks of a message), `ways` (messages per step) and `radix` (children of a switch).
    """

    algorithm: str | None = None
    size: Size = 1
    dtype: str | None = None
    grid: Dims | None = None
    first_steps: int | None = Field(default=None, ge=1)
    island: int | None = Field(default=None, ge=1)
    chunks: int | None = Field(default=None, ge=1)
    channels: int | None = None
    protocol: str | None = None
    aggregate: int | None = None
    ways: int | None = None
    radix: int | None = None

    @field_validator("dtype")
    @classmethod
    def _known_dtype(cls, value: str | None) -> str | None:
        if value is not None and value not in DTYPES:
            raise ValueError(f"unknown dtype; {nearest(value, DTYPES)}")
        return value


class RootedCollective(Collective):
    """A collective with a root rank."""

    root: int = Field(default=0, ge=0)


def build_work(text: str, n_ranks: int, seed: int = 1) -> Schedule:
    """Return the schedule that a WORK string describes, for at most `n_ranks` ranks.

    Raises BadInput for unknown works, keys and algorithms, and for values that do not fit.
    """
    return build_spec(parse_spec(text), n_ranks, seed)


def build_spec(spec: Spec, n_ranks: int, seed: int = 1) -> Schedule:
    """Return the schedule of a parsed WORK; see `build_work`."""
    if spec.family in _PATTERNS:
        model, build = _PATTERNS[spec.family]
        work = check(model, spec.arguments, spec.family)
        return build(work, ranks_of(work, spec, n_ranks), seed)
    if spec.family not in ALGORITHMS:
        raise BadInput(f"unknown work '{spec.family}'; {nearest(spec.family, [*_PATTERNS, *ALGORITHMS])}")
    arguments = _collective(spec)
    if "size" not in spec.arguments and spec.family != "barrier":
        raise BadInput(f"{spec.family}: key 'size' is missing; give the bytes of one rank's full vector")
    root = arguments.root if isinstance(arguments, RootedCollective) else 0
    n = ranks_of(arguments, spec, n_ranks)
    options = {k: v for k in OPTIONS if (v := getattr(arguments, k)) is not None}
    return collective(spec.family, arguments.algorithm, n, arguments.size, dtype_of(arguments), root, options)


@dataclass(frozen=True)
class Asked:
    """What a collective has to achieve, whatever its algorithm, and whether switches add up."""

    collective: str
    ranks: int
    size_bytes: int
    root: int
    in_switches: bool


def asked_of(spec: Spec, n_ranks: int) -> Asked | None:
    """Return what a parsed WORK for at most `n_ranks` ranks asks for; None if no collective, or a part of one."""
    if spec.family not in ALGORITHMS:
        return None
    work = _collective(spec)
    if work.first_steps is not None:
        return None
    root = work.root if isinstance(work, RootedCollective) else 0
    return Asked(spec.family, ranks_of(work, spec, n_ranks), work.size, root, work.algorithm == "in-network")


def _collective(spec: Spec) -> Collective:
    return check(RootedCollective if spec.family in ROOTED else Collective, spec.arguments, spec.family)


def dtype_of(work: Collective) -> str:
    """Return the elements of a collective: those named, or float32 where the size allows it, else bytes."""
    return work.dtype or ("uint8" if work.size % np.dtype(np.float32).itemsize else "float32")


def ranks_of(work: _Work, spec: Spec, available: int) -> int:
    """Return how many ranks take part. Raises BadInput if there are not so many."""
    if work.ranks is not None and work.ranks > available:
        raise BadInput(f"{spec.family}: ranks={work.ranks} but there are only {available}")
    return work.ranks or available


_PATTERNS: dict[str, tuple[type[_Work], Callable[[Any, int, int], Schedule]]] = {
    "permutation": (Permutation, lambda work, n, seed: patterns.permutation(n, work.size, seed)),
    "incast": (Incast, lambda work, n, seed: patterns.incast(n, work.fan_in, work.size, work.target, seed)),
    "poisson": (
        Poisson,
        lambda work, n, seed: arrivals.poisson(
            n, work.load, work.gbps, sizes_of(work.sizes, work.size, work.shape), work.time, seed
        ),
    ),
    "rpc": (
        Rpc,
        lambda work, n, seed: arrivals.rpc(n, work.request, work.response, work.interval, work.time, seed),
    ),
    "sendrecv": (SendRecv, lambda work, n, seed: patterns.sendrecv(n, work.src, work.dst, work.size)),
}
