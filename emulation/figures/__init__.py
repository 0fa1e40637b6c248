"""Plots, one kind per file: data and axes in, axes out."""
