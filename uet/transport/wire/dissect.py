"""Bytes to a document: every header of a packet with its fields, and what is wrong or odd.

The document is what `uet wire decode` prints and what `assemble.encode_packet` takes:

    {"headers": [{"name", "offset", "length", "fields", "text", "derived"}], "warnings": [], "errors": []}

`errors` are reasons to drop the packet; `warnings` are non-zero reserved bits, values without a
meaning, and missing or trailing bytes above the PDS.
"""

from __future__ import annotations

from typing import Any

from uet.base.errors import BadInput, nearest
from uet.transport.record import NextHeader, PdsType, SesOpcode
from uet.transport.wire.checksum import internet_checksum
from uet.transport.wire.codes import UDP_PORT, EtherType, IpProtocol
from uet.transport.wire.fields import DEFAULT_SETTINGS, Header, Settings
from uet.transport.wire.network import ENTROPY, ETHERNET, IPV4, IPV6, UDP, VLAN
from uet.transport.wire.pds import PDS, TSS
from uet.transport.wire.plain import Truncated, decode_header
from uet.transport.wire.ses import SES, extension_after
from uet.transport.wire.text import derived, text_of
from uet.transport.wire.trailer import CRC_BYTES, CRC_CHOICES, ICV_BYTES, find_crc

LINKS = ("ethernet", "ip", "udp", "uet")
_MAX_VLAN_TAGS = 2
_PLACED = (
    SesOpcode.WRITE,
    SesOpcode.SEND,
    SesOpcode.DATAGRAM_SEND,
    SesOpcode.DEFERRABLE_SEND,
    SesOpcode.TAGGED_SEND,
    SesOpcode.DEFERRABLE_TSEND,
)
"""Operations whose payload is exactly the message."""


def decode_packet(
    data: bytes, link: str = "ethernet", crc: str = "auto", settings: Settings = DEFAULT_SETTINGS
) -> dict[str, Any]:
    """Return the document of one packet whose first byte belongs to the layer `link`.

    `crc` says what trails the packet: none, refprov, payload-be, or auto (whichever matches, else
    none). Wrong bytes never raise; raises BadInput for an unknown `link` or `crc`, and for refprov
    without the IP addresses that it covers.
    """
    if link not in LINKS:
        raise BadInput(f"no link layer is called '{link}'; {nearest(link, LINKS)}")
    if crc not in CRC_CHOICES:
        raise BadInput(f"no CRC choice is called '{crc}'; {nearest(crc, CRC_CHOICES)}")
    if crc == "refprov" and link in ("udp", "uet"):
        raise BadInput("CRC choice refprov covers the IP addresses; give the packet from its IP header on")
    dissection = _Dissection(data, crc, settings)
    try:
        getattr(dissection, link)()
    except Truncated as short:
        where = f"{dissection.at} to {len(data)}" if dissection.at < len(data) else f"{len(data)}"
        dissection.errors.append(
            f"{dissection.reading}: the packet ends after {dissection.end - dissection.at} of its "
            f"{short.needed - dissection.at} bytes (bytes {where})"
        )
    except _Refused as reason:
        dissection.errors.append(str(reason))
    return {"headers": dissection.headers, "warnings": dissection.warnings, "errors": dissection.errors}


class _Refused(Exception):
    """The packet cannot be read any further."""


class _Dissection:
    """A walk through one packet: `at` is the next byte, `end` the first that is not the packet's."""

    def __init__(self, data: bytes, crc: str, settings: Settings) -> None:
        self.data, self.crc, self.settings = data, crc, settings
        self.at, self.end = 0, len(data)
        self.addresses_at: int | None = None  # first byte of the IP source address
        self.address_bytes = 0  # of both addresses together
        self.trimmed = False
        self.reading = ""
        self.headers: list[dict[str, Any]] = []
        self.warnings: list[str] = []
        self.errors: list[str] = []

    def take(self, header: Header) -> dict[str, int]:
        """Read `header` at the current place. Raises Truncated when the packet ends inside it."""
        self.reading = header.name
        found = decode_header(header, self.data[: self.end], self.at, self.settings)
        entry: dict[str, Any] = {"name": header.name, "offset": self.at, "length": found.length, "fields": found.fields}
        entry["text"] = text_of(header, found.fields)
        entry["derived"] = derived(header, found.fields)
        self.headers.append(entry)
        self.warnings.extend(found.warnings)
        self.at += found.length
        return found.fields

    def take_bytes(self, name: str, n: int) -> None:
        """Note `n` bytes that are no header."""
        if n > 0:
            data = self.data[self.at : self.at + n]
            self.headers.append({"name": name, "offset": self.at, "length": n, "fields": {"data": data.hex()}})
            self.at += n

    def ethernet(self) -> None:
        """Read from an Ethernet header on."""
        ethertype = self.take(ETHERNET)["ethertype"]
        tags = 0
        while ethertype in (EtherType.VLAN, EtherType.SERVICE_VLAN):
            tags += 1
            if tags > _MAX_VLAN_TAGS:
                raise _Refused(f"vlan: more than {_MAX_VLAN_TAGS} tags")
            ethertype = self.take(VLAN)["ethertype"]
        if ethertype not in (EtherType.IPV4, EtherType.IPV6):
            raise _Refused(f"eth: ethertype {ethertype:#06x} is neither IPv4 nor IPv6, so this is not UET")
        self.ip((4,) if ethertype == EtherType.IPV4 else (6,))

    def ip(self, expected: tuple[int, ...] = (4, 6)) -> None:
        """Read from an IPv4 or IPv6 header on."""
        version = self.data[self.at] >> 4 if self.at < self.end else expected[0]
        if version not in expected:
            raise _Refused(f"ip: version {version} is not {' or '.join(map(str, expected))}")
        start, after = self.at, self.end
        protocol = self._ipv4() if version == 4 else self._ipv6()
        header = IPV4 if version == 4 else IPV6
        self.addresses_at = start + header.byte_offset("src")
        self.address_bytes = header.size() - header.byte_offset("src")
        if protocol == IpProtocol.UDP:
            self.udp()
        elif protocol in self.settings.native_protocols:
            self.take(ENTROPY)
            self.uet()
        else:
            raise _Refused(f"ip: protocol {protocol} is neither UDP nor a native UET one")
        self.at, padding = self.end, after - self.end
        if padding and any(self.data[self.at : after]):
            self.warnings.append(f"{padding} bytes follow the IP packet")
        self.take_bytes("padding", padding)

    def _ipv4(self) -> int:
        start = self.at
        fields = self.take(IPV4)
        header_bytes, total = fields["ihl"] * 4, fields["total_length"]
        if header_bytes < IPV4.size() or total < header_bytes:
            raise _Refused(f"ipv4: lengths (ihl {fields['ihl']}, total_length {total}) contradict each other")
        self._limit("ipv4", start + total)
        if header_bytes > IPV4.size():
            self.warnings.append("ipv4: options are not expected in front of UET")
            self.take_bytes("options", header_bytes - IPV4.size())
        if internet_checksum(self.data[start : start + header_bytes]):
            self.errors.append("ipv4: header_checksum is wrong")
        if fields["mf"] or fields["fragment_offset"]:
            raise _Refused("ipv4: a fragment; UET is never fragmented")
        return fields["protocol"]

    def _ipv6(self) -> int:
        fields = self.take(IPV6)
        self._limit("ipv6", self.at + fields["payload_length"])
        return fields["next_header"]

    def _limit(self, name: str, end: int) -> None:
        if end > self.end:
            raise _Refused(f"{name}: the packet ends {end - self.end} bytes before its length field says")
        self.end = end

    def udp(self) -> None:
        """Read from a UDP header on."""
        start = self.at
        fields = self.take(UDP)
        if fields["dst_port"] != UDP_PORT:
            raise _Refused(f"udp: dst_port {fields['dst_port']} is not UET's {UDP_PORT}")
        if fields["length"] < UDP.size():
            raise _Refused(f"udp: length {fields['length']} is less than its own header")
        end = start + fields["length"]
        if end > self.end:
            self.trimmed = True
            self.warnings.append(f"udp: trimmed, {self.end - start} of {fields['length']} bytes are left")
        elif end < self.end:
            self.warnings.append(f"udp: {self.end - end} bytes follow the datagram")
            self.end = end
        self._check_udp(start, fields["checksum"])
        self.uet()

    def _check_udp(self, start: int, checksum: int) -> None:
        first = self.addresses_at
        if not checksum or self.trimmed or first is None:
            return
        body = self.data[start : self.end]
        pseudo = self.data[first : first + self.address_bytes] + len(body).to_bytes(4, "big") + b"\0\0\0\x11"
        if internet_checksum(pseudo + body):
            self.errors.append("udp: checksum is wrong")

    def uet(self) -> None:
        """Read from the first UET header on: TSS or PDS."""
        if self.at >= self.end:
            raise _Refused("uet: no bytes")
        if self.data[self.at] >> 3 == PdsType.TSS:
            self._tss()
            return
        variant, problem = (
            ("", "") if self.trimmed else find_crc(self.data[: self.end], self.at, self.addresses_at, self.crc)
        )
        if problem:
            self.errors.append(problem)
        whole = self.end
        self.end -= CRC_BYTES if variant else 0
        self._pds()
        self.at, self.end = self.end, whole
        if variant:
            self._trailer("crc", CRC_BYTES, variant, problem)

    def _trailer(self, name: str, n: int, variant: str, problem: str) -> None:
        order = "little" if variant == "refprov" else "big"
        value = int.from_bytes(self.data[self.at : self.at + n], order)  # type: ignore[arg-type]
        fields = {name: value} | ({"variant": variant, "valid": int(not problem)} if variant else {})
        self.headers.append({"name": name, "offset": self.at, "length": n, "fields": fields})
        self.at += n

    def _tss(self) -> None:
        self.take(TSS)
        left = self.end - self.at
        if left < ICV_BYTES or self.trimmed:
            self.warnings.append("tss: the packet ends before its integrity check value")
            self.take_bytes("payload", left)
            return
        sealed, whole = self.end - ICV_BYTES, self.end
        self.end = min(self.at + self.settings.tss_clear_bytes, sealed)
        if self.end > self.at:
            self._pds(whole=False)
        self.end = whole
        self.take_bytes("payload", sealed - self.at)
        self._trailer("icv", ICV_BYTES, "", "")

    def _pds(self, whole: bool = True) -> None:
        """Read PDS, SES, extension and payload up to `end`; with `whole` False `end` is just a cut."""
        number = self.data[self.at] >> 3
        if number not in PDS:
            raise _Refused(f"pds: type {number} is reserved")
        fields = self.take(PDS[PdsType(number)])
        if number == PdsType.CP:
            next_hdr, name = NextHeader.NONE.value, "pds.cp"
        else:
            next_hdr, name = fields["next_hdr"], f"next_hdr {fields['next_hdr']}"
        if number in (PdsType.NACK, PdsType.NACK_CCX) and next_hdr:
            self.warnings.append("pds: a NACK is followed by nothing, so its next_hdr must be 0")
        ses = SES.get(next_hdr)  # type: ignore[call-overload]
        left = self.end - self.at
        if ses is None:
            if left and whole:
                self.warnings.append(f"{left} bytes follow, but {name} carries none")
        else:
            try:
                self._ses(next_hdr, ses, whole)
            except Truncated as short:
                self._missing(ses.name if self.reading == ses.name else self.reading, short)
        self.take_bytes("payload", self.end - self.at)

    def _missing(self, name: str, short: Truncated) -> None:
        self.warnings.append(f"{name}: {self.end - self.at} of its {short.needed - self.at} bytes are there")

    def _ses(self, next_hdr: int, ses: Header, whole: bool) -> None:
        fields = self.take(ses)
        first_byte = self.data[self.at] if self.at < self.end else 0
        extension = extension_after(next_hdr, fields["opcode"], fields.get("som", 0), first_byte)
        eager = self.take(extension).get("eager_length") if extension is not None else None
        if fields["version"]:
            self.warnings.append(f"{ses.name}: version {fields['version']} is unknown")
        if not whole or self.trimmed:
            return
        expected = _payload_expected(next_hdr, fields, eager)
        left = self.end - self.at
        if expected is not None and expected != left:
            self.warnings.append(f"payload: {left} bytes are there, {expected} are announced")


def _payload_expected(next_hdr: int, fields: dict[str, int], eager: int | None) -> int | None:
    """Return the bytes that the SES header announces for this packet, or None where it does not say."""
    if "payload_length" in fields:
        return fields["payload_length"]
    if next_hdr == NextHeader.RESPONSE:
        return 0
    if not (fields["som"] and fields["eom"]):
        return None
    if eager is not None:
        return eager
    return fields["request_length"] if fields["opcode"] in _PLACED else None
