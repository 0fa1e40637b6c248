"""What can trail a packet: an end-to-end CRC-32C, or the integrity check value of TSS.

Public sources disagree on coverage and byte order of the CRC, so both readings have a name:
`refprov` covers from the IP source address on and is stored little-endian (uet-ref-prov on x86),
`payload-be` covers the UET bytes alone and is stored big-endian (uet-simulator).
"""

from __future__ import annotations

from uet.transport.wire.checksum import crc32c

CRC_CHOICES = ("none", "refprov", "payload-be", "auto")
CRC_BYTES = 4
ICV_BYTES = 16


def crc_bytes(data: bytes, uet_at: int, addresses_at: int | None, variant: str) -> bytes:
    """Return the four CRC bytes that belong behind `data`, a packet without its trailer."""
    if variant == "refprov":
        return crc32c(data[addresses_at:]).to_bytes(CRC_BYTES, "little")
    return crc32c(data[uet_at:]).to_bytes(CRC_BYTES, "big")


def find_crc(data: bytes, uet_at: int, addresses_at: int | None, choice: str) -> tuple[str, str]:
    """Return (variant, problem) of the CRC that ends `data`; '' for none and for no problem."""
    if choice == "none":
        return "", ""
    if len(data) - uet_at < CRC_BYTES:
        return ("", "") if choice == "auto" else ("", "crc: the packet is too short to end in one")
    body, stored = data[:-CRC_BYTES], data[-CRC_BYTES:]
    if choice != "auto":
        matches = crc_bytes(body, uet_at, addresses_at, choice) == stored
        return choice, "" if matches else f"crc: the packet does not match its CRC-32C ({choice})"
    for variant in ("refprov", "payload-be"):
        if variant == "refprov" and addresses_at is None:
            continue
        if crc_bytes(body, uet_at, addresses_at, variant) == stored:
            return variant, ""
    return "", ""
