"""A report in one HTML file that needs no network: headings, paragraphs, tables and inlined pictures."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path

_STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.55 system-ui, sans-serif; color: #222; background: #f4f5f7; margin: 0; }
main { max-width: 60rem; margin: 2rem auto; padding: 2rem 3rem; background: #fff; border-radius: 8px; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 1rem; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .5rem; border-top: 1px solid #e3e3e3; padding-top: 1.5rem; }
p { max-width: 44rem; }
img { max-width: 100%; height: auto; display: block; margin: 1rem 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem 1rem .35rem 0; text-align: left; border-bottom: 1px solid #e3e3e3; vertical-align: top; }
th { color: #6b6b6b; font-weight: 600; }
td.number { text-align: right; }
footer { color: #6b6b6b; font-size: .85rem; margin-top: 2.5rem; }
@media (max-width: 40rem) { main { margin: 0; padding: 1rem; border-radius: 0; } }
"""


class Report:
    """A page that grows from top to bottom."""

    def __init__(self, title: str) -> None:
        """Start a page with its title."""
        self.title = title
        self._parts = [f"<h1>{escape(title)}</h1>"]

    def heading(self, text: str) -> None:
        """Add a section heading."""
        self._parts.append(f"<h2>{escape(text)}</h2>")

    def paragraph(self, text: str) -> None:
        """Add a paragraph of plain text."""
        self._parts.append(f"<p>{escape(text)}</p>")

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Add a table; whole numbers get thousands separators, numbers are aligned to the right."""
        head = "".join(f"<th>{escape(c)}</th>" for c in columns)
        body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        self._parts.append(f'<div class="scroll">{table}</div>')

    def picture(self, file: Path, caption: str) -> None:
        """Add a PNG file, stored inside the page; `caption` is for those who cannot see it."""
        content = base64.b64encode(file.read_bytes()).decode("ascii")
        self._parts.append(f'<img alt="{escape(caption)}" src="data:image/png;base64,{content}">')

    def write(self, file: Path, footer: str) -> None:
        """Write the page."""
        page = (
            f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            f'<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{escape(self.title)}</title><style>{_STYLE}</style></head>\n<body><main>\n"
        )
        page += "\n".join(self._parts) + f"\n<footer>{escape(footer)}</footer>\n</main></body></html>\n"
        file.write_text(page, encoding="utf-8")


def _cell(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f"<td>{escape(str(value))}</td>"
    text = f"{value:,}" if isinstance(value, int) else f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    return f'<td class="number">{text}</td>'
