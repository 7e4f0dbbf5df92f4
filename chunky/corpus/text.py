"""Hostile text made harmless: what a terminal may be shown, and what counts as blank."""

from __future__ import annotations

EXCERPT_CHARS = 200

# Exactly the characters for which str.isspace() holds, as an RE2 class: matches a text that is not blank.
NOT_BLANK = (
    r"[^\x{09}-\x{0d}\x{1c}-\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}]"
)


def escape(text: str) -> str:
    """`text` with every character that a terminal could act upon (controls, bidi marks, surrogates) spelled out."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


def excerpt(record: object) -> str:
    """The first 200 characters of a record (bytes, text, or a value that is shown as JSON), escaped."""
    if isinstance(record, bytes):
        # 4 bytes a character at most; a character cut in two shows as escaped bytes and is cut off below
        return escape(record[: EXCERPT_CHARS * 4 + 4].decode("utf-8", "backslashreplace")[:EXCERPT_CHARS])
    if isinstance(record, str):
        return escape(record[:EXCERPT_CHARS])
    import json

    return escape(json.dumps(record, ensure_ascii=False, default=repr)[:EXCERPT_CHARS])
