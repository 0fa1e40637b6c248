"""The report is one valid page that asks the network for nothing."""

from __future__ import annotations

import base64
from html.parser import HTMLParser
from pathlib import Path

from emulation.report import Report

VOID = {"meta", "img", "br", "link"}


class _Checker(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.sources: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        self.sources += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data.strip())


def test_a_page_is_whole_escaped_and_self_contained(tmp_path: Path) -> None:
    (tmp_path / "picture.png").write_bytes(b"\x89PNG...")
    page = Report("Fat tree & <HammingMesh>")
    page.heading("Price")
    page.paragraph("5 < 25")
    page.table(("fabric", "USD", "share"), [("a<b", 25303040, 0.25), ("c", 12, True)])
    page.picture(tmp_path / "picture.png", 'the "picture"')
    page.write(tmp_path / "report.html", "made here")
    checker = _Checker()
    checker.feed((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert checker.open == []
    for text in ("Fat tree & <HammingMesh>", "5 < 25", "a<b", "25,303,040", "0.25", "True", "made here"):
        assert text in checker.text
    (source,) = checker.sources
    assert base64.b64decode(source.removeprefix("data:image/png;base64,")) == b"\x89PNG..."
