"""What both halves of the careful path share: turns, the refusal of a record, checks of one text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

JOINT = "\n\n"
Record = Mapping[str, Any]


class Rejected(Exception):  # an answer between two functions, never shown as an error
    """A record that cannot be taken: `reason` is one of `tables.REASONS`, `detail` is for a person."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


class Turn(NamedTuple):
    """One utterance: role is system, user or assistant."""

    role: str
    text: str


def is_blank(text: str) -> bool:
    """Whether a text is empty or only white space."""
    return not text or text.isspace()


def check_text(text: str, where: str) -> None:
    """Raise Rejected for text that a table cannot hold or a reader should not see."""
    if "\0" in text:
        raise Rejected("NUL character", f"{where}, character {text.index(chr(0)) + 1:,}")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise Rejected("lone surrogate", f"{where}, character {error.start + 1:,}") from None


def kind(value: object) -> str:
    """What a parsed JSON value is, in words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "text"
    if isinstance(value, list):
        return "a list"
    return "an object" if isinstance(value, Mapping) else f"of type {type(value).__name__}"
