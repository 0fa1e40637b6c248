"""Optimization and bounds: what is the cheapest fabric, how much bandwidth does it give."""
