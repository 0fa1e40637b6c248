"""Models by their sizes: parameters, floating-point operations and bytes of activations, one kind per file."""
