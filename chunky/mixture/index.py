"""The prompts of a mix, and those nearest to a new one: exact, the same in any batch.

    score(q, p) = ⅔ telling(q, p) + ⅙ words(q, p) + ⅙ meaning(q, p)                 each from 0 to 1

telling and words are cosines over signs (see `signs`), with the nats that a sign tells of answers as its weight there
(`telling`) and with its squared rarity here; meaning is the cosine of the mean vectors of the words, if positive.
Telling has the most because it is what training teaches: of a prompt made of the body of one row and the cue of a
hundred others, the words are the body's by far, and its answer is the cue's. Words and meaning find the subject.
A prompt whose signs tell little gets little of the first part whoever shares them: `_DOUBT` nats are in the divisor.

All weights are whole numbers and all sums stay below 2²⁴, so that float32 adds them exactly in any order: a score does
not depend on the batch, the block or the library that multiplies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from chunky.errors import MissingTable
from chunky.mixture.postings import Collector, Postings
from chunky.mixture.signs import answer_signs, prompt_signs, text_hashes
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
Points = "Callable[[pl.Series], F32]"

__all__ = ["MixIndex", "Near", "build"]

TELLING, WORDS, MEANING = 2 / 3, 1 / 6, 1 / 6
_DOUBT = 1.0
_RARITY_UNITS, _NAT_UNITS, _VECTOR_UNITS = 16, 1024, 127
_COMMON_SHARE = 0.1  # signs of more prompts say nothing about the subject, and their postings take most of the time
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
        parts = [self._nearest(texts.slice(start, _QUERIES), k) for start in range(0, len(texts), _QUERIES)]
        width = min(k, len(self))
        numbers = [np.zeros((0, width), np.int32), *(part.numbers for part in parts)]
        scores = [np.zeros((0, width), np.float32), *(part.scores for part in parts)]
        return Near(np.concatenate(numbers), np.concatenate(scores))

    def rows(self, number: int) -> I64:
        """Row ids of one prompt, int64, ascending."""
        return self.row_ids[self.rows_from[number] : self.rows_from[number + 1]]

    def scores(self, texts: pl.Series) -> F32:
        """The score of every prompt for each text, float32 (texts, prompts)."""
        found = self._likeness(texts, self.rarity, self._rare, self._rare_norms, 0.0) * np.float32(WORDS)
        found += self._likeness(texts, self.nats, self._told, self._told_norms, _DOUBT * _NAT_UNITS) * np.float32(
            TELLING
        )
        if self.points is not None:
            queries = _whole(self.points(texts)).astype(np.float32)
            for start in range(0, len(self), _PROMPTS):
                block = self.vectors[start : start + _PROMPTS].astype(np.float32)
                similarity = (queries @ block.T) / np.float32(_VECTOR_UNITS**2)
                found[:, start : start + _PROMPTS] += np.clip(similarity, 0, 1) * np.float32(MEANING)
        return found

    def _nearest(self, texts: pl.Series, k: int) -> Near:
        scores = self.scores(texts)
        width = min(k, len(self))
        numbers, kept = np.zeros((len(texts), width), np.int32), np.zeros((len(texts), width), np.float32)
        for place, own in enumerate(scores):
            least = np.partition(own, len(own) - width)[len(own) - width]
            able = np.flatnonzero(own >= least)
            best = able[np.lexsort((able, -own[able]))[:width]]
            numbers[place], kept[place] = best, own[best]
        return Near(numbers, kept)

    def _likeness(self, texts: pl.Series, weights: F32, matrix: csr_array, norms: F32, doubt: float) -> F32:
        """Weighted cosine of the signs of each text with those of each prompt, float32 (texts, prompts)."""
        from scipy.sparse import csr_array

        rows, signs = self.signs.known(prompt_signs(texts))
        rows, signs = rows[weights[signs] > 0], signs[weights[signs] > 0]
        offsets = np.searchsorted(rows, np.arange(len(texts) + 1))
        asked = csr_array((weights[signs], signs, offsets), shape=(len(texts), len(self.signs.keys)))
        own = np.sqrt(np.asarray(asked.sum(axis=1), np.float32)).reshape(-1, 1)
        shared: F32 = (asked @ matrix).toarray()
        divisor = own * norms[None, :] + np.float32(doubt)
        likeness: F32 = np.divide(shared, divisor, out=np.zeros_like(shared), where=divisor > 0)
        return likeness

    @cached_property
    def _by_hash(self) -> I64:
        return np.argsort(self.hashes)

    @cached_property
    def _rare(self) -> csr_array:
        return self.signs.matrix()

    @cached_property
    def _told(self) -> csr_array:
        return self._rare

    @cached_property
    def _rare_norms(self) -> F32:
        return np.sqrt(self.signs.sums(self.rarity))

    @cached_property
    def _told_norms(self) -> F32:
        return np.sqrt(self.signs.sums(self.nats))


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
        signs = self._prompts.postings(renumbered, len(firsts), most=lambda size: _MOST_SHARE * size)
        nats = self._told(signs, renumbered, len(firsts))
        counts = signs.counts
        rarity = np.log(len(firsts) / counts) ** 2 * _RARITY_UNITS
        rarity[counts > _COMMON_SHARE * len(firsts)] = 0
        by_prompt = np.lexsort((row_ids, of_row))
        vectors = (
            np.concatenate(self._vectors)[firsts] if self._points is not None else np.zeros((len(firsts), 0), np.int8)
        )
        return MixIndex(
            signs, np.round(rarity).astype(np.float32), np.round(nats * _NAT_UNITS).astype(np.float32), vectors,
            self._points, row_ids[by_prompt], np.searchsorted(of_row[by_prompt], np.arange(len(firsts) + 1)),
            hashes[firsts],
        )  # fmt: skip

    def _told(self, signs: Postings, renumbered: I64, size: int) -> npt.NDArray[np.float64]:
        answers = self._answers.postings(renumbered, size, least=LEAST_ROWS, most=lambda size: _MOST_SHARE * size)
        return telling(signs, answers)


def _whole(points: F32) -> I8:
    """Unit vectors in whole steps of 1/127."""
    return np.round(points * _VECTOR_UNITS).astype(np.int8)
