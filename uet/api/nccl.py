"""What NCCL would choose for a collective on a given system."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from uet.base.errors import BadInput
from uet.base.spec import check, read_mapping
from uet.schedule.nccl.choice import Tuning, timings, tune
from uet.schedule.nccl.model import Channels, System
from uet.schedule.nccl.tables import PATHS


def _path(value: Any) -> Any:
    return PATHS.index(value.upper()) if isinstance(value, str) and value.upper() in PATHS else value


class _Described(BaseModel):
    """Part of a system file; keys that are not needed are ignored, so that measured rows can be given as they are."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class GraphFile(_Described):
    """Channels of the ring or tree, and GB/s of each channel on up to two nodes and on more."""

    channels: int = Field(ge=1)
    bw_intra: float = Field(gt=0)
    bw_inter: float = Field(gt=0)
    pattern: int = 4

    def graph(self) -> Channels:
        """Return it for the model."""
        return Channels(self.channels, self.bw_intra, self.bw_inter, self.pattern)


class SystemFile(_Described):
    """A system file. `ranks` are those of `nodes` nodes, or of as many as are asked for if it has no `nodes`."""

    compcap: int = Field(ge=10)
    ranks: int = Field(ge=1)
    nodes: int | None = Field(default=None, ge=1)
    ring: GraphFile
    tree: GraphFile
    net_latency_us: float = Field(ge=0)
    path_inter: Annotated[int, BeforeValidator(_path), Field(ge=0, lt=len(PATHS))]
    cpu: Literal["intel", "amd", "other"]


def nccl_tune(system: str | Path, nodes: int, collective: str, n_bytes: int) -> tuple[Tuning, dict[str, float]]:
    """Return NCCL 2.19's choice for a collective on `nodes` nodes, and the time [us] of each 'Algorithm/Protocol'.

    `system` is a JSON or YAML file with compcap, ranks, ring, tree, net_latency_us, path_inter (a number or
    a name such as PXB) and cpu. Raises BadInput for what is wrong there, and for unknown collectives.
    """
    file = check(SystemFile, read_mapping(system), str(system))
    per_node, rest = divmod(file.ranks, file.nodes or nodes)
    if rest:
        raise BadInput(f"{system}: {file.ranks} ranks do not fill {file.nodes or nodes} nodes evenly; correct 'ranks'")
    described = System(
        file.compcap, nodes, per_node * nodes, file.ring.graph(), file.tree.graph(), file.net_latency_us,
        file.path_inter, file.cpu,
    )  # fmt: skip
    choice = tune(described, collective, n_bytes)
    return choice, {f"{a}/{p}": us for (a, p), us in timings(described, collective, n_bytes).items()}
