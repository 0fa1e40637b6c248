"""The packet-level simulator: a carrier of the transport engine in simulated time."""
