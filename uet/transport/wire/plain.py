"""Headers to numbers and back in plain Python, straight from the field tables.

Slow and complete: every header, every variant. The jitted codec is tested against it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from uet.base.errors import BadInput, nearest
from uet.transport.wire.fields import DEFAULT_SETTINGS, Header, Settings, WireField


class Truncated(Exception):
    """The bytes end inside a header; `needed` is how many it takes at least."""

    def __init__(self, needed: int) -> None:
        super().__init__(f"{needed} bytes needed")
        self.needed = needed


@dataclass(frozen=True)
class DecodedHeader:
    """Fields of one header, its length [bytes], and what is odd about it."""

    fields: dict[str, int]
    length: int
    warnings: tuple[str, ...]


def decode_header(header: Header, data: bytes, offset: int = 0, settings: Settings = DEFAULT_SETTINGS) -> DecodedHeader:
    """Return the fields of `header` at `data[offset:]`. Raises Truncated when `data` is too short.

    Reserved fields are left out while they are 0 and reported as a warning otherwise, as are values
    without a name where the field has named values.
    """
    fields: dict[str, int] = {}
    warnings = []
    seen = settings.conditions()
    bit = offset * 8
    for f in header.fields:
        if not f.present(seen):
            continue
        try:
            value = seen[f.name] = _read(data, bit, f)
        except Truncated as short:
            raise Truncated(max(short.needed, offset + header.size(settings, **fields))) from None
        bit += 0 if f.view else f.bits
        if f.reserved and value == 0:
            continue
        fields[f.name] = value
        if f.reserved:
            warnings.append(f"{header.name}: reserved bits before byte {(bit + 7) // 8 - offset} are {value:#x}, not 0")
        elif f.enum is not None and value not in f.enum._value2member_map_:
            warnings.append(f"{header.name}: {f.name} {value} has no meaning")
    return DecodedHeader(fields, bit // 8 - offset, tuple(warnings))


def _read(data: bytes, bit: int, f: WireField) -> int:
    end = (bit + f.bits + 7) // 8
    if end > len(data):
        raise Truncated(end)
    word = int.from_bytes(data[bit // 8 : end], "big") >> (end * 8 - bit - f.bits)
    value = word & ((1 << f.bits) - 1)
    return value - (1 << f.bits) if f.signed and value >> (f.bits - 1) else value


def encode_header(header: Header, fields: Mapping[str, int], settings: Settings = DEFAULT_SETTINGS) -> bytes:
    """Return the bytes of `header` with `fields`; a field that is not given has its default.

    A view such as `flags` may stand for the fields it covers. Raises BadInput for unknown fields,
    values that do not fit, and a view that contradicts a field given beside it.
    """
    seen = settings.conditions()
    bits = []
    view: tuple[WireField, int, int] | None = None  # the field, its value, the bits of it still to hand out
    for f in header.fields:
        if not f.present(seen):
            continue
        if f.view:
            if f.name in fields:
                view = (f, _fit(header, f, fields[f.name]), f.bits)
                seen[f.name] = fields[f.name]
            continue
        value = _fit(header, f, fields.get(f.name, f.default))
        if view is not None:
            value, view = _take(header, f, fields, value, view)
        seen[f.name] = value - (1 << f.bits) if f.signed and value >> (f.bits - 1) else value
        bits.append(format(value, f"0{f.bits}b"))
    _refuse_unknown(header, fields, seen)
    text = "".join(bits)
    return int(text, 2).to_bytes(len(text) // 8, "big")


def _take(
    header: Header, f: WireField, fields: Mapping[str, int], value: int, view: tuple[WireField, int, int]
) -> tuple[int, tuple[WireField, int, int] | None]:
    """Return the value of `f` under the view that covers it, and what is left of the view."""
    whole, number, left = view
    left -= f.bits
    part = number >> max(left, 0) & ((1 << f.bits) - 1)
    if f.name in fields and part != value:
        raise BadInput(f"{header.name}: {whole.name} and {f.name} contradict each other; change both or drop one")
    return part, ((whole, number, left) if left > 0 else None)


def _fit(header: Header, f: WireField, value: object) -> int:
    """Return `value` as the field's bits. Raises BadInput when it is no integer or does not fit."""
    low = -(1 << (f.bits - 1)) if f.signed else 0
    high = (1 << (f.bits - 1 if f.signed else f.bits)) - 1
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise BadInput(f"{header.name}: {f.name} is {value!r}; write a whole number from {low} to {high}")
    return value & ((1 << f.bits) - 1)


def _refuse_unknown(header: Header, fields: Mapping[str, int], seen: Mapping[str, int]) -> None:
    known = {f.name: f for f in header.fields}
    problems = []
    for name in fields:
        if name not in known:
            problems.append(f"{header.name} has no field '{name}'; {nearest(name, known)}")
        elif name not in seen:
            problems.append(f"{header.name}: field {name} needs {known[name].condition}; drop it or change that")
    if problems:
        raise BadInput(*problems)


def describe_header(header: Header) -> list[dict[str, object]]:
    """Return one row per field: bit offset, bits, name, signed, when, default, values, source, meaning.

    The offset is that under the conditions of the field itself, other conditions being false.
    """
    rows: list[dict[str, object]] = []
    for f in header.fields:
        rows.append(
            {
                "bit": _offset_under_own_conditions(header, f),
                "bits": f.bits,
                "name": f.name,
                "signed": f.signed,
                "view": f.view,
                "when": f.condition,
                "default": f.default,
                "values": {} if f.enum is None else {member.name: member.value for member in f.enum},
                "source": f.source,
                "meaning": f.meaning,
            }
        )
    return rows


def _offset_under_own_conditions(header: Header, wanted: WireField) -> int:
    """Return where `wanted` stands; the alternatives before it all have the same width."""
    seen = DEFAULT_SETTINGS.conditions()
    for condition in wanted.when:
        if condition.negated:
            seen[condition.field] = next(v for v in range(1 << 16) if v not in condition.values)
        else:
            seen[condition.field] = condition.values[0]
    at = 0
    for f in header.fields:
        if f is wanted:
            return at
        at += f.bits if f.present(seen) and not f.view else 0
    raise KeyError(wanted.name)
