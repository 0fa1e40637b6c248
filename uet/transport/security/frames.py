"""Seal and open whole frames: a TSS header before UET, AES-GCM-256 over it, the tag behind.

Additional data is what stands from the IP source address to the end of the TSS header, and the bytes
after it that the domain leaves in clear. The vector is the sender's SSI, IPv4 address or, over IPv6,
the domain's number, then epoch and counter, exclusive-or the derived mask. TSS replaces the CRC.
A trimmed packet has lost its tag, so it is refused like any other that cannot be verified.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from uet.base.errors import BadInput
from uet.transport.record import PdsType
from uet.transport.security.domain import SecureDomain
from uet.transport.wire.checksum import internet_checksum
from uet.transport.wire.codes import UDP_PORT, EtherType, IpProtocol
from uet.transport.wire.fields import DEFAULT_SETTINGS
from uet.transport.wire.pds import TSS
from uet.transport.wire.plain import decode_header, encode_header
from uet.transport.wire.trailer import ICV_BYTES

_ETH, _TAG, _IP6 = 14, 4, 40


class Verdict(IntEnum):
    """What became of a received frame."""

    OPENED = 0
    NOT_UET = 1  # no whole UET packet over IPv4 or IPv6
    NOT_SECURED = 2  # no TSS header
    SHORT = 3  # no room for header and tag
    OTHER_DOMAIN = 4  # another domain, or no key is installed under its number
    REPLAYED = 5  # received before, or too old to tell
    FORGED = 6  # the tag does not fit


@dataclass(frozen=True)
class _Places:
    """Offsets in a frame: IP header, IP source address, UDP or entropy header, UET, and the end of the IP packet."""

    ip: int
    source: int
    below: int
    uet: int
    end: int

    def source_of(self, frame: bytes) -> bytes:
        """Return the IP source address."""
        return frame[self.source : self.source + self.address_bytes]

    def destination_of(self, frame: bytes) -> bytes:
        """Return the IP destination address."""
        return frame[self.source + self.address_bytes : self.source + 2 * self.address_bytes]

    @property
    def address_bytes(self) -> int:
        """Bytes of an IP address."""
        return 4 if self.source - self.ip == 12 else 16


def _find(frame: bytes) -> _Places | None:
    """Return where things are in a frame that carries UET, None if it does not or is cut."""
    at = _ETH
    while at <= len(frame) and int.from_bytes(frame[at - 2 : at], "big") in (EtherType.VLAN, EtherType.SERVICE_VLAN):
        at += _TAG
    if at > len(frame) or at > _ETH + 2 * _TAG:
        return None
    ethertype, ip = int.from_bytes(frame[at - 2 : at], "big"), frame[at:]
    if ethertype == EtherType.IPV4 and len(ip) >= 20:
        header, total = (ip[0] & 15) * 4, int.from_bytes(ip[2:4], "big")
        protocol, source = ip[9], at + 12
    elif ethertype == EtherType.IPV6 and len(ip) >= _IP6:
        header, total = _IP6, _IP6 + int.from_bytes(ip[4:6], "big")
        protocol, source = ip[6], at + 8
    else:
        return None
    below = at + header
    if header < 20 or total < header or at + total > len(frame):
        return None
    udp = protocol == IpProtocol.UDP
    uet = below + (8 if udp else 4)
    if uet > at + total or (not udp and protocol not in DEFAULT_SETTINGS.native_protocols):
        return None
    if udp and int.from_bytes(frame[below + 2 : below + 4], "big") != UDP_PORT:
        return None
    if udp and int.from_bytes(frame[below + 4 : below + 6], "big") != at + total - below:
        return None
    return _Places(at, source, below, uet, at + total)


def seal(frame: bytes, domain: SecureDomain) -> bytes:
    """Return the secured form of a frame without CRC.

    Raises BadInput for a frame that carries no UET and for IPv6 in mode direct without an SSI, where two sources
    would use the same vector, and NoAnswer when the counter is used up.
    """
    places = _find(frame)
    if places is None:
        raise BadInput("the frame carries no UET packet, so there is nothing to secure; build it without CRC first")
    if domain.mode == "direct" and domain.ssi is None and places.address_bytes == 16:
        raise BadInput("mode direct over IPv6 needs an SSI, or two sources share a vector; set one")
    an, tsc = domain.sending, domain.next_tsc()
    fields = {"sp": int(domain.ssi is not None), "an": an, "sdi": domain.sdi}
    fields |= {"epoch": tsc >> 48, "counter": tsc & (1 << 48) - 1}
    if domain.ssi is not None:
        fields["ssi"] = domain.ssi
    header = encode_header(TSS, fields)
    body = frame[places.uet : places.end]
    head = _with_length(frame[: places.uet], places, len(header) + len(body) + ICV_BYTES)
    clear = min(domain.clear_bytes, len(body))
    source, prefix = _identity(head, places, fields)
    client = domain.client if domain.client is not None else places.destination_of(head)
    key, mask = domain.key_for(an, tsc, source, client)
    front = head + header + body[:clear]
    sealed = AESGCM(key).encrypt(_vector(prefix, tsc, mask), body[clear:], front[places.source :])
    return front + sealed


def open_frame(frame: bytes, domain: SecureDomain) -> tuple[bytes, Verdict]:
    """Return the frame that was sealed, without TSS header and tag, and OPENED; or b"" and why it is refused.

    Nothing of the domain changes unless the tag is right.
    """
    places = _find(frame)
    if places is None:
        return b"", Verdict.NOT_UET
    body = frame[places.uet : places.end]
    if not body or body[0] >> 3 != PdsType.TSS:
        return b"", Verdict.NOT_SECURED
    size = TSS.size(sp=body[0] >> 2 & 1)
    if len(body) < size + ICV_BYTES:
        return b"", Verdict.SHORT
    fields = decode_header(TSS, body).fields
    an, tsc = fields["an"], fields["epoch"] << 48 | fields["counter"]
    if fields["sdi"] != domain.sdi or an not in domain.slots:
        return b"", Verdict.OTHER_DOMAIN
    source, prefix = _identity(frame, places, fields)
    if not domain.is_new(an, source, tsc):
        return b"", Verdict.REPLAYED
    client = domain.client if domain.client is not None else source
    key, mask = domain.key_for(an, tsc, source, client)
    clear = size + min(domain.clear_bytes, len(body) - size - ICV_BYTES)
    additional = frame[places.source : places.uet + clear]
    try:
        plain = AESGCM(key).decrypt(_vector(prefix, tsc, mask), body[clear:], additional)
    except InvalidTag:
        return b"", Verdict.FORGED
    domain.accept(an, source, tsc)
    whole = body[size:clear] + plain
    return _with_length(frame[: places.uet], places, len(whole)) + whole, Verdict.OPENED


def _identity(frame: bytes, places: _Places, fields: dict[str, int]) -> tuple[bytes, bytes]:
    """Return what tells the sender from others, and the first 32 bits of its vectors."""
    if fields["sp"]:
        ssi = fields["ssi"].to_bytes(4, "big")
        return ssi, ssi
    address = places.source_of(frame)
    return address, address if len(address) == 4 else fields["sdi"].to_bytes(4, "big")


def _vector(prefix: bytes, tsc: int, mask: bytes) -> bytes:
    plain = prefix + tsc.to_bytes(8, "big")
    return bytes(a ^ b for a, b in zip(plain, mask, strict=True))


def _with_length(head: bytes, places: _Places, uet_bytes: int) -> bytes:
    """Return the headers below UET for another number of UET bytes; a UDP checksum becomes 0, for TSS covers more."""
    out = bytearray(head)
    total = places.uet - places.ip + uet_bytes
    if places.address_bytes == 4:
        out[places.ip + 2 : places.ip + 4] = total.to_bytes(2, "big")
        out[places.ip + 10 : places.ip + 12] = bytes(2)
        checksum = internet_checksum(bytes(out[places.ip : places.below]))
        out[places.ip + 10 : places.ip + 12] = checksum.to_bytes(2, "big")
    else:
        out[places.ip + 4 : places.ip + 6] = (total - _IP6).to_bytes(2, "big")
    if places.uet - places.below == 8:
        out[places.below + 4 : places.below + 8] = (8 + uet_bytes).to_bytes(2, "big") + bytes(2)
    return bytes(out)
