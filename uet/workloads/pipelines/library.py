"""Every pipeline schedule by name."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from uet.base.errors import BadInput, nearest
from uet.workloads.pipelines import chimera, dualpipe, gpipe, interleaved, one_forward_one_backward, zero_bubble
from uet.workloads.pipelines.table import Orders, PipelineTable


@dataclass(frozen=True)
class Pipeline:
    """A schedule: `both_ways` ones have two copies of the model on an even number of stages; `split`: see `table`."""

    orders: Orders
    both_ways: bool = False
    split: bool = False


PIPELINES = {
    "gpipe": Pipeline(gpipe.orders),
    "1f1b": Pipeline(one_forward_one_backward.orders),
    "dapple": Pipeline(one_forward_one_backward.orders),
    "interleaved": Pipeline(interleaved.orders),
    "chimera": Pipeline(chimera.orders, both_ways=True),
    "zero-bubble": Pipeline(zero_bubble.orders, split=True),
    "dualpipe": Pipeline(dualpipe.orders, both_ways=True, split=True),
}

_MOST_SLOTS = 4_000_000


@lru_cache(maxsize=64)
def pipeline(name: str, stages: int, microbatches: int, chunks: int = 1) -> PipelineTable:
    """Return the table of a schedule. Raises BadInput for an unknown name and numbers it cannot do."""
    if name not in PIPELINES:
        raise BadInput(f"unknown pipeline schedule '{name}'; {nearest(name, PIPELINES)}")
    kind = PIPELINES[name]
    if stages < 1 or microbatches < 1 or chunks < 1:
        raise BadInput("stages, microbatches and chunks must be at least 1")
    if kind.both_ways and stages % 2:
        raise BadInput(f"schedule {name} needs an even number of stages, not {stages}; nearest: {stages + 1}")
    if chunks > 1 and name != "interleaved":
        raise BadInput(f"schedule {name} has one chunk per stage; choose interleaved for {chunks}")
    if stages * microbatches * chunks * 2 > _MOST_SLOTS:
        raise BadInput(
            f"{stages} stages of {chunks} chunks with {microbatches:,} microbatches make more than {_MOST_SLOTS:,} "
            "slots; ask for fewer microbatches"
        )
    return PipelineTable(name, stages, microbatches, chunks, kind.orders(stages, microbatches, chunks))
