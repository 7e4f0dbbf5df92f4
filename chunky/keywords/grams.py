"""Blocks of rows small enough for arrays of all their n-grams, and the hashes of those n-grams."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from chunky.errors import InputError, SettingsError
from chunky.tables import SIDES
from chunky.tokens import NUMBER, Tokens, mix64, tokenize

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

    U32 = npt.NDArray[np.uint32]
    U64 = npt.NDArray[np.uint64]
    I64 = npt.NDArray[np.int64]

Batches = Callable[[], "Iterable[pa.Table | pa.RecordBatch]"]

# A row's number within its block shares 64 bits with a hash's upper 52 while sorting: see counting.py.
ROW_BITS: Final = 12
# 2^20 bytes of text keep the arrays of a block (its 1.2 M n-grams, 10 MB each) near the cache; 4 MB were 25 % slower.
_BLOCK_BYTES: Final = 1 << 20
_SIDE_SALTS: Final = {side: np.uint64(0x9E3779B97F4A7C15 * (place + 1) % 2**64) for place, side in enumerate(SIDES)}
_SPACE_SALT: Final = np.uint64(0xD1B54A32D192ED03)
_CHAIN: Final = np.uint64(0xA24BAED4963EE407)


class Block(NamedTuple):
    """Rows of one chunk: `first_row` counts the rows before them in the whole stream; texts are Arrow string arrays."""

    chunk: str
    first_row: int
    rows: int
    query: Any
    response: Any


def blocks(batches: Batches) -> Iterator[Block]:
    """Cut the stream into blocks of one chunk each, at most 4,096 rows and (but for a longer row) 1 MiB of text.

    A batch whose chunks are not in order is put in order first (stably), so any order of rows gives the same counts.
    """
    import pyarrow.compute as pc

    seen = 0
    batch: Any  # pyarrow's stubs lag behind it
    for batch in batches():
        if not batch.num_rows:
            continue
        missing = {"chunk", "query", "response"}.difference(batch.schema.names)
        if missing:
            raise InputError(f"the rows have no column {', '.join(sorted(missing))}", "read them from corpus.rows")
        codes, names = _chunk_codes(batch)
        order = np.argsort(codes, kind="stable") if np.any(np.diff(codes) < 0) else None
        if order is not None:
            batch, codes = batch.take(order), codes[order]
        sizes = pc.binary_length(batch["query"]).fill_null(0).to_numpy().astype(np.int64)
        sizes = sizes + pc.binary_length(batch["response"]).fill_null(0).to_numpy()
        for start, stop in _cuts(codes, np.cumsum(sizes)):
            texts = (batch[side].slice(start, stop - start) for side in SIDES)
            yield Block(names[codes[start]], seen + start, stop - start, *texts)
        seen += batch.num_rows


def _chunk_codes(batch: Any) -> tuple[I64, list[str]]:
    """Chunk of each row as a number, ascending with the chunk's name, and the names."""
    import pyarrow as pa

    column = batch["chunk"]
    column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    encoded: Any = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    names = encoded.dictionary.to_pylist()
    ranked = sorted(names)
    places = {name: place for place, name in enumerate(ranked)}
    codes = np.array([places[name] for name in names], np.int64)
    return codes[encoded.indices.to_numpy()], ranked


def _cuts(codes: I64, bytes_up_to: I64) -> Iterator[tuple[int, int]]:
    """Borders (start, stop) of the blocks of one batch whose chunk codes ascend."""
    start = 0
    while start < len(codes):
        before = int(bytes_up_to[start - 1]) if start else 0
        by_size = int(np.searchsorted(bytes_up_to, before + _BLOCK_BYTES, side="right"))
        by_chunk = int(np.searchsorted(codes, codes[start], side="right"))
        stop = min(max(by_size, start + 1), by_chunk, start + (1 << ROW_BITS))
        yield start, stop
        start = stop


class Grams(NamedTuple):
    """All n-grams of both sides of a block, and those that open or close a text.

    `hashes` uint64 (G,); `rows` uint64 (G,): row within the block; `origins` uint32 (G,): token index in the row << 4 |
    side << 3 | n. `opening`, `closing` uint64: hashes, one for each row, side and n.
    """

    hashes: U64
    rows: U64
    origins: U32
    opening: U64
    closing: U64


def grams(block: Block, max_tokens: int) -> Grams:
    """Hash every n-gram (n = 1 … max_tokens) of a block; repeats within a row are still there."""
    parts: list[list[Any]] = [[], [], [], [], []]
    for side, name in enumerate(SIDES):
        tokens = tokenize(getattr(block, name), with_text=False)
        rows = tokens.rows.astype(np.uint64)
        begins, ends = tokens.row_offsets[:-1], tokens.row_offsets[1:]
        within = np.arange(len(tokens)) - np.repeat(begins, ends - begins)
        left = np.repeat(ends - begins, ends - begins) - within  # tokens from here to the end of the row
        for size, hashes in enumerate(_chain(tokens, _SIDE_SALTS[name], max_tokens), start=1):
            first = np.flatnonzero(left >= size)
            full = ends - begins >= size
            origins = (within[first] << 4 | side << 3 | size).astype(np.uint32)
            found = (hashes[first], rows[first], origins, hashes[begins[full]], hashes[ends[full] - size])
            for part, values in zip(parts, found, strict=True):
                part.append(values)
    return Grams(*(np.concatenate(part) for part in parts))


def _chain(tokens: Tokens, salt: np.uint64, max_tokens: int) -> Iterator[U64]:
    """Hashes of the 1-grams, 2-grams, … from each token on: each is a mix of the shorter one and the next token.

    A following token counts with the white space before it, the first without: "no," and "no ," are two phrases.
    """
    hashes = mix64(tokens.hashes ^ salt)
    following = mix64(tokens.hashes + tokens.space_before * _SPACE_SALT)
    yield hashes
    for size in range(1, max_tokens):
        hashes = mix64(hashes[: max(len(tokens) - size, 0)] * _CHAIN + following[size:])
        yield hashes


def phrase_ids(side: str, phrases: Any) -> I64:
    """`phrase_id` of each phrase (a column of texts, `⟨n⟩` for a number), int64; the phrase may be given unnormalized.

    SettingsError for an unknown side or a phrase without a token.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if side not in _SIDE_SALTS:
        raise SettingsError(f"there is no side {side!r}", f"use one of {', '.join(SIDES)}")
    tokens = tokenize(pc.replace_substring(pa.array(phrases, pa.large_string()), NUMBER, "0"), with_text=False)
    lengths = np.diff(tokens.row_offsets)
    if not lengths.all():
        raise SettingsError("a phrase holds no word", "give at least one word or sign")
    ids = np.zeros(len(lengths), np.uint64)
    for size, hashes in enumerate(_chain(tokens, _SIDE_SALTS[side], int(lengths.max(initial=0))), start=1):
        ids[lengths == size] = hashes[tokens.row_offsets[:-1][lengths == size]]
    return ids.view(np.int64)


def gram_hashes(tokens: Tokens, side: str, max_tokens: int) -> Iterator[U64]:
    """Hashes of all 1-grams, 2-grams, … `max_tokens`-grams, uint64: the i-th of size n begins at token i.

    Arrays shorten by one each; grams that run over a row's end are there too, and mean nothing. As signed integers the
    hashes are `phrase_id`s.
    """
    return _chain(tokens, _SIDE_SALTS[side], max_tokens)
