"""The generated Wireshark dissector shows in tshark exactly the fields that the plain decoder finds."""

import re
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from wire_samples import HEADERS as NEXT
from wire_samples import TYPES, GuardedBuffer, read, sample
from wire_vectors import EMITTED, WRITTEN

from uet.transport.wire.build import build_frame
from uet.transport.wire.capture import write_capture
from uet.transport.wire.dissect import decode_packet
from uet.transport.wire.headers import HEADERS
from uet.transport.wire.lua import lua_dissector
from uet.transport.wire.path import make_path

BUFFER = GuardedBuffer()
TSHARK = shutil.which("tshark")
needs_tshark = pytest.mark.skipif(TSHARK is None, reason="tshark is not installed")


def test_every_field_of_every_header_is_in_the_dissector() -> None:
    text = lua_dissector()
    assert "--@TABLES@" not in text
    for name, header in HEADERS.items():
        if name.startswith(("pds", "ses", "ext", "tss", "entropy")):
            block = text[text.index(f'["{name}"] = {{') :].split("\n  } },\n", 1)[0]
            fields = [f for f in header.fields if f.condition != "@response_bytes=16"]
            assert re.findall(r'name = "(\w+)", bits = (\d+)', block) == [(f.name, str(f.bits)) for f in fields], name
            assert header.title in block


def _frames() -> list[bytes]:
    """Return frames of every type, every next header and every known packet, over UDP and native IP."""
    rng = np.random.default_rng(3)
    frames = []
    for k in range(2 * len(TYPES) * len(NEXT)):
        packet, ses = sample(rng, TYPES[k % len(TYPES)], NEXT[k // len(TYPES) % len(NEXT)], int(rng.integers(0, 60)))
        packet["entropy"] = 0xC000 + k
        ends = ("10.0.0.1", "10.0.0.2") if k % 3 else ("2001:db8::1", "2001:db8::2")
        path = make_path(*ends, udp=bool(k % 2), crc="none")
        n = build_frame(path[0], packet[0], ses[0], BUFFER.start, BUFFER.start + 4096, 4096)
        frames.append(read(BUFFER.start + 4096, n))
    head = bytes.fromhex(WRITTEN["frame_udp_no_crc"])[:42]
    for data in (*WRITTEN.values(), *EMITTED.values()):
        body = bytes.fromhex(data)
        if len(body) < 100:
            total, udp = (28 + len(body)).to_bytes(2, "big"), (8 + len(body)).to_bytes(2, "big")
            frames.append(head[:16] + total + head[18:38] + udp + head[40:] + body)
    return frames


def _shown(element: ElementTree.Element) -> list[tuple[str, int]]:
    """Return (field, value) of every field that tshark shows below the protocols of ours."""
    found = []
    for proto in element.findall("proto"):
        if proto.get("name") in ("uet", "uet_entropy"):
            for field in proto.iter("field"):
                name = field.get("name", "")
                if name.startswith("uet.") and name.count(".") == 2:
                    show = field.get("show", "0")
                    number = int(show.replace(":", ""), 16) if ":" in show else int(show, 0)
                    found.append((name.removeprefix("uet."), number))
    return found


def _expected(frame: bytes) -> list[tuple[str, int]]:
    fields = []
    for header in decode_packet(frame, crc="none")["headers"]:
        if header["name"].startswith(("entropy", "tss", "pds", "ses", "ext")):
            kind = header["name"].split(".")[-1]
            fields += [(f"{kind}.{name}", value) for name, value in header["fields"].items()]
    return fields


@needs_tshark
def test_tshark_shows_the_fields_of_every_packet(tmp_path: Path) -> None:
    frames = _frames()
    script, capture = tmp_path / "uet.lua", tmp_path / "all.pcapng"
    script.write_text(lua_dissector())
    write_capture(capture, list(enumerate(frames)))
    run = subprocess.run(
        [str(TSHARK), "-X", f"lua_script:{script}", "-r", str(capture), "-T", "pdml"],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    assert "Lua" not in run.stderr, run.stderr
    packets = ElementTree.fromstring(run.stdout).findall("packet")
    assert len(packets) == len(frames)
    total = 0
    for element, frame in zip(packets, frames, strict=True):
        expected = _expected(frame)
        headers = {name.split(".")[0] for name, _ in expected}
        shown = _shown(element)
        whole = [(name, value) for name, value in shown if name.split(".")[0] in headers]
        assert sorted(whole) == sorted(expected), frame.hex()
        assert whole == shown or decode_packet(frame, crc="none")["warnings"]  # the fields of a header cut off
        total += len(expected)
    assert total > 20 * len(frames)


@needs_tshark
def test_tshark_marks_a_truncated_header_and_splits_off_a_crc(tmp_path: Path) -> None:
    whole = bytes.fromhex(WRITTEN["frame_udp_crc_refprov_le"])
    short = whole[:16] + (32).to_bytes(2, "big") + whole[18:38] + (12).to_bytes(2, "big") + whole[40:46]
    script, capture = tmp_path / "uet.lua", tmp_path / "two.pcapng"
    script.write_text(lua_dissector())
    write_capture(capture, [(0, whole), (1, short)])
    command = [str(TSHARK), "-X", f"lua_script:{script}", "-o", "uet.crc:TRUE", "-r", str(capture), "-T", "fields"]
    fields = ["-e", "uet.crc", "-e", "uet.payload", "-e", "uet.truncated"]
    lines = subprocess.run(
        [*command, *fields], capture_output=True, text=True, check=True, timeout=60
    ).stdout.splitlines()  # fmt: skip
    assert lines[0].split("\t")[:2] == ["fa195cbd", "0001020304050607"]
    assert lines[1].split("\t") == ["", "", "1"]
