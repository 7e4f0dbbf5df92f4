"""Signs: what can be seen of a text without understanding it, as hashes.

A text has each word 1-, 2- and 3-gram that it holds, those with which it opens and closes as signs of their own, and
its forms: case, size, script, layout. N-grams are those of `chunky.tokens`, so they know punctuation and no case.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from chunky.keywords import gram_hashes
from chunky.tokens import mix64, tokenize

if TYPE_CHECKING:
    import polars as pl

    from chunky.tokens import Tokens

I64 = npt.NDArray[np.int64]
U64 = npt.NDArray[np.uint64]

__all__ = ["ONCE_BIT", "WORD_BIT", "Signs", "answer_signs", "prompt_signs", "text_hashes"]

WORD_BIT = np.uint64(1 << 63)
"""Set in the hash of a single word, and of nothing else."""
ONCE_BIT = np.uint64(1 << 62)
"""Set in the hash of what a text shows once: how it opens, how it closes, a form. N-grams overlap, and do so thrice."""
MAX_GRAM = 3
# Of a longer prompt the beginning and the end, where instructions stand; of the real mix one in a hundred is longer.
_HEAD_CHARS, _TAIL_CHARS = 2_400, 600
# Of an answer: how it begins and ends tells a habit, its middle the subject.
_ANSWER_HEAD, _ANSWER_TAIL = 160, 80


class Signs(NamedTuple):
    """Distinct (text, sign) pairs: `rows` int64, place of the text; `hashes` uint64; in no order."""

    rows: I64
    hashes: U64


def _salt(name: str) -> np.uint64:
    return np.uint64(int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "little"))


_KINDS = WORD_BIT | ONCE_BIT
_OPENING, _CLOSING = _salt("opening"), _salt("closing")
# pattern or range of a form → its name; each is a sign where it holds
_PATTERNS: dict[str, str] = {
    "all capitals": r"\A[^\p{Ll}]*\p{Lu}[^\p{Ll}]*\z",
    "no capital": r"\A[^\p{Lu}]*\p{Ll}[^\p{Lu}]*\z",
    "title case": r"\A(?:[^\p{L}]*\p{Lu}[\p{Ll}\p{M}]*(?:['’][\p{Ll}\p{M}]+)*(?:[^\p{L}'’]|\z)){3,}[^\p{L}]*\z",
    "opens in lower case": r"\A\s*\p{Ll}",
    "ends in a letter or digit": r"[\p{L}\p{N}]\s*\z",
    "a table": r"(?m)^\s*\|.*\|.*\|\s*$",
    "a fence": r"```",
    "a heading": r"(?m)^#{1,6} \S",
    "bold": r"\*\*\S",
    "list marks": r"(?m)^\s*[-*•+–→‣~»] \S.*\n\s*[-*•+–→‣~»] \S",
    "numbers before lines": r"(?m)^\s*\(?[0-9]+[.):] \S",
    "a JSON object": r"\A\s*[\[{]\s*[\"\[{]",
    "an XML tag": r"<[a-zA-Z/][^<>\n]*>",
    "a formula": r"\$[^$\n]+\$|\\[(\[]|\\(?:frac|sqrt|begin)",
    "a link": r"https?://",
    "a slot": r"\{\{?[^{}\n]+\}\}?|\$\{[^{}\n]+\}|%[A-Z_]+%|\[[A-Z_ ]+\]",
    "a question": r"[?？؟]\s*\z",
    "a semicolon chain": r"(?s);.*;\s*\z",
    "quotation": r"[\"“«].+[\"”»]",
    "an emoji": r"[\x{1F300}-\x{1FAFF}\x{2600}-\x{27BF}]",
    **{
        f"{script} script": rf"\p{{{script}}}"
        for script in (
            "Arabic", "Armenian", "Bengali", "Cyrillic", "Devanagari", "Ethiopic", "Georgian", "Greek", "Gujarati",
            "Gurmukhi", "Han", "Hangul", "Hebrew", "Hiragana", "Kannada", "Katakana", "Khmer", "Lao", "Malayalam",
            "Myanmar", "Sinhala", "Tamil", "Telugu", "Thai",
        )
    },
    "other letters than Latin": r"[^\P{L}\p{Latin}]",
    "accents": r"[àâäçèéêëìíîïñòóôöùúûüßąćęłńśźżãõåæø]",
}  # fmt: skip
_SHORT_WORDS = 3


def text_hashes(texts: pl.Series) -> U64:
    """A hash of each text as it stands but for white space around it, uint64: what makes two prompts one."""
    return texts.str.strip_chars().hash(11).to_numpy()


def prompt_signs(texts: pl.Series) -> Signs:
    """All signs of each prompt."""
    import polars as pl

    frame = texts.fill_null("").alias("text").to_frame()
    text = pl.col("text")
    is_long = text.str.len_chars() > _HEAD_CHARS + _TAIL_CHARS
    parts = pl.concat_str(text.str.head(_HEAD_CHARS), pl.lit("\n"), text.str.tail(_TAIL_CHARS))
    seen = frame.select(text=pl.when(is_long).then(parts).otherwise(text))["text"]
    tokens = tokenize(seen, with_text=False)
    return _distinct([*_grams(tokens), *_ends(tokens), _forms(frame["text"], seen)])


def answer_signs(texts: pl.Series) -> Signs:
    """Signs of how each answer begins and ends: its first and last words, and its forms."""
    known = texts.fill_null("")
    head = tokenize(known.str.strip_chars_start().str.head(_ANSWER_HEAD), with_text=False)
    tail = tokenize(known.str.strip_chars_end().str.tail(_ANSWER_TAIL), with_text=False)
    parts = [next(_grams(head)), *_edge(head, True), next(_grams(tail)), *_edge(tail, False)]
    return _distinct([*parts, _forms(known, known.str.head(_HEAD_CHARS))])


def _grams(tokens: Tokens) -> Iterator[Signs]:
    """N-grams of every length, wherever they stand."""
    rows = tokens.rows
    left = tokens.row_offsets[1:][rows] - np.arange(len(tokens))
    for size, hashes in enumerate(gram_hashes(tokens, "query", MAX_GRAM), start=1):
        first = np.flatnonzero(left[: len(hashes)] >= size)
        found = hashes[first]
        yield Signs(rows[first], (found & ~_KINDS) | (WORD_BIT if size == 1 else np.uint64(0)))


def _ends(tokens: Tokens) -> list[Signs]:
    return [*_edge(tokens, True), *_edge(tokens, False)]


def _edge(tokens: Tokens, is_opening: bool) -> list[Signs]:
    """N-grams with which texts open, or close."""
    begins, ends = tokens.row_offsets[:-1], tokens.row_offsets[1:]
    found = []
    for size, hashes in enumerate(gram_hashes(tokens, "query", MAX_GRAM), start=1):
        rows = np.flatnonzero(ends - begins >= size)
        places = begins[rows] if is_opening else ends[rows] - size
        found.append(Signs(rows, _once(mix64(hashes[places] ^ (_OPENING if is_opening else _CLOSING)))))
    return found


def _forms(texts: pl.Series, seen: pl.Series) -> Signs:
    """Forms of each text; sizes are those of the whole, patterns look at what is `seen` of it."""
    import polars as pl

    column = pl.col("text")
    words = column.str.count_matches(r"\S+")
    flags = {name: column.str.contains(pattern) for name, pattern in _PATTERNS.items()}
    flags[f"{_SHORT_WORDS} words at most"] = words <= _SHORT_WORDS
    told = seen.alias("text").to_frame().select(**flags)
    sizes = texts.alias("text").to_frame().select(
        size=column.str.len_chars().cast(pl.Float64).add(1).log(2).floor().cast(pl.Int64),
        lines=(column.str.count_matches("\n") + 1).cast(pl.Float64).log(2).floor().cast(pl.Int64),
    )  # fmt: skip
    rows, hashes = [], []
    for name in told.columns:
        held = told[name].fill_null(False).arg_true().to_numpy().astype(np.int64)
        rows.append(held)
        hashes.append(_once(np.full(len(held), _salt(f"form {name}"), np.uint64)))
    for name in sizes.columns:
        values = sizes[name].to_numpy()
        rows.append(np.arange(len(values)))
        hashes.append(_once(mix64(values.astype(np.uint64) + _salt(f"form {name}"))))
    return Signs(np.concatenate(rows), np.concatenate(hashes))


def _once(hashes: U64) -> U64:
    return (hashes & ~_KINDS) | ONCE_BIT


def _distinct(parts: list[Signs]) -> Signs:
    """Each sign once a text."""
    rows = np.concatenate([part.rows for part in parts])
    hashes = np.concatenate([part.hashes for part in parts])
    order = np.lexsort((hashes, rows))
    rows, hashes = rows[order], hashes[order]
    is_first = np.ones(len(rows), np.bool_)
    is_first[1:] = (rows[1:] != rows[:-1]) | (hashes[1:] != hashes[:-1])
    return Signs(rows[is_first], hashes[is_first])
