"""Training workloads: models, how they are dealt to accelerators, what that moves and computes, and its schedule."""
