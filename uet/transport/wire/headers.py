"""All header tables by name, and the rows that describe one of them."""

from __future__ import annotations

from uet.transport.wire.fields import Header, find_header
from uet.transport.wire.network import NETWORK
from uet.transport.wire.pds import PDS, TSS
from uet.transport.wire.plain import describe_header
from uet.transport.wire.ses import EXTENSIONS, SES

HEADERS: dict[str, Header] = {
    h.name: h for h in (*NETWORK.values(), TSS, *PDS.values(), *SES.values(), *EXTENSIONS.values())
}
"""Every header by its name in documents, in the order of the wire."""


def describe(header_type: str) -> list[dict[str, object]]:
    """Return one row per field of the header called `header_type`, e.g. 'pds.ack_cc' or 'ack_cc'.

    Keys: bit (offset), bits, name, signed, view, when, default, values, source, meaning.
    Raises BadInput for an unknown header, naming the nearest.
    """
    return describe_header(find_header(header_type, HEADERS))
