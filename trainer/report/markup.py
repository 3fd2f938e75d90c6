"""Pieces of the report's HTML; whatever comes from outside is escaped here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

SHOWN = 6
"""Charts of a kind that are open at first, one an axis; the others are folded away."""


def grid(charts: Sequence[str], what: str = "axes") -> str:
    """Return charts side by side, as many as there is room for.

    Args:
        charts: Figures.
        what: Name of those that are folded away.
    """
    if not charts:
        return ""
    open_, folded = charts[:SHOWN], charts[SHOWN:]
    more = f"<details><summary>{len(folded)} more {escape(what)}</summary>{_grid(folded)}</details>"
    return _grid(open_) + (more if folded else "")


def table(rows: Iterable[Sequence[str]], head: Sequence[str] = ()) -> str:
    """Return a table whose first column names the rows."""
    top = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in cells)}</tr>'
        for name, *cells in rows
    )
    header = f"<thead><tr>{top}</tr></thead>" if head else ""
    return f'<div class="scroll" tabindex="0"><table>{header}<tbody>{body}</tbody></table></div>'


def paragraph(text: str, style: str = "") -> str:
    """Return a paragraph."""
    return f'<p class="{style}">{escape(text)}</p>' if style else f"<p>{escape(text)}</p>"


def note(text: str) -> str:
    """Return a paragraph that explains."""
    return paragraph(text, "note")


def heading(text: str) -> str:
    """Return a heading within a section."""
    return f"<h3>{escape(text)}</h3>"


def bullets(lines: Iterable[str]) -> str:
    """Return a list."""
    body = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"<ul>{body}</ul>" if body else ""


def section(anchor: str, title: str, body: str) -> str:
    """Return a section that can be jumped to."""
    return f'<section id="{anchor}"><h2>{escape(title)}</h2>{body}</section>'


def _grid(charts: Sequence[str]) -> str:
    return f'<div class="charts">{"".join(charts)}</div>'
