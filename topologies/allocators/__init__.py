"""Allocators: which accelerators a job gets, by the structure of the fabric."""
