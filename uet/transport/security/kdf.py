"""Key derivation of TSS: NIST SP 800-108 in counter mode, with AES-CMAC as its pseudorandom function."""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC

KEY_BYTES = 32
MASK_BYTES = 12
_BLOCK = 16


def derive(key: bytes, label: bytes, context: bytes, n_bytes: int) -> bytes:
    """Return `n_bytes` derived from `key`: the blocks CMAC(key, i | label | 0 | context | length), i = 1, 2, ...

    i and the length (in bits) have 32 bits, as SP 800-108 section 4.1 leaves to the user to choose.
    """
    fixed = label + b"\0" + context + (8 * n_bytes).to_bytes(4, "big")
    blocks = []
    for i in range(1, -(-n_bytes // _BLOCK) + 1):
        mac = CMAC(AES(key))
        mac.update(i.to_bytes(4, "big") + fixed)
        blocks.append(mac.finalize())
    return b"".join(blocks)[:n_bytes]


def key_and_mask(key: bytes, label: bytes, context: bytes) -> tuple[bytes, bytes]:
    """Return a derived key of 256 bits and a derived mask for initialisation vectors of 96 bits."""
    both = derive(key, label, context, KEY_BYTES + MASK_BYTES)
    return both[:KEY_BYTES], both[KEY_BYTES:]
