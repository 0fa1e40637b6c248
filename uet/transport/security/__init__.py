"""Transport security (TSS): AES-GCM-256 around UET, at a carrier's byte boundary; keys and counters in, bytes out."""
