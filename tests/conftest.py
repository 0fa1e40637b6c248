"""Settings of all tests: hypothesis times nothing, since a first call may compile a kernel for seconds; Ctrl-C is
heard even where the shell had it ignored, as shells do for jobs in the background."""

from __future__ import annotations

import signal

from hypothesis import settings

settings.register_profile("house", deadline=None, print_blob=True)
settings.load_profile("house")
signal.signal(signal.SIGINT, signal.default_int_handler)
