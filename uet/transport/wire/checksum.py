"""Checksums in plain Python: CRC-32C (Castagnoli) and the Internet checksum (RFC 1071).

The jitted CRC-32C stands in `crc32c`; both use the table made here.
"""

from __future__ import annotations

CRC32C_POLYNOMIAL = 0x82F63B78
"""Castagnoli polynomial, bits reflected (RFC 3720 appendix B.4)."""


def crc32c_table() -> list[int]:
    """Return the 256 remainders of one byte."""
    table = []
    for byte in range(256):
        remainder = byte
        for _ in range(8):
            remainder = (remainder >> 1) ^ (CRC32C_POLYNOMIAL if remainder & 1 else 0)
        table.append(remainder)
    return table


_TABLE = crc32c_table()


def crc32c(data: bytes) -> int:
    """Return the CRC-32C of `data`; of b"123456789" it is 0xE3069283 (RFC 3720)."""
    remainder = 0xFFFFFFFF
    for byte in data:
        remainder = (remainder >> 8) ^ _TABLE[(remainder ^ byte) & 0xFF]
    return remainder ^ 0xFFFFFFFF


def internet_checksum(data: bytes) -> int:
    """Return the 16-bit one's complement checksum of `data`; over data that contains it, 0."""
    padded = data + bytes(len(data) % 2)
    total = sum(int.from_bytes(padded[i : i + 2], "big") for i in range(0, len(padded), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF
