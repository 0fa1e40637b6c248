"""Workloads with compressed communication."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from uet.api.fabrics import SpecLike
from uet.base.errors import BadInput


@dataclass(frozen=True)
class Transformed:
    """A workload before and after: bytes and messages in all, and bytes of the rank that sends most.

    `algorithm` is that of an allreduce that was replaced, `messages` where the messages of the workload itself
    shrank; `formula` says how many bytes it sends, `factor` = bytes_before / bytes_after.
    """

    name: str
    ranks: int
    algorithm: str
    formula: str
    bytes_before: int
    bytes_after: int
    factor: float
    max_sent_before: int
    max_sent_after: int
    messages_before: int
    messages_after: int
    file: str | None

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain data."""
        return asdict(self)


def transform_workload(
    work: SpecLike,
    *,
    ranks: int | None = None,
    topk: float | None = None,
    quantize: int | None = None,
    bucket: int = 1024,
    prune: float = 0.0,
    algorithm: str | None = None,
    word_bytes: int = 4,
    least_bytes: int = 1,
    out: str | Path | None = None,
    seed: int = 1,
    force: bool = False,
) -> Transformed:
    """Compress the communication of `work`, say what that saves, and write the result as GOAL where `out` is given.

    An allreduce is replaced by one of sparse vectors (`topk`: the share of elements, `algorithm`: ok-topk [default],
    allgather, sparcml-split, sparcml-doubling), of `quantize` bits with a scale per `bucket`, or both. In any
    other workload, such as a .goal file, the messages of at least `least_bytes` shrink; `prune` takes so large a share
    of the values away beforehand. Values have `word_bytes`. Raises BadInput for shares and widths that are none.
    """
    from emulation.workloads.transforms.coding import Coding
    from emulation.workloads.transforms.library import compressed_allreduce
    from emulation.workloads.transforms.messages import SHRINK_FORMULA, Shrink, shrink, up
    from uet.api.fabrics import checked_target
    from uet.api.schedules import GOAL_SUFFIXES, read_work
    from uet.schedule.cost import volumes
    from uet.schedule.goal import write_goal

    if topk is None and quantize is None and not prune:
        raise BadInput("nothing is asked for; say topk, quantize or prune")
    path = None if out is None else checked_target(out, GOAL_SUFFIXES, force)
    before = read_work(work, ranks, seed)
    how = Shrink(word_bytes, Coding(word_bytes, quantize, bucket), 1.0 if topk is None else topk, prune, least_bytes)
    if before.result == "allreduce":
        n = up((1 - prune) * -(-before.data_bytes // word_bytes))
        if topk is None and quantize is None:
            after, name, formula = shrink(before, how), "messages", SHRINK_FORMULA
        else:
            after, name, formula = compressed_allreduce(before.n_ranks, n, how.coding, topk, algorithm)
    elif algorithm is not None:
        raise BadInput(f"algorithm '{algorithm}' replaces an allreduce, {before.name} is none; leave it out")
    else:
        after, name, formula = shrink(before, how), "messages", SHRINK_FORMULA
    old, new = volumes(before), volumes(after)
    if path is not None:
        write_goal(after, path)
    return Transformed(
        name=before.name,
        ranks=before.n_ranks,
        algorithm=name,
        formula=formula,
        bytes_before=old.total_bytes,
        bytes_after=new.total_bytes,
        factor=old.total_bytes / max(new.total_bytes, 1),
        max_sent_before=int(old.bytes_sent.max(initial=0)),
        max_sent_after=int(new.bytes_sent.max(initial=0)),
        messages_before=old.total_messages,
        messages_after=new.total_messages,
        file=None if path is None else str(path),
    )
