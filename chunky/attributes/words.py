"""Words of one side that can tell themes apart, and each text as a sparse row of them: the alphabet of topics.

The vocabulary comes from the mix: words that some but not most rows hold, so that the stopwords of any language fall
out by their frequency. In scripts written without spaces a word is a pair of neighboring characters.
"""

from __future__ import annotations

from collections.abc import Sequence
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

    `phrases`: columns side, position, tokens, phrase, phrase_id, rows (`keywords.phrases`).
    """
    anywhere = phrases.filter((pl.col("side") == side) & (pl.col("position") == "anywhere"))
    phrase = pl.col("phrase")
    spaced = (pl.col("tokens") == 1) & phrase.str.contains(r"^[\p{L}\p{M}'‌‍\p{N}]{3,}$")
    is_word = spaced & phrase.str.contains(r"\p{L}") & ~phrase.str.contains(_SOLO)
    is_pair = (pl.col("tokens") == 2) & phrase.str.contains(f"^{_SOLO}{{2}}$")
    chosen = (
        anywhere.filter(is_word | is_pair)
        .filter((pl.col("rows") >= min_rows) & (pl.col("rows") <= max(min_rows, _COMMON_SHARE * mix_rows)))
        .sort(["rows", "phrase"], descending=[True, False])
        .head(_MAX_WORDS)
    )
    idf = np.log(mix_rows / chosen["rows"].to_numpy())
    return Words.of(side, chosen["phrase"].to_list(), idf.tolist(), chosen["phrase_id"].to_list())


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
