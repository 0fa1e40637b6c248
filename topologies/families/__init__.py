"""Fabric families, one per file: build, counts, routes."""
