"""Recorded communication of real jobs: traces in, one summary and one schedule out."""
