"""What the command line prints: hostile text, JSON, numbers, tables."""

from __future__ import annotations

import io
import json
import re
import sys
import unicodedata
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chunky.cli.output import (
    Head,
    Printer,
    ago,
    count,
    display_width,
    json_text,
    plain_table,
    seconds,
    show_error,
    size,
    times,
    visible,
    wrapped,
)
from chunky.errors import InputError

HOSTILE = [
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "\x1b]8;;http://evil\x1b\\click\x1b]8;;\x1b\\",
    "\x9b31m one-byte CSI",
    "\x90q device control \x9c",
    "carriage\rreturn",
    "back\x08\x08space",
    "bell\x07",
    "null\x00byte",
    "delete\x7f",
    "right\u202eleft\u202c",
    "isolate\u2066\u2069",
    "mark\u200e\u200f\u061c",
    "zero\u200bwidth",
    "\ufeffmark",
    "line\u2028separator\u2029",
    "next\x85line",
    "soft\xadhyphen",
    "tag\U000e0041\U000e007f",
    "filler\u3164\u115f",
    "lone \ud800 surrogate",
    "vertical\x0btab\x0c",
    "a" + "\u0301" * 200,
    "[bold red]markup[/bold red] [/] :smile: [link=http://evil]x[/link]",
]


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def is_safe(text: str) -> bool:
    return all(
        unicodedata.category(letter) not in ("Cc", "Cs", "Zl", "Zp") for letter in text.replace("\n", "")
    ) and not (set(text) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c\u200b\ufeff"))


def test_every_hidden_character_is_spelled_out_but_joiners():
    """The list in the module is the union of the Unicode categories that it names."""
    shown_as_is = {
        code
        for code in range(sys.maxunicode + 1)
        if unicodedata.category(chr(code)) in ("Cc", "Cf", "Cs", "Zl", "Zp") and visible(chr(code)) == chr(code)
    }
    assert shown_as_is == {0x200C, 0x200D}


def test_ordinary_text_is_left_alone():
    for text in (
        "plain",
        "naïve café",
        "日本語のテキスト",
        "مرحبا",
        "שלום",
        "हिन्दी",
        "👩\u200d🚀",
        "tiếng Việt",
        "✓ — “quotes”",
        "\\n",
    ):
        assert visible(text) == text


def test_known_spellings():
    assert visible("a\nb\tc") == "a⏎b⇥c"
    assert visible("\x1b[31m") == "\\x1b[31m"
    assert visible("\u202e") == "\\u202e"
    assert visible("\U000e0041") == "\\U000e0041"
    assert visible("\ud800") == "\\ud800"


def test_limit_counts_characters_of_the_original():
    assert visible("abcdef", 3) == "abc…"
    assert visible("abc", 3) == "abc"
    assert visible("\x1b" * 10, 2) == "\\x1b\\x1b…"


def test_a_heap_of_marks_is_cut():
    assert len(visible("a" + "\u0301" * 200)) < 10


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_cannot_reach_a_terminal(text: str):
    assert is_safe(visible(text))
    for stream in (io.StringIO(), Terminal()):
        printer = Printer(out=stream, err=io.StringIO())
        printer.table((Head("name"), Head("n", True)), [(text, 1)], title=text.replace("\n", ""))
        printer.line(text)
        drawn = stream.getvalue()
        # rich adds its own color codes on a terminal; nothing of the text may add to them
        assert is_safe(drawn.replace("\x1b[1m", "").replace("\x1b[0m", ""))
        if "[bold red]" in text:
            assert text in drawn


@given(st.text(max_size=200))
@settings(max_examples=200, deadline=None)
def test_visible_is_safe_and_idempotent(text: str):
    assert is_safe(visible(text))
    assert "\n" not in visible(text)
    assert visible(visible(text)) == visible(text)


@given(
    st.recursive(
        st.text() | st.integers() | st.none() | st.booleans(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=10,
    )
)
@settings(max_examples=150, deadline=None)
def test_json_is_safe_and_loses_nothing(data: object):
    text = json_text(data)
    assert is_safe(text)
    assert json.loads(text) == data


def test_json_keeps_big_integers_surrogates_and_times():
    data = {"id": -(2**63), "text": "\ud800\x1b", "at": datetime(2025, 1, 2, tzinfo=UTC)}
    assert json.loads(json_text(data)) == {"id": -(2**63), "text": "\ud800\x1b", "at": "2025-01-02T00:00:00+00:00"}


def test_json_refuses_what_is_no_number():
    with pytest.raises(ValueError):
        json_text({"x": float("nan")})


def test_numbers():
    assert (count(1234567), count(None)) == ("1,234,567", "?")
    assert [size(value) for value in (0, 999, 1500, 250_000, 3.1e9, None)] == [
        "0 B",
        "999 B",
        "1.5 kB",
        "250 kB",
        "3.1 GB",
        "?",
    ]
    assert [seconds(value) for value in (0.042, 3.14, 31.4, 245)] == ["0.042 s", "3.1 s", "31 s", "4 min 5 s"]
    assert [times(value) for value in (1.34, 9.96, 4321, None)] == ["1.3×", "10×", "4,321×", "?"]
    now = datetime(2025, 1, 10, 12, tzinfo=UTC)
    moments = (
        "2025-01-10T11:59:30+00:00",
        "2025-01-10T11:57:00+00:00",
        "2025-01-09T11:00:00+00:00",
        "2025-01-08T11:00:00+00:00",
    )
    assert [ago(moment, now) for moment in moments] == ["just now", "3 min ago", "1 day ago", "2 days ago"]


def test_plain_table_aligns_wide_characters_and_cuts_nothing():
    heads = (Head("chunk"), Head("rows", True))
    lines = plain_table(heads, [["日本", "1,234,567"], ["x" * 300, "1"]])
    assert {display_width(line) for line in lines} == {300 + 2 + 9}
    assert "x" * 300 in lines[2]
    assert lines[1].startswith("日本 ")


def test_numbers_survive_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "100")
    stream = Terminal()
    heads = (Head("text"), *(Head(f"n{place}", True) for place in range(6)))
    Printer(out=stream).table(heads, [("word " * 60, *(123_456_789 for _ in range(6)))])
    assert stream.getvalue().count("123,456,789") == 6
    assert max(display_width(re.sub(r"\x1b\[[0-9;]*m", "", line)) for line in stream.getvalue().splitlines()) <= 100


def test_wrapped_keeps_words_and_indents():
    lines = wrapped("one two three four", 12, "  1  ")
    assert lines == ["  1  one two", "     three", "     four"]
    assert wrapped("", 12, "x ") == ["x "]


def test_results_go_to_stderr_where_stdout_carries_json():
    out, err = io.StringIO(), io.StringIO()
    printer = Printer(out=out, err=err, is_json=True)
    printer.line("for people")
    printer.json({"a": 1})
    assert json.loads(out.getvalue()) == {"a": 1}
    assert err.getvalue() == "for people\n"


def test_errors_are_two_lines(capsys: pytest.CaptureFixture[str]):
    show_error(InputError("bad \x1b[2J file", "look at\nline two"))
    assert capsys.readouterr().err == "error: bad \\x1b[2J file\n  → look at\nline two\n"


def test_marked_parts_stand_out_and_stay_safe() -> None:
    parts = [("before \x1b[2J ", False), ("cue", True), (" after [bold]", False)]
    plain, terminal = io.StringIO(), Terminal()
    Printer(out=plain).marked("  query  ", parts)
    assert plain.getvalue() == "  query  before \\x1b[2J »cue« after [bold]\n"
    Printer(out=terminal).marked("  query  ", [*parts, (" word" * 60, False)])
    lines = re.sub(r"\x1b\[[0-9;]*m", "", terminal.getvalue()).splitlines()
    assert len(lines) > 1
    assert all(line.startswith("         ") for line in lines[1:])
    assert "cue after [bold]" in lines[0]
    assert "\x1b[2J" not in terminal.getvalue()


def test_a_line_of_json_is_one_line() -> None:
    out = io.StringIO()
    Printer(out=out).json_line({"text": "a\nb\u2028c\x1b", "list": [1, {"x": None}]})
    assert out.getvalue().count("\n") == 1
    assert json.loads(out.getvalue()) == {"text": "a\nb\u2028c\x1b", "list": [1, {"x": None}]}
