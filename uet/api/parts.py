"""Parts of one's own: a file with a working congestion controller or load balancer to start from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from uet.base.errors import BadInput

KINDS = {"cc": "controller", "lb": "balancer"}


@dataclass(frozen=True)
class NewPart:
    """A template that was written, and the option that uses it."""

    kind: str
    name: str
    path: Path
    option: str


def new(kind: str, name: str, path: str | Path | None = None, force: bool = False) -> NewPart:
    """Write the template of a congestion controller ('cc') or a load balancer ('lb') and say how it is used.

    The file is `path`, else NAME.py in lower case in the current directory. Raises BadInput for another
    kind, a name that is no identifier, and a file that is there already unless `force`.
    """
    from uet.base.errors import nearest
    from uet.transport.templates import new_part

    if kind not in KINDS:
        raise BadInput(f"there is no template for '{kind}'; {nearest(kind, KINDS)}")
    text = new_part(KINDS[kind], name)
    target = Path(path) if path is not None else Path(f"{name.lower()}.py")
    if target.suffix != ".py":
        raise BadInput(f"{target}: a part is a Python file; give it a name that ends in .py")
    if target.exists() and not force:
        raise BadInput(f"{target} is there already; choose another file, or --force to overwrite it")
    if not target.parent.is_dir():
        raise BadInput(f"{target.parent}: no such folder; make it first")
    written = target.with_name(f".{target.name}.tmp")
    written.write_text(text.replace("FILE.py", target.name))
    written.replace(target)
    prefix = "" if target.is_absolute() else "./"
    return NewPart(kind, name, target, f"--{kind} {prefix}{target}:{name}")
