"""The flow level backend: messages as fluids that share the links max-min fairly."""
