"""What the command line prints: hostile text made visible, numbers, tables, JSON, errors.

Corpus text and names reach a terminal through `visible` alone: control characters, ANSI escapes, bidirectional
overrides and other characters that render as nothing or move others are spelled out. Results go to stdout; progress,
logs and errors to stderr. On a terminal tables are fitted to its width; into a pipe or a file every row is one line of
plain text, so that `grep`, `cut` and a build log see whole values.
"""

from __future__ import annotations

import json
import re
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from chunky.errors import ChunkyError

PIPE_WIDTH = 100  # paragraphs (not table rows) are wrapped at this width when the output is no terminal

# Unicode categories Cc, Cf, Cs, Zl, Zp and Hangul fillers; left out are U+200C and U+200D, which Persian, Indic scripts
# and emoji need and which reorder nothing. A test compares this list with unicodedata.
_HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u180e\u200b\u200e\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\ud800-\udfff"
    "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e007f]"
)
_NAMED = {"\n": "⏎", "\t": "⇥"}
_MAX_MARKS = 4  # combining marks on one letter: Vietnamese needs two, Hebrew four; more climb over the lines above
_MARKS = re.compile(r"[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]{5,}")


def visible(text: str, limit: int | None = None) -> str:
    r"""`text` on one line, safe for a terminal: line breaks as ⏎, tabs as ⇥, other hidden characters like `\x1b`.

    At most `limit` characters of the original are shown; `…` says that there is more.
    """
    shown = text if limit is None or len(text) <= limit else text[:limit]
    shown = _HIDDEN.sub(lambda match: _spelled(match.group()), shown)
    shown = _MARKS.sub(lambda match: match.group()[:_MAX_MARKS] + "…", shown)
    return shown if limit is None or len(text) <= limit else f"{shown}…"


def _spelled(character: str) -> str:
    if character in _NAMED:
        return _NAMED[character]
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def json_text(data: Any, indent: int | None = 2) -> str:
    """`data` as JSON that is safe for a terminal too; NaN is an error, dates are ISO 8601."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, indent=indent, default=_plain)
    # outside strings JSON has no character above U+007F and no control character but the line breaks of `indent`
    return _HIDDEN.sub(lambda match: match.group() if match.group() == "\n" else json.dumps(match.group())[1:-1], text)


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    return str(value)


# numbers -----------------------------------------------------------------------------------------------------------


def count(value: float | None) -> str:
    """A count with thousands separators; `?` for unknown."""
    return "?" if value is None else f"{value:,.0f}"


def size(value: float | None) -> str:
    """Bytes for people: `412 B`, `3.1 MB`."""
    if value is None:
        return "?"
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def seconds(value: float) -> str:
    """A duration for people: `0.42 s`, `31 s`, `4 min 5 s`."""
    if value >= 60:
        return f"{value // 60:.0f} min {value % 60:.0f} s"
    return f"{value:.0f} s" if value >= 10 else f"{value:.2g} s"


def times(value: float | None) -> str:
    """A ratio for people: `41×`, `1.3×`; `?` for unknown."""
    if value is None:
        return "?"
    return f"{value:,.0f}×" if value >= 9.95 else f"{value:.1f}×"


def ago(moment: str, now: datetime | None = None) -> str:
    """How long ago an ISO 8601 time was: `3 min ago`."""
    passed = ((now or datetime.now(UTC)) - datetime.fromisoformat(moment)).total_seconds()
    for unit, length in (("day", 86_400), ("h", 3_600), ("min", 60)):
        if passed >= length:
            number = int(passed // length)
            return f"{number} {unit}{'s' if unit == 'day' and number > 1 else ''} ago"
    return "just now"


# tables ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Head:
    """A column of a printed table: its heading, right-aligned numbers or wrapping text, and a rich style."""

    name: str
    is_number: bool = False
    style: str = ""


class Printer:
    """Where results and messages go. `plain` output (no terminal) has no color and one line a row."""

    def __init__(self, out: IO[str] | None = None, err: IO[str] | None = None, is_json: bool = False) -> None:
        self._out, self._err, self._is_json = out or sys.stdout, err or sys.stderr, is_json

    @property
    def results(self) -> IO[str]:
        """The stream for text meant for people: stdout, or stderr when stdout carries JSON."""
        return self._err if self._is_json else self._out

    @property
    def is_terminal(self) -> bool:
        """Whether people see the results as they are printed."""
        return self.results.isatty()

    def console(self) -> Console:
        """A rich console on the results stream that interprets nothing in the text it is given."""
        from rich.console import Console

        width = None if self.is_terminal else PIPE_WIDTH
        return Console(file=self.results, markup=False, highlight=False, emoji=False, width=width, soft_wrap=False)

    def line(self, text: str = "", style: str = "") -> None:
        """A line of our own words. Values inside go through `visible` first, so that they cannot break the line."""
        text = _paragraph(text)
        if self.is_terminal:
            self.console().print(text, style=style or None)
        else:
            self.results.write(f"{text}\n")

    def json(self, data: Any) -> None:
        """`data` as JSON on stdout."""
        self._out.write(f"{json_text(data)}\n")

    def json_line(self, data: Any) -> None:
        """`data` as JSON on one line of stdout: of such lines a reader takes one at a time."""
        self._out.write(f"{json_text(data, indent=None)}\n")
        self._out.flush()

    def marked(self, label: str, parts: Iterable[tuple[str, bool]]) -> None:
        """`label` and a text in parts on one line; marked parts are bold, outside a terminal between » and «."""
        shown = [(visible(text), is_marked) for text, is_marked in parts]
        if not self.is_terminal:
            self.results.write(label + "".join(f"»{text}«" if mark else text for text, mark in shown) + "\n")
            return
        from rich.padding import Padding
        from rich.text import Text

        indent = display_width(label)
        line = Text.assemble(*((text, "bold yellow" if is_marked else "") for text, is_marked in shown))
        first, *others = line.wrap(self.console(), max(20, self.console().width - indent)) or [Text("")]
        self.console().print(Text.assemble(label, first))
        for each in others:
            self.console().print(Padding(each, (0, 0, 0, indent)))

    def table(self, heads: Sequence[Head], rows: Iterable[Sequence[object]], title: str = "") -> None:
        """A table of values; strings are made visible here, numbers come formatted or as int."""
        cells = [[_cell(value) for value in row] for row in rows]
        if title:
            self.line(title, "bold")
        if self.is_terminal:
            self._rich_table(heads, cells)
        else:
            for text in plain_table(heads, cells):
                self.results.write(f"{text}\n")

    def _rich_table(self, heads: Sequence[Head], cells: Sequence[Sequence[str]]) -> None:
        from rich.box import SIMPLE_HEAD
        from rich.table import Table
        from rich.text import Text

        shown = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False, header_style="bold")
        for head in heads:
            justify = "right" if head.is_number else "left"
            overflow = "fold"  # a value is never cut
            shown.add_column(head.name, justify=justify, no_wrap=head.is_number, style=head.style, overflow=overflow)  # type: ignore[arg-type]
        for row in cells:
            shown.add_row(*(Text(cell) for cell in row))
        self.console().print(shown)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return visible(str(value))


def plain_table(heads: Sequence[Head], cells: Sequence[Sequence[str]]) -> list[str]:
    """Lines of aligned text, two spaces between columns, nothing cut and nothing wrapped."""
    rows = [[head.name for head in heads], *cells]
    widths = [max(display_width(row[place]) for row in rows) for place in range(len(heads))]
    lines = []
    for row in rows:
        padded = []
        for cell, head, width in zip(row, heads, widths, strict=True):
            space = " " * (width - display_width(cell))
            padded.append(space + cell if head.is_number else cell + space)
        lines.append("  ".join(padded).rstrip())
    return lines


def display_width(text: str) -> int:
    """Columns that `text` takes on a terminal: two for wide characters, none for combining marks and joiners."""
    if text.isascii():
        return len(text)
    return sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def wrapped(text: str, width: int, label: str = "") -> list[str]:
    """`text` after `label`, broken at spaces into lines of at most `width` columns, indented by the label's length."""
    indent = " " * display_width(label)
    lines, line = [], ""
    for word in text.split(" "):
        longer = f"{line} {word}" if line else word
        if line and display_width(indent + longer) > width:
            lines.append(line)
            line = word
        else:
            line = longer
    return [f"{indent if number else label}{line}" for number, line in enumerate([*lines, line])]


def show_error(error: ChunkyError) -> None:
    """Problem and remedy on two lines of stderr, in red on a terminal, without a stack trace."""
    lines = (f"error: {_paragraph(error.problem)}", f"  → {_paragraph(error.remedy)}")
    if not sys.stderr.isatty():
        sys.stderr.write("\n".join(lines) + "\n")
        return
    from rich.console import Console

    console = Console(stderr=True, markup=False, highlight=False, emoji=False, soft_wrap=True)
    console.print(lines[0], style="bold red")
    console.print(lines[1], style="red")


def _paragraph(text: str) -> str:
    """Text of several lines (an error that quotes SQL): its line breaks stay, everything else is made visible."""
    return "\n".join(visible(line) for line in text.split("\n"))
