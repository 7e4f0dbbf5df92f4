"""A matrix of rates as a picture: SVG that needs nothing beside it, the same bytes for the same rates.

Cells are colored by rate as in the paper's table 1 (section 3.2.2): white is none, orange some, red most. Names come
from anywhere: what a reader would not see, or XML cannot hold, is spelled out, and the rest is escaped.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from itertools import pairwise
from xml.sax.saxutils import escape

from chunky.surf.matrix import Cell, Matrix, percent

__all__ = ["svg"]

_CELL_WIDTH, _CELL_HEIGHT, _GAP = 112, 52, 3
_CHAR, _MARGIN, _TOP = 7.4, 16, 74  # pixels; _CHAR is a wide letter at 13 pixels
_LABEL_CHARS = 44  # longer names are cut, and whole in the tooltip
_STOPS = ((0.0, (255, 255, 255)), (0.2, (254, 226, 178)), (0.5, (248, 151, 86)), (1.0, (178, 24, 43)))
_NOTHING = "#f1f1f1"
_LEGEND = (0.0, 0.25, 0.5, 0.75, 1.0)
_HIDDEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
_FONT = "font-family='system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif'"


def svg(shown: Matrix, title: str, remark: str = "") -> str:
    """The matrix as an SVG document: rate, interval and number of outputs in each cell, `—` where nothing was run.

    `title` and `remark` stand above it. A cell's tooltip has the audit and the counts; `?` is an unknown rate.
    """
    left = _MARGIN + max([0, *(_width(_cut(row.label)) for row in shown.rows)]) + 14
    step = max([_CELL_WIDTH, *(_width(_cut(column)) + 12 for column in shown.columns)]) + _GAP
    grid = left + step * len(shown.columns)
    below = _TOP + 26 + (_CELL_HEIGHT + _GAP) * len(shown.rows)
    width = max(grid, left + 60 * len(_LEGEND) + 90, _MARGIN + max(_width(title) * 1.25, _width(remark))) + _MARGIN
    height = below + 52
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{width:.0f}' height='{height:.0f}' "
        f"viewBox='0 0 {width:.0f} {height:.0f}' role='img' {_FONT}>",
        f"<title>{_safe(title)}</title>",
        f"<rect width='{width:.0f}' height='{height:.0f}' fill='#ffffff'/>",
        _text(_MARGIN, 30, title, size=17, weight=600),
        _text(_MARGIN, 52, remark, size=12, fill="#555555"),
        *(
            _text(left + step * place + (step - _GAP) / 2, _TOP + 14, _cut(column), anchor="middle", whole=column)
            for place, column in enumerate(shown.columns)
        ),
    ]
    for number, row in enumerate(shown.rows):
        y = _TOP + 26 + (_CELL_HEIGHT + _GAP) * number
        parts.append(_text(left - 10, y + _CELL_HEIGHT / 2 + 5, _cut(row.label), anchor="end", whole=row.label))
        for place, column in enumerate(shown.columns):
            cell = shown.cells.get((row, column))
            parts += _cell(cell, left + step * place, y, step - _GAP, f"{row.label}, {column}")
    return "\n".join([*parts, *_legend(left, below + 14), "</svg>"]) + "\n"


def _cell(cell: Cell | None, x: float, y: float, width: float, name: str) -> Iterator[str]:
    rate = None if cell is None else cell.rate
    fill, ink = (_NOTHING, "#777777") if rate is None else _colors(rate)
    yield (
        f"<g><title>{_safe(_tooltip(cell, name))}</title>"
        f"<rect x='{x:.1f}' y='{y:.1f}' width='{width:.1f}' height='{_CELL_HEIGHT}' rx='3' fill='{fill}' "
        "stroke='#d8d8d8'/>"
    )
    middle = x + width / 2
    if cell is None or rate is None:
        yield _text(middle, y + 31, "—" if cell is None else "?", size=16, anchor="middle", fill=ink)
    else:
        yield _text(middle, y + 24, f"{percent(rate)} %", size=16, anchor="middle", fill=ink, weight=600)
        yield _text(middle, y + 42, _counted(cell), size=11, anchor="middle", fill=ink)
    yield "</g>"


def _counted(cell: Cell) -> str:
    return f"{cell.interval + ' · ' if cell.interval else ''}n {cell.of:,}"


def _tooltip(cell: Cell | None, name: str) -> str:
    if cell is None:
        return f"{name}: nothing was run"
    if cell.rate is None:
        return f"{name}: unknown; audit {cell.audit}"
    told = f"{name}: {percent(cell.rate)} %, {cell.violations:,} of {cell.of:,}"
    return f"{told}{f', 95 % interval {cell.interval} %' if cell.interval else ''}; audit {cell.audit}"


def _legend(x: float, y: float) -> Iterator[str]:
    for place, rate in enumerate(_LEGEND):
        fill, ink = _colors(rate)
        yield f"<rect x='{x + 60 * place:.1f}' y='{y:.1f}' width='58' height='20' fill='{fill}' stroke='#d8d8d8'/>"
        yield _text(x + 60 * place + 29, y + 14, f"{percent(rate)} %", size=11, anchor="middle", fill=ink)
    yield _text(x + 60 * len(_LEGEND) + 8, y + 14, "— not run", size=11, fill="#555555")


def _colors(rate: float) -> tuple[str, str]:
    """Fill of a cell, and the color of text that can be read on it."""
    for (low, dark), (high, bright) in pairwise(_STOPS):
        if rate <= high:
            share = (rate - low) / (high - low)
            mixed = [round(one + (other - one) * share) for one, other in zip(dark, bright, strict=True)]
            break
    luminance = 0.2126 * mixed[0] + 0.7152 * mixed[1] + 0.0722 * mixed[2]
    return "#" + "".join(f"{value:02x}" for value in mixed), "#1a1a1a" if luminance > 110 else "#ffffff"


def _text(
    x: float, y: float, text: str, *, size: int = 13, anchor: str = "start", fill: str = "#1a1a1a", weight: int = 400,
    whole: str = "",
) -> str:  # fmt: skip
    told = f"<title>{_safe(whole)}</title>" if whole else ""
    return (
        f"<text x='{x:.1f}' y='{y:.1f}' font-size='{size}' font-weight='{weight}' text-anchor='{anchor}' "
        f"fill='{fill}'>{told}{_safe(text)}</text>"
    )


def _safe(text: str) -> str:
    """Text for XML: what is not seen, or moves what is (control characters, bidirectional marks), spelled out."""
    return escape("".join(f"\\u{ord(c):04x}" if unicodedata.category(c) in _HIDDEN else c for c in text))


def _cut(text: str) -> str:
    return text if len(text) <= _LABEL_CHARS else text[: _LABEL_CHARS - 1] + "…"


def _width(text: str) -> float:
    """Pixels that a text takes at most, at 13 pixels a line."""
    hidden = sum(5 for c in text if unicodedata.category(c) in _HIDDEN)
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return _CHAR * (len(text) + hidden + wide)
