"""A spinner for a terminal: shows what runs and for how long, after the first two seconds."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

DELAY_S = 2.0


class Spinner:
    """Context manager that draws on stderr while its block runs, starting after `DELAY_S`."""

    def __init__(self) -> None:
        """Prepare; nothing is drawn yet."""
        self._bar = Progress(
            SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(),
            console=Console(stderr=True), transient=True,
        )  # fmt: skip
        self._task = self._bar.add_task("working", total=None)
        self._timer = threading.Timer(DELAY_S, self._bar.start)
        self._timer.daemon = True

    def say(self, message: str) -> None:
        """Show what is being done now."""
        self._bar.update(self._task, description=message)

    def __enter__(self) -> Callable[[str], None]:
        self._timer.start()
        return self.say

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._timer.cancel()
        self._timer.join()
        self._bar.stop()
