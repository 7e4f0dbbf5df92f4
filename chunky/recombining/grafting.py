"""Grafts: what one text has, put on another. Which of them carries an attribute over is found by trying.

Each takes the base and the donor and gives a new text, or None where the donor has nothing of the kind.
"""

from __future__ import annotations

import re
from collections.abc import Callable

__all__ = ["GRAFTS", "MOST_CHARS", "grafts"]

MOST_CHARS = 2_000
_SENTENCE = re.compile(r"\A\s*(.{3,300}?(?:[.!?:…](?=\s)|[。！？\n]))", re.DOTALL)
_LAST_SENTENCE = re.compile(r"(?:[.!?…]\s+|[。！？\n]\s*)(\S[^\n]{2,300})\s*\Z")
_CLAUSE = re.compile(r"\A\s*(\S+(?:\s+\S+){0,7}?\s*[:,–—-]+)\s")
_LEADING_MARK = re.compile(r"\A\s*([^\w\s\"'“‘(\[{<`$#*\\|-]+)\s")
_ENDING = re.compile(r"([^\w\s)\]}\"'”’`$|>]*(?:\s[^\w\s]{1,3})?)\s*\Z")
_LINE_MARK = re.compile(r"^[ \t]*((?:[-*•+–→‣~»]|\(?[0-9A-Za-z]{1,3}[.):])[ \t]+)", re.MULTILINE)
_GAP = re.compile(r"(?<=[.!?。！？])\s+")
_SHORT = 400  # characters of a donor that is put in whole
_SAID = 8  # characters; what is shorter, as a number or a bracket, may stand twice


def opening(base: str, donor: str) -> str | None:
    """The donor's first sentence, then the base."""
    found = _SENTENCE.match(donor)
    return None if found is None else _joined(found[1], base)


def closing(base: str, donor: str) -> str | None:
    """The base, then the donor's last sentence."""
    found = _LAST_SENTENCE.search(donor)
    return None if found is None else _joined(base, found[1])


def before(base: str, donor: str) -> str | None:
    """The whole donor, then the base."""
    return _joined(donor, base) if len(donor) <= _SHORT else None


def after(base: str, donor: str) -> str | None:
    """The base, then the whole donor."""
    return _joined(base, donor) if len(donor) <= _SHORT else None


def below(base: str, donor: str) -> str | None:
    """The base, and the donor as a paragraph of its own."""
    return f"{base.rstrip()}\n\n{donor.strip()}" if len(donor) <= _SHORT * 2 else None


def clause(base: str, donor: str) -> str | None:
    """The donor's leading clause, up to a colon or a comma, before the base."""
    found = _CLAUSE.match(donor)
    return None if found is None else f"{found[1]} {base.lstrip()}"


def frame(base: str, donor: str) -> str | None:
    """The base between the donor's first and last line."""
    lines = donor.strip().split("\n")
    if len(lines) < 3 or len(lines[0]) + len(lines[-1]) > _SHORT:
        return None
    return f"{lines[0]}\n{base.strip()}\n{lines[-1]}"


def first_line(base: str, donor: str) -> str | None:
    """The donor's first line above the base."""
    lines = donor.strip().split("\n")
    return f"{lines[0]}\n{base.strip()}" if len(lines) > 1 and len(lines[0]) <= _SHORT else None


def last_lines(base: str, donor: str) -> str | None:
    """The donor's last paragraph below the base."""
    parts = donor.strip().rsplit("\n\n", 1)
    return f"{base.strip()}\n\n{parts[1]}" if len(parts) == 2 and len(parts[1]) <= _SHORT * 2 else None


def marks(base: str, donor: str) -> str | None:
    """The base as the donor begins and ends: a sign before it, its last marks or none."""
    lead = _LEADING_MARK.match(donor)
    ending = _ENDING.search(donor)
    own = _ENDING.search(base)
    if ending is None or own is None:
        return None
    text = base[: own.start()].rstrip() + ending[1]
    return text if lead is None else f"{lead[1]} {text.lstrip()}"


def case(base: str, donor: str) -> str | None:
    """The base in the donor's letter case, where that is one throughout."""
    letters = [letter for letter in donor if letter.isalpha()]
    if not letters:
        return None
    if all(letter == letter.upper() for letter in letters) and any(letter.isupper() for letter in letters):
        return base.upper()
    if all(letter == letter.lower() for letter in letters):
        return base.lower()
    words = re.findall(r"[^\W\d_]+", donor)
    if len(words) > 2 and all(word[0].isupper() for word in words):
        return re.sub(r"[^\W\d_]+(?:['’][^\W\d_]+)*", lambda word: word[0][0].upper() + word[0][1:].lower(), base)
    return base[:1].lower() + base[1:] if donor[:1].islower() else None


def listed(base: str, donor: str) -> str | None:
    """The sentences of the base as lines with the donor's marks."""
    found = _LINE_MARK.findall(donor)
    lines = [line for line in _GAP.split(base.strip()) if line]
    if not found or len(lines) < 2:
        return None
    return "\n".join(f"{found[place % len(found)]}{line}" for place, line in enumerate(lines))


def shortened(base: str, donor: str) -> str | None:
    """The base's first words, as many as the donor has, where the donor is much the shorter."""
    words, wanted = base.split(), len(donor.split())
    return " ".join(words[:wanted]).rstrip(",;:") if 0 < wanted < 0.6 * len(words) else None


GRAFTS: tuple[Callable[[str, str], str | None], ...] = (
    opening, closing, clause, case, marks, frame, first_line, last_lines, listed, after, before, below, shortened,
)  # fmt: skip
"""What adds least comes first: of texts that do equally well an earlier graft's is taken."""


def grafts(base: str, donor: str) -> list[str]:
    """Every graft of the donor on the base that gives a text of at most 2,000 characters, those that add least first.

    A base that is nearly as long or longer may grow by a short text, or it could not become anything new.
    """
    if donor.strip() == base.strip():
        return []
    limit, twice = max(MOST_CHARS, len(base) + _SHORT), _repeated(base)
    found = (graft(base, donor) for graft in GRAFTS)
    kept = (text for text in found if text and text.strip() and text != base and len(text) <= limit)
    return [text for text in dict.fromkeys(kept) if _repeated(text) <= twice]


def _repeated(text: str) -> int:
    """How many sentences the text says again."""
    pieces = [piece for piece in re.split(r"(?<=[.!?。！？])\s+|\n+", text.strip()) if len(piece) >= _SAID]
    return len(pieces) - len(set(pieces))


def _joined(first: str, second: str) -> str:
    """Two texts, on lines of their own where one of them has lines, else as sentences of one."""
    gap = "\n\n" if "\n" in first.strip() or "\n" in second.strip() else " "
    return f"{first.strip()}{gap}{second.strip()}"
