"""Congestion controllers, one per file."""
