"""Small tables as text, for a terminal, and as HTML, for a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

Line = Sequence[str]


def as_text(heads: Line, lines: Sequence[Line]) -> str:
    """Columns side by side, the first to the left and all others to the right."""
    widths = [max(map(len, column)) for column in zip(heads, *lines, strict=True)]

    def row(cells: Line) -> str:
        first, *others = (
            cell.rjust(width) if at else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        return "  ".join([first, *others]).rstrip()

    return "\n".join(map(row, [heads, *lines]))


def as_html(heads: Line, lines: Sequence[Line]) -> str:
    """The same as an HTML table; what stands in the cells is text, and never markup."""

    def row(cells: Line, tag: str) -> str:
        first, *others = map(escape, cells)
        right = "".join(f'<{tag} style="text-align: right">{cell}</{tag}>' for cell in others)
        return f'<tr><th style="text-align: left">{first}</th>{right}</tr>'

    head = f"<thead>{row(heads, 'th')}</thead>"
    return f"<table>{head}<tbody>{''.join(row(line, 'td') for line in lines)}</tbody></table>"


def pairs_as_text(pairs: Sequence[tuple[str, str]]) -> str:
    """Facts, a line each: what it is, and what is known of it."""
    width = max(len(what) for what, _ in pairs)
    return "\n".join(f"{what.ljust(width)}  {text}" for what, text in pairs)


def pairs_as_html(pairs: Sequence[tuple[str, str]]) -> str:
    """The same as an HTML table."""
    style = 'style="text-align: left"'
    lines = [
        f"<tr><th {style}>{escape(what)}</th><td {style}>{escape(text)}</td></tr>"
        for what, text in pairs
    ]
    return f"<table><tbody>{''.join(lines)}</tbody></table>"
