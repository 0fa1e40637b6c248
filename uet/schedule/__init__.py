"""Schedules: every collective, workload and trace as one graph of operations."""
