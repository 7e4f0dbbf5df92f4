"""Members: which corpus rows belong to each feature, found in one pass over the mix."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from chunky.features.feature import Feature
from chunky.keywords import gram_hashes, phrase_ids
from chunky.shapes import evaluate
from chunky.tables import POSITIONS, SIDES
from chunky.tokens import Tokens, tokenize

I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]
U64 = npt.NDArray[np.uint64]

_BATCH_TEXT_BYTES = 16 * 2**20  # tokenizing takes some 60 bytes a character while it runs


class _Hits(NamedTuple):
    """Pairs of feature number and row number within a batch, int64 each, in no order."""

    features: I64
    rows: I64


class Prepared:
    """Features ready to be looked up again and again: preparing 10,000 takes as long as looking them up in a text."""

    def __init__(self, features: Sequence[Feature]) -> None:
        self._features = tuple(features)
        self._finders = [_Finder(features, side) for side in SIDES]
        self._chunks = {f.definition: number for number, f in enumerate(features) if f.kind == "chunk"}

    def find(self, batches: Iterable[pa.Table | pa.RecordBatch]) -> dict[int, I64]:
        """As `find_members`."""
        found, row_ids, seen = _Found(len(self._features)), [np.zeros(0, np.int64)], 0
        for batch in batches:
            for piece in _pieces(batch):
                hits = (*(finder.hits(piece) for finder in self._finders), _chunk_hits(piece, self._chunks))
                found.add(hits, seen)
                row_ids.append(piece["row_id"].to_numpy())
                seen += piece.num_rows
        members = found.members(np.concatenate(row_ids))
        return {feature.feature_id: rows for feature, rows in zip(self._features, members, strict=True)}


def find_members(features: Sequence[Feature], batches: Iterable[pa.Table | pa.RecordBatch]) -> dict[int, I64]:
    """feature_id → sorted row ids (int64) for every feature but those of kind `sql`, which need the lens.

    `batches` hold row_id, chunk, query, response (no nulls). Each row comes once; at most 2³¹ rows.

    Memory: 16 bytes a member.
    """
    return Prepared(features).find(batches)


class _Found:
    """All hits so far, 8 bytes each: places of rows in the stream, piece by piece in order of feature."""

    def __init__(self, features: int) -> None:
        self._counts = np.zeros(features, np.int64)
        self._pieces: list[tuple[I32, I32]] = []  # feature number and place of the row, features ascending

    def add(self, found: Iterable[_Hits], first: int) -> None:
        """Keep the hits of a piece whose rows begin at place `first`."""
        numbers = np.concatenate([hits.features.astype(np.int32) for hits in found])
        places = np.concatenate([(hits.rows + first).astype(np.int32) for hits in found])
        order = np.argsort(numbers, kind="stable")
        self._pieces.append((numbers[order], places[order]))
        self._counts += np.bincount(numbers, minlength=len(self._counts))

    def members(self, row_ids: I64) -> Iterator[I64]:
        """Sorted row ids (int64) of each feature in turn; forgets the hits. `row_ids` by place."""
        ends = np.cumsum(self._counts)
        rows = np.empty(self._counts.sum(), np.int64)
        free = ends - self._counts  # where the next hit of a feature goes
        self._pieces.reverse()
        while self._pieces:
            numbers, places = self._pieces.pop()
            counts = np.bincount(numbers, minlength=len(free))
            before = np.cumsum(counts) - counts
            rows[(free - before)[numbers] + np.arange(len(numbers))] = row_ids[places]
            free += counts
        for start, end in zip(ends - self._counts, ends, strict=True):
            rows[start:end].sort()
            yield rows[start:end]


def _pieces(batch: pa.Table | pa.RecordBatch) -> Iterator[pa.Table]:
    rows = pa.Table.from_batches([batch]) if isinstance(batch, pa.RecordBatch) else batch
    size = max(1, int(rows.num_rows * _BATCH_TEXT_BYTES / max(rows.nbytes, 1)))
    for start in range(0, rows.num_rows, size):
        yield rows.slice(start, size)


def _chunk_hits(piece: pa.Table, numbers: Mapping[str, int]) -> _Hits:
    known = [(row, numbers[str(name)]) for row, name in enumerate(piece["chunk"].to_pylist()) if name in numbers]
    rows, found = np.array(known, np.int64).reshape(-1, 2).T
    return _Hits(found, rows)


class _Finder:
    """All features of one side, ready to be looked up in texts."""

    def __init__(self, features: Sequence[Feature], side: str) -> None:
        self._side = side
        of_side = [(number, feature) for number, feature in enumerate(features) if feature.side == side]
        self._shapes = {feature.definition: number for number, feature in of_side if feature.kind == "shape"}
        self._patterns = [(number, f) for number, f in of_side if f.kind in ("regex", "phrase")]
        keywords = [(number, feature) for number, feature in of_side if feature.kind == "keyword"]
        self._keywords = {place: _Lookup.of(side, keywords, place) for place in POSITIONS}

    def hits(self, piece: pa.Table) -> _Hits:
        """All (feature, row) pairs of this side in one table of rows."""
        texts = pl.Series("text", pl.from_arrow(piece[self._side]), dtype=pl.String)
        found = [*self._shape_hits(texts), *self._pattern_hits(texts)]
        if any(len(lookup.ids) for lookup in self._keywords.values()):
            found += self._keyword_hits(tokenize(texts, with_text=False))
        if not found:
            return _Hits(np.zeros(0, np.int64), np.zeros(0, np.int64))
        return _Hits(np.concatenate([hit.features for hit in found]), np.concatenate([hit.rows for hit in found]))

    def _shape_hits(self, texts: pl.Series) -> Iterator[_Hits]:
        if self._shapes:
            frame = evaluate(texts, self._side)
            for name, number in self._shapes.items():
                yield _mask_hits(number, frame[name])

    def _pattern_hits(self, texts: pl.Series) -> Iterator[_Hits]:
        if not self._patterns:
            return
        text = pl.col("text")
        frame = texts.to_frame().select(  # in one query: the fixed cost of a query is some 3 ms
            text.str.contains(feature.definition, literal=feature.kind == "phrase").alias(str(number))
            for number, feature in self._patterns
        )
        for number, _ in self._patterns:
            yield _mask_hits(number, frame[str(number)])

    def _keyword_hits(self, tokens: Tokens) -> Iterator[_Hits]:
        begins, ends, rows = tokens.row_offsets[:-1], tokens.row_offsets[1:], tokens.rows
        left = ends[rows] - np.arange(len(tokens))
        longest = max(lookup.longest for lookup in self._keywords.values())
        for size, hashes in enumerate(gram_hashes(tokens, self._side, longest), start=1):
            whole = left >= size  # an n-gram must not run into the next row
            first = np.flatnonzero(whole[: len(hashes)])
            yield self._keywords["anywhere"].find(hashes[first], rows[first])
            holds = np.flatnonzero(ends - begins >= size)
            yield self._keywords["opening"].find(hashes[begins[holds]], holds)
            yield self._keywords["closing"].find(hashes[ends[holds] - size], holds)


class _Lookup(NamedTuple):
    """Phrase ids in ascending order (uint64), the feature number of each, and the longest phrase in tokens."""

    ids: U64
    numbers: I64
    longest: int

    @staticmethod
    def of(side: str, keywords: Sequence[tuple[int, Feature]], position: str) -> _Lookup:
        chosen = [(number, feature) for number, feature in keywords if feature.position == position]
        if not chosen:
            return _Lookup(np.zeros(0, np.uint64), np.zeros(0, np.int64), 0)
        phrases = [feature.definition for _, feature in chosen]
        ids = phrase_ids(side, phrases).view(np.uint64)
        order = np.argsort(ids)
        longest = int(np.diff(tokenize(pa.array(phrases), with_text=False).row_offsets).max())
        # ⟨n⟩ is three tokens to the tokenizer, so `longest` may be too high, never too low; five is the cap
        return _Lookup(ids[order], np.array([number for number, _ in chosen], np.int64)[order], min(longest, 5))

    def find(self, hashes: U64, rows: I64) -> _Hits:
        """Distinct (feature, row) pairs among n-grams given by hash and row."""
        if not len(self.ids) or not len(hashes):
            return _Hits(np.zeros(0, np.int64), np.zeros(0, np.int64))
        places = np.minimum(np.searchsorted(self.ids, hashes), len(self.ids) - 1)
        known = self.ids[places] == hashes
        pairs = np.unique(self.numbers[places[known]] << 32 | rows[known])
        return _Hits(pairs >> 32, pairs & 0xFFFFFFFF)


def _mask_hits(number: int, mask: pl.Series) -> _Hits:
    rows = np.flatnonzero(mask.to_numpy())
    return _Hits(np.full(len(rows), number, np.int64), rows)
