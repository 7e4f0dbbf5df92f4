"""What a shape is, and the few ways to define one.

Every expression must stay linear in the length of the text. Rust regular expressions are, and `str.contains` stops at
the first match; what costs is the Unicode word boundary, which drops the engine out of its automaton on the first
non-ASCII byte. So all word boundaries here are ASCII ones (`EDGE`), and character classes are spelled out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

__all__ = ["EDGE", "Expression", "Shape", "both", "every", "pattern", "query", "response", "stripped_length", "words"]

Expression = Callable[[pl.Expr], pl.Expr]

QUERY = ("query",)
RESPONSE = ("response",)
BOTH = ("query", "response")

EDGE = r"(?-u:\b)"
"""An ASCII word boundary."""


@dataclass(frozen=True)
class Shape:
    """A named yes/no feature of one text.

    `name` is a snake_case noun phrase, unique over the library. `sides` says where the shape makes sense. `text`
    completes "the query …" or "the response …". `expression` takes a String column without nulls and gives a Boolean
    column without nulls of the same length.
    """

    name: str
    sides: tuple[str, ...]
    text: str
    expression: Expression


def pattern(regex: str) -> Expression:
    """Whether a Rust regular expression matches somewhere in the text; `$` is the end of the whole text."""
    return lambda text: text.str.contains(regex)


def every(*regexes: str, no: str | None = None) -> Expression:
    """Whether all regular expressions match, and `no` (where given) does not: a look-around in linear time."""

    def expression(text: pl.Expr) -> pl.Expr:
        found = pl.all_horizontal(text.str.contains(regex) for regex in regexes)
        return found if no is None else found & ~text.str.contains(no)

    return expression


def words(alternatives: str) -> str:
    """A regular expression for whole words or phrases in any case; alternatives are separated by `|`."""
    return f"(?i){EDGE}(?:{alternatives}){EDGE}"


def stripped_length(text: pl.Expr) -> pl.Expr:
    """Length in characters without the white space at both ends, UInt32."""
    return text.str.strip_chars().str.len_chars()


def _shape(sides: tuple[str, ...], name: str, text: str, test: str | Expression) -> Shape:
    return Shape(name, sides, text, pattern(test) if isinstance(test, str) else test)


def both(name: str, text: str, test: str | Expression) -> Shape:
    """A shape of queries and of responses; `test` is a regular expression or an expression."""
    return _shape(BOTH, name, text, test)


def query(name: str, text: str, test: str | Expression) -> Shape:
    """A shape of queries alone."""
    return _shape(QUERY, name, text, test)


def response(name: str, text: str, test: str | Expression) -> Shape:
    """A shape of responses alone."""
    return _shape(RESPONSE, name, text, test)
