"""From a demand to the cheapest fabric: the run, its folder, and what is re-checked afterwards."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from solvers.design.certificate import Check
    from solvers.design.design import Answer
    from solvers.design.spec import DesignSpec

Say = Callable[[str], None]


@dataclass(frozen=True)
class Design:
    """A finished design; `facts` is what `as_dict` tells, `answer` holds the candidates."""

    facts: Mapping[str, Any]
    answer: Answer
    folder: Path | None
    wall_s: float

    @property
    def status(self) -> str:
        """optimal, feasible, infeasible, or unknown where time was up before anything was certain."""
        return str(self.facts["status"])

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain data; `points` are what figures show beside the front."""
        return {
            **self.facts, "folder": self.folder and str(self.folder), "runtime_s": self.runtime_s, "wall_s": self.wall_s
        }  # fmt: skip

    @property
    def runtime_s(self) -> dict[str, float]:
        """Seconds of each model: trees sized, graphs searched, the family selected."""
        answer = self.answer
        return {
            "clos": answer.sizing.runtime_s, "free_form": answer.wiring.runtime_s,
            "selection": answer.selection.outcome.runtime_s,
        }  # fmt: skip


def design(
    spec: str | Path | DesignSpec,
    out: str | Path | None = None,
    *,
    time_limit_s: float | None = None,
    seed: int = 1,
    force: bool = False,
    say: Say | None = None,
) -> Design:
    """Return the best fabric that the specification asks for, with a proof, rivals and the Pareto front.

    `spec` is a YAML, JSON or TOML file, or a DesignSpec. With `out` a run folder is left there: summary, figures,
    certificate and report.html. Where nothing fits the status is 'infeasible' and `conflicts` say why.
    Raises BadInput for whatever is wrong in the file before any work.
    """
    from solvers.design.design import design as solve
    from solvers.design.facts import document
    from solvers.design.spec import DesignSpec, checked, read_design
    from uet.base.runs import RunFolder

    began = time.perf_counter()
    plan = checked(spec, "specification") if isinstance(spec, DesignSpec) else read_design(spec)
    if out is None:
        answer = solve(plan, seed, time_limit_s, True, say)
        return Design(document(answer), answer, None, time.perf_counter() - began)
    from uet.api.design_report import write_run

    with RunFolder(out, "design", seed, None, force) as folder:
        answer = solve(plan, seed, time_limit_s, True, say)
        facts = write_run(folder, answer, document(answer), say)
        if facts["interrupted"]:
            folder.end_as("partial", ["interrupted"])
        done = Design(facts, answer, folder.target, time.perf_counter() - began)
        folder.write_json("perf.json", {"wall_s": done.wall_s, "runtime_s": done.runtime_s})
        return done


def verify(folder: str | Path, *, say: Say | None = None) -> list[Check]:
    """Re-check the certificate in the folder of a design or of racks without the optimizer; one Check for each claim.

    Raises BadInput where there is no certificate.
    """
    from solvers.design.certificate import Check
    from solvers.design.certificate import verify as check_all
    from solvers.racks_verify import read_rack_certificate, verify_racks

    racks = read_rack_certificate(folder)
    if racks is not None:
        return [Check(*claim) for claim in verify_racks(racks)]
    return check_all(folder, say)


def plot(kind: str, run: str | Path, file: str | Path | None = None, *, force: bool = False) -> Path:
    """Draw 'pareto', 'breakdown' or 'profile' of the design in the run folder `run` and return the file's path.

    `file` ends in .png, .svg or .pdf; by default <run>-<kind>.png in the current folder. Raises BadInput for a
    folder that holds no such figure's numbers and for a file that exists, unless `force`.
    """
    import json

    from uet.api.design_figures import KINDS, drawn
    from uet.api.fabrics import checked_target
    from uet.base.errors import BadInput, nearest
    from uet.base.runs import read_manifest

    if kind not in KINDS:
        raise BadInput(f"there is no figure '{kind}' of a design; {nearest(kind, KINDS)}")
    if read_manifest(run)["command"] != "design":
        raise BadInput(f"{run}: is not the folder of a design; name one of 'uet design --out'")
    facts = json.loads((Path(run) / "summary.json").read_text(encoding="utf-8"))
    profile = facts.get("profile", [])
    if facts["design"] is None or (kind == "profile" and not profile) or (kind == "pareto" and not facts["points"]):
        raise BadInput(f"{run}: holds no numbers for '{kind}'; the design found nothing to draw there")
    path = checked_target(file or f"{Path(run).name}-{kind}.png", (".png", ".svg", ".pdf"), force)
    with drawn(kind, facts, profile) as (figure, _, _):
        figure.savefig(path, dpi=160)
    return path
