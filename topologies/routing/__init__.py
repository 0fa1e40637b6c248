"""Routing kernels, one rule per file; families name them in their `Routes`."""
