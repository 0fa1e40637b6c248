"""AICB text workloads (SimAI, and ASTRA-sim 1.0 before it): layers of one rank with their communication.

The first line names the policy and the degrees of parallelism, the second counts the layers, then each layer is
a line of twelve columns: name, a number, forward computation, its collective and bytes, the same for the
gradient of the input and of the weights, update time. Times are in ns. All forward parts run in the order of
the lines, then backward ones in the opposite order. Bytes are those of the whole vector, so the input of a
reduce-scatter and the output of an allgather.
"""

from __future__ import annotations

from dataclasses import dataclass

from emulation.workloads.imports.names import bytes_in_of, bytes_out_of, kind_of
from emulation.workloads.imports.trace import CALC, LONGEST_US, MOST_RANKS, Call, Group, RankTrace, whole
from uet.base.errors import BadInput, nearest

POLICIES = (
    "HYBRID_TRANSFORMER_FWD_IN_BCKWD", "HYBRID_TRANSFORMER", "HYBRID_DATA_MODEL", "HYBRID_MODEL_DATA", "HYBRID_DLRM",
    "HYBRID_CUSTOMIZED", "DATA", "MODEL", "DISTRIBUTED_INFERENCE", "MICRO",
)  # fmt: skip

_COLUMNS = 12
_PARTS = (("forward", 2, "tp"), ("input gradient", 5, "tp"), ("weight gradient", 8, "dp"))
"""Parts of a layer, the column of each one's computation, and the group that its collective is in by default."""


@dataclass(frozen=True)
class Degrees:
    """Degrees of parallelism of an AICB job, None where the header does not tell."""

    tp: int | None
    ep: int
    pp: int
    ranks: int | None

    @property
    def dp(self) -> int | None:
        """Ranks that hold the same part of the model."""
        return None if self.ranks is None or self.tp is None else self.ranks // (self.tp * self.pp)

    def group(self, name: str) -> Group:
        """Return the group `tp`, `dp`, `ep` or `dp_ep` of rank 0; neighbours are in one tp group."""
        tp, dp = self.tp, self.dp
        if name == "tp":
            return Group(tp, None if tp is None else tuple(range(tp)), name)
        size, step = {"dp": (dp, tp), "ep": (self.ep, tp), "dp_ep": (None if dp is None else dp // self.ep, tp)}[name]
        if name == "dp_ep" and tp is not None:
            step = tp * self.ep
        if size is None or step is None:
            return Group(size, None, name)
        return Group(size, tuple(range(0, size * step, step)), name)


def is_aicb(text: str) -> bool:
    """Tell whether a text starts like an AICB workload."""
    words = text.split(maxsplit=1)
    return bool(words) and words[0] in POLICIES


def read_aicb(text: str, source: str) -> RankTrace:
    """Return the calls of one rank, which stands for all. Raises BadInput naming `source` and line."""
    lines = text.splitlines()
    header = lines[0].split() if lines else []
    if not header or header[0] not in POLICIES:
        raise BadInput(f"{source}:1: starts with no known policy; {nearest(header[0] if header else '', POLICIES)}")
    trace = RankTrace(0, source)
    degrees = _degrees(header[1:], f"{source}:1", trace)
    rows = [(k, line.split()) for k, line in enumerate(lines[1:], start=2) if line.strip()]
    if not rows or len(rows[0][1]) != 1:
        raise BadInput(f"{source}:2: the number of layers is missing; the file may be cut short")
    wanted = whole(rows[0][1][0], f"{source}:2: the number of layers", 10**7)
    if len(rows) - 1 != wanted:
        raise BadInput(f"{source}:2: says {wanted} layers but {len(rows) - 1} follow; the file may be cut short")
    layers = [_Layer(words, f"{source}:{line}", degrees, trace) for line, words in rows[1:]]
    trace.world_size = degrees.ranks or degrees.tp
    for layer in layers:
        trace.calls += layer.calls(_PARTS[:1])
    for layer in reversed(layers):
        trace.calls += layer.calls(_PARTS[1:])
    return trace


def _degrees(words: list[str], where: str, trace: RankTrace) -> Degrees:
    """Read `key: value` pairs of the header."""
    found: dict[str, int | None] = {}
    for key, value in zip(words[::2], words[1::2], strict=False):
        name = key.rstrip(":")
        if not key.endswith(":"):
            raise BadInput(f"{where}: '{key}' is not 'key:'; write pairs such as 'ep: 1'")
        if name in ("model_parallel_NPU_group", "ep", "pp", "all_gpus"):
            found[name] = whole(value, f"{where}: {name}", MOST_RANKS)
            if not found[name]:
                raise BadInput(f"{where}: {name} is 0; it must be at least 1")
        elif name == "pp_comm" and value != "0":
            trace.skip(name, "transfers between pipeline stages stand in the header only")
    tp, pp, ranks = (found.get(k) for k in ("model_parallel_NPU_group", "pp", "all_gpus"))
    if ranks and ranks % ((tp or 1) * (pp or 1)):
        raise BadInput(f"{where}: {ranks} ranks are no multiple of {tp or 1} x {pp or 1} for tensor and pipeline")
    return Degrees(tp, found.get("ep") or 1, pp or 1, ranks)


class _Layer:
    """One line: three computations, each perhaps with a collective after it."""

    def __init__(self, words: list[str], where: str, degrees: Degrees, trace: RankTrace) -> None:
        if len(words) != _COLUMNS:
            raise BadInput(f"{where}: has {len(words)} columns; a layer has {_COLUMNS}")
        self.words, self.where, self.degrees, self.trace = words, where, degrees, trace

    def calls(self, parts: tuple[tuple[str, int, str], ...]) -> list[Call]:
        found = []
        for part, column, group in parts:
            where = f"{self.where}: {part}"
            ns = whole(self.words[column], f"{where} computation", int(LONGEST_US * 1000))
            found.append(Call(CALC, duration_us=ns / 1000))
            word, n_bytes = self.words[column + 1], whole(self.words[column + 2], f"{where} bytes")
            call = self._collective(word, n_bytes, group, where)
            if call is not None:
                found.append(call)
        return found

    def _collective(self, word: str, n_bytes: int, default: str, where: str) -> Call | None:
        if word == "NONE":
            return None
        kind = kind_of(word)
        if kind is None:
            raise BadInput(f"{where}: '{word}' is no collective; legal: NONE, ALLREDUCE, ALLGATHER, REDUCESCATTER, ...")
        name = "dp" if self.words[0].startswith("grad_") else default
        for suffix in ("_DP_EP", "_EP", "_DP"):
            if word.endswith(suffix):
                name = suffix[1:].lower()
                break
        group = self.degrees.group(name)
        if kind == "allgather":
            return Call(kind, bytes_in_of(kind, n_bytes, group.size), n_bytes, group)
        return Call(kind, n_bytes, bytes_out_of(kind, n_bytes, group.size), group)
