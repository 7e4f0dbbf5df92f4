"""Exact row counts of phrases in three passes over the mix: sketch, count, spell."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from chunky.errors import InputError, SettingsError
from chunky.keywords.grams import Batches, blocks, grams
from chunky.keywords.tallies import Pile, Sketch, Tally, merge, once_each, tally_block
from chunky.tables import POSITIONS, SIDES, TABLES
from chunky.tokens import tokenize

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

    U64 = npt.NDArray[np.uint64]
    I64 = npt.NDArray[np.int64]

MAX_TOKENS: Final = 5
_ROW_LIMIT: Final = 1 << 32


@dataclass(frozen=True)
class PhraseCounts:
    """Row counts of every phrase that reaches `min_rows` rows of the whole mix.

    `vocabulary` is a table (phrase_id, side, phrase, tokens, rows), ordered by side and phrase, whose `rows` are those
    of the whole mix that hold the phrase anywhere; `side` is dictionary-encoded, `phrase` large_string. `chunks` are
    names in order; `read_rows` counts the rows read.
    """

    vocabulary: pa.Table
    chunks: tuple[str, ...]
    read_rows: int
    _counts: _Counts

    def tables(self) -> Iterator[pa.Table]:
        """One table of `keywords.counts` per chunk, ordered by side, phrase and position, chunks in order of name.

        A chunk none of whose phrases survives gives an empty table, so that its partition can be written.
        """
        yield from _tables(self._counts, self.vocabulary)


def count_phrases(batches: Batches, *, min_rows: int = 5, max_tokens: int = MAX_TOKENS) -> PhraseCounts:
    """Count rows by side, phrase, position and chunk; keep the phrases that `min_rows` rows of the mix hold anywhere.

    `batches` is called three times and must give the same rows in the same order each time: tables or record batches
    with columns chunk, query and response (others are ignored). A row counts once however often it repeats a phrase.
    Raises SettingsError for a bound that makes no sense, InputError when the rows change between the passes.

    Memory: 270 MB for the sketch, some 60 bytes for each surviving phrase of each chunk, and one block of text.
    """
    if min_rows < 1:
        raise SettingsError(f"min_rows is {min_rows}", "ask for at least 1 row")
    if not 1 <= max_tokens <= MAX_TOKENS:
        raise SettingsError(f"max_tokens is {max_tokens}", f"ask for 1 to {MAX_TOKENS} tokens")
    sketch = Sketch(min_rows)
    for block in blocks(batches):
        found = grams(block, max_tokens)
        sketch.add(found.hashes, found.rows)
    counts = _count(batches, sketch, max_tokens)
    del sketch
    total = merge([piles["anywhere"].merged() for piles in counts.piles.values()])
    survivors = total.take(total.rows >= min_rows)
    del total
    for piles in counts.piles.values():
        for pile in piles.values():
            pile.merged()
            pile.forget_places()
    vocabulary = _spell(batches, survivors, counts.read_rows)
    return PhraseCounts(vocabulary, tuple(sorted(counts.piles)), counts.read_rows, counts)


def count_subset(batches: Batches, vocabulary: pa.Table) -> Iterator[pa.Table]:
    """Count the rows of some chunks only, for the phrases of a `vocabulary` mined before: one table per chunk.

    `vocabulary` has columns phrase_id, side, phrase and tokens, each phrase once, as `PhraseCounts.vocabulary` does.
    The tables are those that `PhraseCounts.tables` gives for the same chunks. `batches` is called once.
    """
    sketch = Sketch(1)
    sketch.admit(vocabulary["phrase_id"].to_numpy().view(np.uint64))
    longest = int(vocabulary["tokens"].to_numpy().max(initial=1))
    yield from _tables(_count(batches, sketch, longest), vocabulary)


@dataclass(frozen=True)
class _Counts:
    """Tallies by chunk and position, and the number of rows read."""

    piles: dict[str, dict[str, Pile]]
    read_rows: int


def _count(batches: Batches, sketch: Sketch, max_tokens: int) -> _Counts:
    piles: dict[str, dict[str, Pile]] = {}
    read_rows, last = 0, ""
    for block in blocks(batches):
        if block.chunk != last and last in piles:
            for pile in piles[last].values():
                pile.merged()
        last = block.chunk
        here = piles.setdefault(block.chunk, {position: Pile() for position in POSITIONS})
        found = grams(block, max_tokens)
        here["anywhere"].add(tally_block(block, found, sketch.passes(found.hashes)))
        for position in ("opening", "closing"):
            hashes = getattr(found, position)
            here[position].add(once_each(hashes[sketch.passes(hashes)]))
        read_rows += block.rows
    if read_rows > _ROW_LIMIT:
        raise InputError(f"{read_rows:,} rows are more than one count can hold", "count the mix in parts")
    return _Counts(piles, read_rows)


def _spell(batches: Batches, survivors: Tally, read_rows: int) -> pa.Table:
    """The vocabulary: each survivor's text is read where it was first seen; only rows with such a place are cut."""
    import pyarrow as pa

    by_place = np.argsort(survivors.places)
    rows = (survivors.places[by_place] >> np.uint64(32)).astype(np.int64)
    origins = (survivors.places[by_place] & np.uint64(0xFFFFFFFF)).astype(np.int64)
    spelled: list[list[I64]] = [[] for _ in SIDES]
    texts: list[list[pa.LargeStringArray]] = [[] for _ in SIDES]
    seen = 0
    for block in blocks(batches):
        start, stop = np.searchsorted(rows, (block.first_row, block.first_row + block.rows))
        for side, name in enumerate(SIDES):
            here = start + np.flatnonzero((origins[start:stop] >> 3 & 1) == side)
            wanted, which = np.unique(rows[here] - block.first_row, return_inverse=True)
            tokens = tokenize(getattr(block, name).take(pa.array(wanted)))
            first = tokens.row_offsets[which] + (origins[here] >> 4)
            if np.any(first + (origins[here] & 7) > tokens.row_offsets[which + 1]):
                raise _changed()
            texts[side].append(tokens.phrases(first, origins[here] & 7))
            spelled[side].append(by_place[here])
        seen += block.rows
    if seen != read_rows:
        raise _changed()
    del by_place, rows, origins
    none = np.zeros(0, np.int64)
    parts = [survivors.take(np.concatenate([none, *order])) for order in spelled]
    return pa.concat_tables(map(_vocabulary, SIDES, texts, parts))


def _changed() -> InputError:
    return InputError("the rows changed between two passes", "give the same rows in the same order at every call")


def _vocabulary(side: str, texts: list[pa.LargeStringArray], survivors: Tally) -> pa.Table:
    """One side's phrases in order; side by side, because sorting takes a copy (100 bytes a phrase)."""
    import polars as pl
    import pyarrow as pa

    phrases: Any = pl.from_arrow(pa.chunked_array(texts, pa.large_string()))
    texts.clear()
    frame = pl.DataFrame(
        {
            "phrase_id": survivors.hashes.view(np.int64),
            "phrase": phrases,
            "tokens": (survivors.places & np.uint64(7)).astype(np.int32),
            "rows": survivors.rows.astype(np.int64),
        }
    )
    table = frame.sort("phrase").to_arrow()
    place = np.zeros(len(table), np.int8)
    return table.add_column(1, "side", pa.DictionaryArray.from_arrays(place, pa.array([side])))


def _tables(counts: _Counts, vocabulary: pa.Table) -> Iterator[pa.Table]:
    hashes = vocabulary["phrase_id"].to_numpy().view(np.uint64)
    by_hash = np.argsort(hashes)
    hashes = hashes[by_hash]
    for chunk in sorted(counts.piles):
        yield _chunk_table(chunk, counts.piles[chunk], vocabulary, hashes, by_hash)


def _chunk_table(chunk: str, piles: dict[str, Pile], vocabulary: pa.Table, hashes: U64, by_hash: I64) -> pa.Table:
    """Rows of `keywords.counts` for one chunk; `hashes` ascend and `by_hash` are their places in the vocabulary."""
    import pyarrow as pa

    found, positions, rows = [], [], []
    for place, position in enumerate(POSITIONS):
        tally = piles[position].merged()
        at = np.searchsorted(hashes, tally.hashes)
        known = at < len(hashes)
        known[known] = hashes[at[known]] == tally.hashes[known]
        found.append(by_hash[at[known]])
        positions.append(np.full(int(known.sum()), place))
        rows.append(tally.rows[known])
    phrases, places = np.concatenate(found), np.concatenate(positions)
    order = np.argsort(phrases * len(POSITIONS) + places)
    taken = vocabulary.take(phrases[order])
    columns: dict[str, Any] = {
        **{name: taken[name] for name in ("phrase_id", "side", "phrase", "tokens")},
        "position": pa.array(POSITIONS).take(pa.array(places[order], pa.int64())),
        "chunk": pa.repeat(chunk, len(order)),
        "rows": pa.array(np.concatenate(rows)[order].astype(np.int64)),
    }
    schema = TABLES["keywords.counts"].arrow_schema
    return pa.table({name: columns[name] for name in schema.names}).cast(schema)
