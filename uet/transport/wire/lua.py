"""The Wireshark dissector: the field tables as Lua tables, put into the program `dissector.lua`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.resources import files

from uet.transport.record import NextHeader, PdsType
from uet.transport.wire.codes import UDP_PORT, AtomicOp
from uet.transport.wire.fields import DEFAULT_SETTINGS, Condition, Header, Settings, WireField
from uet.transport.wire.network import ENTROPY
from uet.transport.wire.pds import PDS, TSS
from uet.transport.wire.ses import ATOMIC_OPCODES, EXTENSIONS, RENDEZVOUS_OPCODES, SES

_MARK = "--@TABLES@"


def lua_dissector(settings: Settings = DEFAULT_SETTINGS) -> str:
    """Return the text of a Wireshark dissector for the header layouts that `settings` choose.

    It runs in Wireshark and tshark 4.0 and later, whose Lua is 5.2 or 5.4.
    """
    program = files("uet.transport.wire").joinpath("dissector.lua").read_text(encoding="utf-8")
    return program.replace(_MARK, _tables(settings))


def _tables(settings: Settings) -> str:
    headers = (ENTROPY, TSS, *PDS.values(), *SES.values(), *EXTENSIONS.values())
    enums = {f.enum.__name__: f.enum for h in headers for f in h.fields if f.enum is not None}
    constants = {
        "UDP_PORT": UDP_PORT,
        "TSS": int(PdsType.TSS),
        "LAST_REQUEST": int(NextHeader.REQUEST_STD),
        "FIRST_SWAP": int(AtomicOp.CSWAP),
        "LAST_SWAP": int(AtomicOp.CSWAP_GT),
    }
    parts = [f"local {name} = {number}" for name, number in constants.items()]
    parts.append(f"local NATIVE_PROTOCOLS = {{ {', '.join(map(str, settings.native_protocols))} }}")
    parts.append(f"local RENDEZVOUS = {_set(RENDEZVOUS_OPCODES)}")
    parts.append(f"local ATOMIC = {_set(ATOMIC_OPCODES)}")
    parts.append(_names("PDS", {int(number): h.name for number, h in PDS.items()}))
    parts.append(_names("SES", {int(number): h.name for number, h in SES.items()}))
    parts.append("local VALUES = {")
    for name, enum in enums.items():
        values = ", ".join(f'[{member.value}] = "{member.name}"' for member in enum)
        parts.append(f"  {name} = {{ {values} }},")
    parts += ["}", "local HEADERS = {", *(_header(h, settings) for h in headers), "}"]
    return "\n".join(parts)


def _set(numbers: Iterable[int]) -> str:
    return "{ " + ", ".join(f"[{int(number)}] = true" for number in numbers) + " }"


def _names(name: str, values: Mapping[int, str]) -> str:
    return f"local {name} = {{ {', '.join(f'[{number}] = {_text(text)}' for number, text in values.items())} }}"


def _text(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _header(header: Header, settings: Settings) -> str:
    chosen = settings.conditions()
    fields = [_field(f) for f in header.fields if all(c.holds(chosen) for c in f.when if c.field.startswith("@"))]
    return f"  [{_text(header.name)}] = {{ title = {_text(header.title)}, fields = {{\n{''.join(fields)}  }} }},"


def _field(f: WireField) -> str:
    parts = [f"name = {_text(f.name)}", f"bits = {f.bits}"]
    parts += [f"{name} = true" for name in ("signed", "view", "reserved") if getattr(f, name)]
    if f.enum is not None:
        parts.append(f"values = {_text(f.enum.__name__)}")
    conditions = ", ".join(_condition(c) for c in f.when if not c.field.startswith("@"))
    parts.append(f"when = {{ {conditions} }}" if conditions else "when = {}")
    return f"    {{ {', '.join(parts)}, meaning = {_text(f.meaning)} }},\n"


def _condition(condition: Condition) -> str:
    negated = "true" if condition.negated else "false"
    return f"{{ field = {_text(condition.field)}, negated = {negated}, values = {_set(condition.values)} }}"
