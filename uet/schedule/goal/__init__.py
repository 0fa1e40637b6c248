"""GOAL schedules as text (.goal) and binary (.bin) files.

The format is that of LogGOPSim (Hoefler, Schneider, Lumsdaine 2009, "Group Operation Assembly
Language"; 2010, "LogGOPSim"): per rank a list of send, recv and calc with `requires` (wait for the
end) and `irequires` (wait for the start) between them. Files are read and written in batches of rank
blocks, so that a conversion needs memory for a batch only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from uet.base.errors import BadInput
from uet.schedule.goal.blocks import Blocks, from_schedule, to_schedule
from uet.schedule.model import Schedule


def read_batches(path: str | Path) -> Iterator[Blocks]:
    """Yield the rank blocks of a .goal or .bin file in batches. Raises BadInput naming the place of an error."""
    from uet.schedule.goal import binary, text

    return binary.read(Path(path)) if _is_binary(Path(path)) else text.read(Path(path))


def write_batches(batches: Iterable[Blocks], path: str | Path) -> None:
    """Write rank blocks, as binary if the name ends in .bin and as text otherwise."""
    from uet.schedule.goal import binary, text

    (binary if Path(path).suffix == ".bin" else text).write(batches, Path(path))


def read_goal(path: str | Path) -> Schedule:
    """Return the schedule of a .goal or .bin file; calcs count nanoseconds.

    Raises BadInput for text outside the grammar, corrupt binaries and peers that do not exist.
    """
    return to_schedule(Path(path).name, read_batches(path))


def write_goal(schedule: Schedule, path: str | Path, reduce_ps_per_byte: float = 0.0) -> None:
    """Write a schedule; reduce and copy become calcs of that many picoseconds per byte, in whole ns.

    Raises BadInput for what the format cannot say: dependencies between ranks or on part of a set.
    """
    write_batches([from_schedule(schedule, reduce_ps_per_byte)], path)


def convert(source: str | Path, target: str | Path) -> None:
    """Convert between text and binary without holding the whole schedule in memory.

    Peers are not checked (`uet.schedule.check` does that), so every readable file can be converted.
    """
    write_batches(read_batches(source), target)


def _is_binary(path: Path) -> bool:
    from uet.schedule.goal.binary import COOKIES

    try:
        with path.open("rb") as file:
            known = int.from_bytes(file.read(8), "little") in COOKIES
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror}); check the path") from None
    if path.suffix.lower() == ".bin" and not known:
        raise BadInput(f"{path}: does not begin like a binary GOAL file; name GOAL text .goal")
    return known
