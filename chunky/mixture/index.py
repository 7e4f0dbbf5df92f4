"""The prompts of a mix, and those nearest to a new one: exact, the same in any batch.

    score(q, p) = ⅔ telling(q, p) + ⅙ words(q, p) + ⅙ meaning(q, p)                 each from 0 to 1

    telling   nats of the signs that q and p share / (nats of all signs of q + 1)   (`telling`: what a sign tells);
              those of ends and forms threefold, since a word is seen by n-grams of three lengths, they by one sign
    words     cosine of the signs, each weighted by its rarity: ln(prompts / prompts with it)
    meaning   cosine of the mean vectors of their words, 0 where it is negative

Telling has the most because it is what training teaches: of a prompt made of the body of one row and the cue of a
hundred others the words are the body's by far, and yet the cue decides the answer. Words and meaning find the subject.
The one nat in the divisor is doubt: a query whose signs tell next to nothing gets nothing of that part from anybody.

All weights are whole numbers and all sums stay below 2²⁴, so that float32 adds them exactly in any order: a score does
not depend on the batch, the block or the library that multiplies.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from chunky.errors import MissingTable
from chunky.mixture.postings import Collector, Postings
from chunky.mixture.signs import MAX_GRAM, answer_signs, prompt_signs, text_hashes
from chunky.mixture.telling import LEAST_ROWS, telling

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa
    from scipy.sparse import csr_array

F32 = npt.NDArray[np.float32]
I8 = npt.NDArray[np.int8]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]
U64 = npt.NDArray[np.uint64]
T = TypeVar("T")

__all__ = ["MixIndex", "Near", "build"]

TELLING, WORDS, MEANING = 2 / 3, 1 / 6, 1 / 6
_DOUBT = 1.0
_RARITY_UNITS, _NAT_UNITS, _VECTOR_UNITS = 4, 256, 127  # 9,000 signs, of 3,000 Han characters, stay below 2²⁴
_COMMON_SHARE = 0.1  # signs of more prompts say nothing about the subject, and their postings take most of the time
_COMMON_PROMPTS = 100  # where that is more, as in a small mix, time is no matter
_MOST_SHARE = 0.5
_QUERIES = 32  # at a time: 32 × 262,000 float32 are 34 MB
_PROMPTS = 32_768


class Near(NamedTuple):
    """The k nearest of each query: `numbers` int32 (q, k) of prompts, `scores` float32 (q, k), 0 to 1, best first."""

    numbers: I32
    scores: F32


@dataclass(frozen=True)
class MixIndex:
    """Distinct prompts of a mix, numbered by the lowest row id of each.

    `signs` are those that prompts share, `rarity` and `nats` (float32, whole numbers) their weights; `vectors` int8
    (prompts, d), d = 0 where there are none; prompt p is asked in the rows `row_ids[rows_from[p]:rows_from[p + 1]]`
    (int64, ascending), `hashes` uint64 (prompts,) know it again.
    """

    signs: Postings
    rarity: F32
    nats: F32
    vectors: I8
    points: Callable[[pl.Series], F32] | None
    row_ids: I64
    rows_from: I64
    hashes: U64

    def __len__(self) -> int:
        return len(self.hashes)

    @property
    def bytes(self) -> int:
        """Memory of the arrays."""
        own = (self.rarity, self.nats, self.vectors, self.row_ids, self.rows_from, self.hashes)
        return self.signs.bytes + sum(part.nbytes for part in own)

    def literal(self, queries: pl.Series) -> I64:
        """The prompt that is each query word for word, int64 (q,), -1 where none is."""
        hashes = text_hashes(queries)
        order = self._by_hash
        places = np.minimum(np.searchsorted(self.hashes[order], hashes), len(order) - 1)
        found = order[places]
        return np.where(self.hashes[found] == hashes, found, -1)

    def nearest(self, queries: Sequence[str], k: int) -> Near:
        """The k prompts of the highest score, ties by number; fewer where the mix has fewer."""
        import polars as pl

        texts = pl.Series("text", list(queries), dtype=pl.String)
        width = min(k, len(self))
        numbers, scores = np.zeros((len(texts), width), np.int32), np.zeros((len(texts), width), np.float32)
        for start in range(0, len(texts), _QUERIES):
            block = self._each(texts.slice(start, _QUERIES), lambda own: _best(own, width))
            for place, (best, kept) in enumerate(block, start):
                numbers[place], scores[place] = best, kept
        return Near(numbers, scores)

    def rows(self, number: int) -> I64:
        """Row ids of one prompt, int64, ascending."""
        return self.row_ids[self.rows_from[number] : self.rows_from[number + 1]]

    def scores(self, texts: pl.Series) -> F32:
        """The score of every prompt for each text, float32 (texts, prompts)."""
        parts = [self._each(texts.slice(start, _QUERIES), lambda own: own) for start in range(0, len(texts), _QUERIES)]
        return np.stack([own for part in parts for own in part])

    def _each(self, texts: pl.Series, use: Callable[[F32], T]) -> list[T]:
        """What `use` makes of the scores of all prompts, float32 (prompts,), for each of a few texts."""
        rows, signs = self.signs.known(prompt_signs(texts))
        borders = np.searchsorted(rows, np.arange(len(texts) + 1))
        queries = None if self.points is None else _whole(self.points(texts)).astype(np.float32)
        similar = np.zeros((len(texts), 0), np.float32) if queries is None else self._similar(queries)

        def work(place: int) -> T:
            return use(self._scored(signs[borders[place] : borders[place + 1]], similar[place]))

        # a pass over postings lets other threads run, so two cores take half the time
        with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
            return list(pool.map(work, range(len(texts))))

    def _scored(self, signs: I64, similar: F32) -> F32:
        """Scores of all prompts for one text, by its signs and the likeness of their meanings to its own (or none)."""
        weights = self._weights[signs]
        own = weights.sum(axis=0)
        shared = np.asarray(self._matrix[signs].T @ weights) if len(signs) else np.zeros((len(self), 2), np.float32)
        found: F32 = shared[:, 0] * np.float32(TELLING / (float(own[0]) + _DOUBT * _NAT_UNITS))
        if own[1]:
            found += shared[:, 1] * self._inverse_norms * np.float32(WORDS / float(own[1]) ** 0.5)
        if len(similar):
            found += similar
        return found

    def _similar(self, queries: F32) -> F32:
        """The part of the score that is meaning, float32 (queries, prompts)."""
        found = np.empty((len(queries), len(self)), np.float32)
        for start in range(0, len(self), _PROMPTS):
            block = self.vectors[start : start + _PROMPTS].astype(np.float32)
            np.matmul(queries, block.T, out=found[:, start : start + _PROMPTS])
        np.maximum(found, 0, out=found)
        found *= np.float32(MEANING / _VECTOR_UNITS**2)
        return found

    @cached_property
    def _by_hash(self) -> I64:
        return np.argsort(self.hashes)

    @cached_property
    def _matrix(self) -> csr_array:
        return self.signs.matrix()

    @cached_property
    def _weights(self) -> F32:
        """Nats and rarity of each sign side by side: one pass over the postings adds up both."""
        return np.stack([self.nats, self.rarity], axis=1)

    @cached_property
    def _inverse_norms(self) -> F32:
        norms = np.sqrt(self.signs.sums(self.rarity))
        return np.divide(1, norms, out=np.zeros_like(norms), where=norms > 0)


def _best(scores: F32, k: int) -> tuple[I64, F32]:
    """The k highest scores and their places, ties by place."""
    width = min(k, len(scores))
    least = np.partition(scores, len(scores) - width)[len(scores) - width]
    able = np.flatnonzero(scores >= least)
    best = able[np.lexsort((able, -scores[able]))[:width]]
    return best, scores[best]


def build(batches: Iterable[pa.Table | pa.RecordBatch], points: Callable[[pl.Series], F32] | None = None) -> MixIndex:
    """The index of a stream of rows (row_id int64, query, response; no nulls), read once, in any order.

    `points` gives texts as unit vectors, float32 (texts, d), zeros for a text without any. MissingTable for no rows.
    """
    gathered = _Gathered(points)
    for batch in batches:
        gathered.add(batch)
    if not gathered.rows:
        raise MissingTable("the mix has no rows, and so no answers", "take files in first: chunky ingest PATH…")
    return gathered.index()


class _Gathered:
    """What is known of the rows read so far."""

    def __init__(self, points: Callable[[pl.Series], F32] | None) -> None:
        self.rows = 0
        self._points = points
        self._prompts, self._answers = Collector(), Collector()
        self._row_ids: list[I64] = []
        self._hashes: list[U64] = []
        self._pairs: list[U64] = []
        self._vectors: list[I8] = []

    def add(self, batch: pa.Table | pa.RecordBatch) -> None:
        """The rows of one batch."""
        import polars as pl

        frame = pl.DataFrame(batch)
        for start in range(0, frame.height, 4_096):  # tokens take 60 bytes a character
            part = frame.slice(start, 4_096)
            queries, responses = (part[name].cast(pl.String).fill_null("") for name in ("query", "response"))
            self._prompts.add(prompt_signs(queries), self.rows)
            self._answers.add(answer_signs(responses), self.rows)
            self._row_ids.append(part["row_id"].to_numpy().astype(np.int64))
            self._hashes.append(text_hashes(queries))
            self._pairs.append(text_hashes(queries) ^ text_hashes(responses) * np.uint64(0x9E3779B97F4A7C15))
            if self._points is not None:
                self._vectors.append(_whole(self._points(queries)))
            self.rows += part.height

    def index(self) -> MixIndex:
        """The finished index; what was gathered is let go."""
        row_ids, hashes = np.concatenate(self._row_ids), np.concatenate(self._hashes)
        order = np.argsort(row_ids)
        _, first, group = np.unique(hashes[order], return_index=True, return_inverse=True)
        # a prompt's number follows its first row in order of row ids
        numbers = np.empty(len(first), np.int64)
        numbers[np.argsort(first)] = np.arange(len(first))
        of_row = np.empty(len(row_ids), np.int64)
        of_row[order] = numbers[group]
        firsts = order[np.sort(first)]
        renumbered = np.full(len(row_ids), -1, np.int64)
        renumbered[firsts] = np.arange(len(firsts))
        # of what one prompt alone has, words are kept: of 20,000 real prompts two thirds of all signs are of one alone,
        # and a longer n-gram brings nobody whom its words do not bring
        signs = self._prompts.postings(renumbered, len(firsts), least=2, most=_MOST_SHARE, keeps_words=True)
        nats = self._told(signs, renumbered, len(firsts))
        share = signs.counts / len(firsts)
        rarity = np.log(1 / share) ** 2 * ((share <= _COMMON_SHARE) | (signs.counts <= _COMMON_PROMPTS))
        # the postings of a common sign take time with every query: it has to tell more
        nats = nats * (nats >= share) * np.where(signs.is_once, MAX_GRAM, 1)
        kept = (rarity > 0) | (nats > 0)
        signs, rarity, nats = signs.only(kept), rarity[kept], nats[kept]
        by_prompt = np.lexsort((row_ids, of_row))
        vectors = (
            np.concatenate(self._vectors)[firsts] if self._points is not None else np.zeros((len(firsts), 0), np.int8)
        )
        return MixIndex(
            signs, _in_units(rarity, _RARITY_UNITS), _in_units(nats, _NAT_UNITS), vectors, self._points,
            row_ids[by_prompt], np.searchsorted(of_row[by_prompt], np.arange(len(firsts) + 1)),
            hashes[firsts],
        )  # fmt: skip

    def _told(self, signs: Postings, renumbered: I64, size: int) -> npt.NDArray[np.float64]:
        answers = self._answers.postings(renumbered, size, least=LEAST_ROWS, most=_MOST_SHARE)
        return telling(signs, answers)


def _in_units(values: npt.NDArray[np.float64], units: int) -> F32:
    return np.round(values * units).astype(np.float32)


def _whole(points: F32) -> I8:
    """Unit vectors in whole steps of 1/127."""
    return np.round(points * _VECTOR_UNITS).astype(np.int8)
