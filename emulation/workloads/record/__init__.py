"""Recording what a PyTorch program communicates."""
