"""Backends that run a Schedule on a Fabric: message level, packet level, real frames."""
