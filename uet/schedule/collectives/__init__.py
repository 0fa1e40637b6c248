"""Collective algorithms, one per file; each states its steps and bytes."""
