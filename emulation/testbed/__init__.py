"""The testbed: the packet simulator's switches in real time, with real frames between namespaces at its edge."""
