"""Workloads: models, parallel plans and imported files, all becoming schedules."""
