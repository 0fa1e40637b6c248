"""Byte formats: bytes to packet record and back."""
