"""Scapy layers made from the field tables; importing this module loads scapy and binds them.

`LAYERS` holds one class per header, by its name in documents: `LAYERS["pds.ack_cc"]`. UDP packets to
port 4793, and native IP through `LAYERS["entropy"]`, dissect into them; stacking sets next_hdr:

    IP(dst="10.0.0.2") / UDP(sport=0xC0DE, dport=4793) / LAYERS["pds.rud_req"](psn=7) / LAYERS["ses.request_std"]()

Differences that scapy needs: views are left out, `payload` of NACK and CP is called `argument`, the
second field of one name in a header ends in `_2`. A CRC-32C is the end of the payload.
"""

from __future__ import annotations

from typing import Any

from scapy.fields import BitEnumField, BitField, ConditionalField
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.packet import Packet, Raw, bind_layers, bind_top_down

from uet.transport.record import PdsType
from uet.transport.wire.codes import UDP_PORT
from uet.transport.wire.fields import DEFAULT_SETTINGS, Header, WireField
from uet.transport.wire.network import ENTROPY
from uet.transport.wire.pds import PDS, TSS
from uet.transport.wire.ses import EXTENSIONS, SES, extension_after

_SETTINGS = DEFAULT_SETTINGS.conditions()


class _SignedBitField(BitField):  # type: ignore[misc]
    """A BitField in two's complement."""

    def m2i(self, packet: Any, number: int) -> int:
        """Return the signed value of the bits."""
        return number - (1 << self.size) if number >> (self.size - 1) else number


def scapy_name(header: Header, wanted: WireField) -> str:
    """Return what the field is called in scapy, see the top of this file."""
    name = "argument" if wanted.name == "payload" else wanted.name
    earlier = [f for f in header.fields[: header.fields.index(wanted)] if f.name == wanted.name and not f.view]
    return f"{name}_{len(earlier) + 1}" if earlier else name


def _scapy_field(header: Header, f: WireField) -> Any:
    name = scapy_name(header, f)
    if f.signed:
        field = _SignedBitField(name, f.default, f.bits)
    elif f.enum is not None:
        field = BitEnumField(name, f.default, f.bits, {member.value: member.name for member in f.enum})
    else:
        field = BitField(name, f.default, f.bits)
    if not f.when:
        return field
    names = {c.field: scapy_name(header, next(g for g in header.fields if g.name == c.field)) for c in f.when
             if not c.field.startswith("@")}  # fmt: skip

    def present(packet: Any) -> bool:
        return f.present(_SETTINGS | {name: packet.getfieldval(shown) for name, shown in names.items()})

    return ConditionalField(field, present)


def _layer(header: Header, **methods: Any) -> Any:
    name = "UET" + "".join(part.capitalize() for part in header.name.replace(".", "_").split("_"))
    fields = [_scapy_field(header, f) for f in header.fields if not f.view]
    return type(name, (Packet,), {"name": f"UET {header.title}", "fields_desc": fields, **methods})


def first_layer(data: bytes) -> Any:
    """Return the class of the header that `data` begins with: TSS, one of PDS, or Raw."""
    number = data[0] >> 3 if data else 0
    if number == PdsType.TSS:
        return LAYERS[TSS.name]
    return LAYERS[PDS[PdsType(number)].name] if number in PDS else Raw


def _dispatch(cls: Any, _pkt: bytes | None = None, *args: Any, **named: Any) -> Any:
    return cls if _pkt is None else first_layer(_pkt)


def _after_entropy(packet: Any, payload: bytes) -> Any:
    return first_layer(payload)


def _after_ses(number: int) -> Any:
    def guess(packet: Any, payload: bytes) -> Any:
        extension = extension_after(number, packet.opcode, getattr(packet, "som", 0), payload[0] if payload else 0)
        return Raw if extension is None else LAYERS[extension.name]

    return guess


LAYERS: dict[str, Any] = {
    ENTROPY.name: _layer(ENTROPY, guess_payload_class=_after_entropy),
    **{h.name: _layer(h) for h in (TSS, *PDS.values(), *EXTENSIONS.values())},
    **{h.name: _layer(h, guess_payload_class=_after_ses(int(number))) for number, h in SES.items()},
}
"""Scapy classes by the name of the header in documents; those below UET are scapy's own."""

UET = type("UET", (Packet,), {"name": "UET", "fields_desc": [], "dispatch_hook": classmethod(_dispatch)})
"""Dissects UET bytes into the layer that their first bits name: `UET(data)`."""


def _bind() -> None:
    # in front of scapy's own rules, for an entropy value may equal some protocol's well-known source port
    UDP.payload_guess = [({"dport": UDP_PORT}, UET), *UDP.payload_guess]
    for protocol in DEFAULT_SETTINGS.native_protocols:
        bind_layers(IP, LAYERS[ENTROPY.name], proto=protocol)
        bind_layers(IPv6, LAYERS[ENTROPY.name], nh=protocol)
    bind_top_down(UDP, LAYERS[TSS.name], dport=UDP_PORT)
    for kind, pds in PDS.items():
        bind_top_down(UDP, LAYERS[pds.name], dport=UDP_PORT)
        for number, ses in SES.items():
            if kind != PdsType.CP:
                bind_layers(LAYERS[pds.name], LAYERS[ses.name], next_hdr=int(number))


_bind()
