"""Words of one side that can tell themes apart, and each text as a sparse row of them: the alphabet of topics.

The vocabulary comes from the mix: words that some but not most rows hold, so that the stopwords of any language fall
out by their frequency. In scripts written without spaces a word is a pair of neighboring characters, of the pairs those
that are no mere pieces.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import polars as pl

from chunky.keywords import gram_hashes
from chunky.tokens import tokenize

if TYPE_CHECKING:
    from scipy.sparse import csr_array

F32 = npt.NDArray[np.float32]
I64 = npt.NDArray[np.int64]
U64 = npt.NDArray[np.uint64]

# Scripts without spaces: one character is no word there, two are.
_SOLO = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"
_COMMON_SHARE = 0.05  # a word in more rows than this is grammar or a habit of the mix, not a theme
_PIECE_TOKENS = 3  # a pair and one character beside it
_PIECE_SHARE = 0.5
_MAX_WORDS = 20_000
_SENTENCE_CHARS = 200
_OPENING = r"(?s)^(.*?(?:[.!?:]\s|[。！？\n])|.*$)"
_CLOSING = r"(?s)^(?:.*(?:[.!?]\s|[。！？\n]))?(.+)$"
_HEAD_CHARS = 1_200  # about two hundred words: a theme shows in them or is none


@dataclass(frozen=True)
class Words:
    """Vocabulary of one side: `ids` uint64 ascending (phrase ids), `words` the texts, `idf` float32; equal lengths."""

    side: str
    ids: U64
    words: tuple[str, ...]
    idf: F32

    @classmethod
    def of(cls, side: str, words: Sequence[str], idf: Sequence[float], ids: Sequence[int]) -> Words:
        """The vocabulary with these words in any order; `ids` are their signed phrase ids."""
        hashes = np.array(ids, np.int64).view(np.uint64)
        order = np.argsort(hashes)
        return cls(side, hashes[order], tuple(words[place] for place in order), np.array(idf, np.float32)[order])

    def rows(self, texts: pl.Series) -> csr_array:
        """Each text as a unit row over the vocabulary, float32 (texts, words): idf of the words that it holds.

        A word counts once a text however often it stands there: topics are what a text is about, not how long it is.
        """
        from scipy.sparse import csr_array

        tokens = tokenize(texts.str.head(_HEAD_CHARS), with_text=False)
        left = tokens.row_offsets[1:][tokens.rows] - np.arange(len(tokens))
        found = []
        for size, hashes in enumerate(gram_hashes(tokens, self.side, 2), start=1):
            first = np.flatnonzero(left[: len(hashes)] >= size)
            places = np.minimum(np.searchsorted(self.ids, hashes[first]), max(len(self.ids) - 1, 0))
            known = self.ids[places] == hashes[first] if len(self.ids) else np.zeros(len(first), np.bool_)
            found.append(tokens.rows[first[known]] << 32 | places[known])
        pairs = np.unique(np.concatenate([np.zeros(0, np.int64), *found]))
        rows, columns = pairs >> 32, pairs & 0xFFFFFFFF
        values = self.idf[columns]
        norms = np.sqrt(np.bincount(rows, values.astype(np.float64) ** 2, minlength=len(texts)))
        offsets = np.searchsorted(rows, np.arange(len(texts) + 1))
        values = (values / norms[rows]).astype(np.float32)
        return csr_array((values, columns, offsets), shape=(len(texts), len(self.ids)))


def vocabulary(phrases: pl.DataFrame, side: str, *, mix_rows: int, min_rows: int) -> Words:
    """The words of a side in `min_rows` rows or more and in at most a twentieth of the mix, the most frequent first.

    `phrases`: columns side, position, tokens, phrase, phrase_id, rows (`keywords.phrases`). In a script without spaces
    a twentieth is of the rows that hold the script, where these are more than a theme: else its grammar passes.
    """
    anywhere = phrases.filter((pl.col("side") == side) & (pl.col("position") == "anywhere"))
    phrase = pl.col("phrase")
    spaced = (pl.col("tokens") == 1) & phrase.str.contains(r"^[\p{L}\p{M}'‌‍\p{N}]{3,}$")
    is_word = spaced & phrase.str.contains(r"\p{L}") & ~phrase.str.contains(_SOLO)
    columns = ["phrase", "phrase_id", "rows", "of_rows"]
    words = anywhere.filter(is_word).with_columns(pl.lit(mix_rows, pl.Int64).alias("of_rows")).select(columns)
    chosen = (
        pl.concat([words, _pairs(anywhere, mix_rows).select(columns)], how="vertical_relaxed")
        .filter((pl.col("rows") >= min_rows) & (pl.col("rows") <= (_COMMON_SHARE * pl.col("of_rows")).clip(min_rows)))
        .sort(["rows", "phrase"], descending=[True, False])
        .head(_MAX_WORDS)
    )
    idf = np.log(chosen["of_rows"].to_numpy() / chosen["rows"].to_numpy())
    return Words.of(side, chosen["phrase"].to_list(), idf.tolist(), chosen["phrase_id"].to_list())


def _pairs(anywhere: pl.DataFrame, mix_rows: int) -> pl.DataFrame:
    """Pairs of characters that are words or stand for one: phrase, phrase_id, rows, of_rows.

    Every two neighbors are a pair, so most pairs are pieces: of two words (rarer than chance has it), or of
    a longer word (what a pair stands beside most of the time makes a more frequent pair with one of its characters).
    `of_rows`: rows that the commonest character of the script is in, where that is more than a theme; else `mix_rows`.
    """
    of_script = anywhere.filter(pl.col("phrase").str.contains(f"^{_SOLO}+$") & (pl.col("tokens") <= _PIECE_TOKENS))
    counts: dict[str, int] = dict(of_script.select("phrase", "rows").iter_rows())
    sizes: dict[str, int] = {}
    for text, rows in counts.items():
        if len(text) == 1:
            sizes[_script(text)] = max(sizes.get(_script(text), 0), rows)
    around = _neighbors(counts)
    kept = [
        (text, sizes.get(_script(text), mix_rows))
        for text, rows in counts.items()
        if len(text) == 2 and not _is_by_chance(text, rows, counts, sizes) and not _is_piece(text, rows, counts, around)
    ]
    known = pl.DataFrame(kept, schema={"phrase": pl.String, "of_rows": pl.Int64}, orient="row")
    size = pl.col("of_rows")
    return of_script.join(known, on="phrase", how="inner", maintain_order="left").with_columns(
        pl.when(size > _COMMON_SHARE * mix_rows).then(size).otherwise(mix_rows).alias("of_rows")
    )


def _script(text: str) -> str:
    """The script of a character without spaces around, as the first word of its Unicode name: CJK, HIRAGANA, THAI …"""
    return unicodedata.name(text[0], "?").split()[0]


def _neighbors(counts: Mapping[str, int]) -> dict[str, tuple[str, int]]:
    """Each pair with the commonest of the three-character phrases that hold it, and the rows of that one."""
    found: dict[str, tuple[str, int]] = {}
    for text, rows in counts.items():
        if len(text) == _PIECE_TOKENS:
            for pair in (text[:2], text[1:]):
                best = found.get(pair, ("", 0))
                if (rows, text) > (best[1], best[0]):
                    found[pair] = (text, rows)
    return found


def _is_by_chance(text: str, rows: int, counts: Mapping[str, int], sizes: Mapping[str, int]) -> bool:
    """Whether the pair is in fewer rows than two characters in so many rows each would share by chance."""
    expected = counts.get(text[0], rows) * counts.get(text[1], rows) / sizes.get(_script(text), rows)
    return rows < expected


def _is_piece(text: str, rows: int, counts: Mapping[str, int], around: Mapping[str, tuple[str, int]]) -> bool:
    """Whether the pair mostly stands inside one phrase of three characters whose other pair is more frequent."""
    whole, whole_rows = around.get(text, ("", 0))
    other = whole[1:] if whole[:2] == text else whole[:2]
    return whole_rows >= _PIECE_SHARE * rows and counts.get(other, 0) > rows


def sentence(texts: pl.Series, view: str) -> pl.Series:
    """The part of each text that a view sees: `whole`, or its `opening` or `closing` sentence, at most 200 characters.

    A text of one sentence opens and closes with it.
    """
    if view == "whole":
        return texts
    stripped = texts.str.strip_chars()
    parts = stripped.str.head(_SENTENCE_CHARS) if view == "opening" else stripped.str.tail(_SENTENCE_CHARS)
    found: pl.Series = parts.str.extract(_OPENING if view == "opening" else _CLOSING, 1).fill_null("")
    return found
