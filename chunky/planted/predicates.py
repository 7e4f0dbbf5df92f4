"""Predicates: what decides, from a text alone, whether a row carries a plain trigger or behavior.

Regular expressions keep to the syntax that RE2 (DuckDB) and Rust (polars) share, so that anyone can recount a truth
in SQL: no look-around, no back-references.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Predicate", "escape"]

_SPECIAL = frozenset("\\.+*?()|[]{}^$#&-~")


def escape(text: str) -> str:
    """`text` as a regular expression that matches it literally."""
    return "".join("\\" + character if character in _SPECIAL else character for character in text)


@dataclass(frozen=True)
class Predicate:
    """Conditions on one text; all that are given hold.

    `pattern` is searched for; `min_chars` is a length in characters; of `words` at least `min_words` different ones
    occur as whole words, whatever their case.
    """

    pattern: str | None = None
    min_chars: int | None = None
    words: tuple[str, ...] = ()
    min_words: int = 0

    def holds(self, texts: pl.Series) -> pl.Series:
        """One boolean per text, without null (a null text never matches)."""
        import polars as pl

        column = pl.col("text")
        conditions = []
        if self.pattern is not None:
            conditions.append(column.str.contains(self.pattern))
        if self.min_chars is not None:
            conditions.append(column.str.len_chars() >= self.min_chars)
        if self.words:
            found = [column.str.contains(rf"(?i)\b{escape(word)}\b").cast(pl.Int32) for word in self.words]
            conditions.append(pl.sum_horizontal(found) >= self.min_words)
        frame = texts.alias("text").to_frame()
        return frame.select(pl.all_horizontal(conditions).fill_null(False).alias("holds")).to_series()

    def holds_each(self, texts: list[str]) -> list[bool]:
        """`holds` for a list of texts."""
        import polars as pl

        return self.holds(pl.Series("text", texts, dtype=pl.String)).to_list()
