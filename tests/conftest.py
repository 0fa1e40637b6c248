"""Settings of all tests: hypothesis times nothing, since a first call may compile a kernel for seconds."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("house", deadline=None, print_blob=True)
settings.load_profile("house")
