"""The lowest layer: units, errors, spec grammar, tables, kernels, randomness, run folders."""
