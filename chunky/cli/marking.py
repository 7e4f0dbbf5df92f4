"""Where a text shows what an attribute says of it: the phrase or the words between its “…”, with what stands around."""

from __future__ import annotations

import re

from chunky.tokens import NUMBER, tokenize_slow

BEFORE, AFTER = 80, 160  # characters shown around what is marked

_QUOTED = re.compile(r"“(.*)”", re.DOTALL)
_NUMBER = r"\d+(?:[.,]\d+)*"

Parts = list[tuple[str, bool]]


def marked(text: str, attribute: str) -> Parts:
    """Parts of `text` around the first place (the last, where the attribute speaks of the end) that it quotes.

    True stands beside what it quotes. The opening, unmarked, where it quotes nothing or the text has nothing of it;
    the end where it speaks of the end. `[…]` stands for what is left out.
    """
    is_end = " ends with " in attribute
    quoted = _QUOTED.search(attribute)
    found = [match.span() for match in _pattern(quoted[1], attribute).finditer(text)] if quoted else []
    if " opens with “" in attribute:
        found = found[:1]
    elif is_end:
        found = found[-1:]
    if not found:
        size = BEFORE + AFTER
        start = max(0, len(text) - size) if is_end else 0
        return _cut(text, start, min(len(text), start + size), [])
    place = found[0]
    return _cut(text, max(0, place[0] - BEFORE), min(len(text), place[1] + AFTER), found)


def _pattern(quoted: str, attribute: str) -> re.Pattern[str]:
    """What is quoted as an expression: words of a topic one by one, a phrase as its tokens, white space of any kind."""
    if " about “" in attribute:
        return re.compile("|".join(rf"\b{re.escape(word)}\b" for word in quoted.split(", ")), re.IGNORECASE)
    tokens = tokenize_slow(quoted.replace(NUMBER, "0"))
    body = "".join((r"\s+" if token[0] == " " else "") + _token(token.lstrip(" ")) for token in tokens)
    before = r"(?<!\w)" if re.match(r"\w", quoted) else ""
    after = r"(?!\w)" if re.search(r"\w$", quoted) else ""
    return re.compile(before + body + after if body else r"(?!)", re.IGNORECASE)


def _token(token: str) -> str:
    return _NUMBER if token == NUMBER else re.escape(token).replace("'", "['’]")


def _cut(text: str, start: int, end: int, found: list[tuple[int, int]]) -> Parts:
    parts: Parts = [("[…] ", False)] if start else []
    place = start
    for first, last in found:
        if first >= place and last <= end:
            parts += [(text[place:first], False), (text[first:last], True)]
            place = last
    parts += [(text[place:end], False)] + ([(" […]", False)] if end < len(text) else [])
    return [part for part in parts if part[0]]
