"""Load balancers, one per file."""
