"""Attributes by a model: ten sentences about each query and ten about each response, each side blind to the other.

Paper: sections 3.1.1 and 4.1, appendix D.1.1. Texts come in blocks and their attributes go out in blocks, so that
memory holds one block, eight bytes for each text of the mix, and the ids found for texts that occur again: each is
asked about once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from chunky.corpus.ids import signed_hash
from chunky.llm.protocol import Request
from chunky.llm.roles import Parsed, extractor
from chunky.llm.roles.extractor import Described, Side, Text
from chunky.tables import SIDES, TABLES

__all__ = ["Block", "Repeats", "Texts", "extract", "find_repeats", "questions", "sentences_schema"]

Texts = Callable[[], Iterable[pa.Table]]
Ask = Callable[[Sequence[Request]], list[Parsed[Described]]]
U64 = npt.NDArray[np.uint64]

BLOCK_ROWS = 2_048  # 4,096 calls at most: the pause between two blocks is one call's time in a hundred
_ROW = TABLES["attributes.row_attributes"].arrow_schema
_FAILURE = TABLES["attributes.failures"].arrow_schema


class Repeats(NamedTuple):
    """Which texts occur more than once: sorted hashes by side (uint64), and the number of distinct texts by side."""

    hashes: dict[str, U64]
    distinct: dict[str, int]


class Block(NamedTuple):
    """Some rows' results: attributes by chunk, in columns of `attributes.row_attributes`; the sentences in them, each
    once (attribute_id, side, attribute); and columns of `attributes.failures`.
    """

    chunks: list[tuple[str, pa.Table]]
    sentences: pa.Table
    failures: pa.Table


class _Found(NamedTuple):
    """What is known of one text: ids, and sentences unless an earlier block has told them; or why there are none."""

    ids: tuple[int, ...]
    sentences: tuple[str, ...]
    error: str | None
    detail: str | None


def sentences_schema() -> pa.Schema:
    """Schema of `Block.sentences`."""
    texts = TABLES["attributes.texts"].arrow_schema
    return pa.schema([texts.field(name) for name in ("attribute_id", "side", "attribute")])


def find_repeats(texts: Texts) -> Repeats:
    """One pass over the texts, in which they are hashed. Two texts of equal hash count as one, which costs nothing:
    a repeat is recognized by its content.
    """
    parts: dict[str, list[U64]] = {side: [np.zeros(0, np.uint64)] for side in SIDES}
    for batch in texts():
        for side in SIDES:
            parts[side].append(_hashes(batch, side))
    hashes, distinct = {}, {}
    for side in SIDES:
        values, counts = np.unique(np.concatenate(parts[side]), return_counts=True)
        hashes[side], distinct[side] = values[counts > 1], len(values)
    return Repeats(hashes, distinct)


def extract(texts: Texts, repeats: Repeats, ask: Ask, *, block_rows: int = BLOCK_ROWS) -> Iterator[Block]:
    """The attributes of all rows, block by block in the order of the texts, ranked as the model gave them.

    Args:
        texts: gives tables with row_id (int64), chunk, query, response, no nulls.
        repeats: `find_repeats` of the same texts.
        ask: one parsed reply for each request, in order.
        block_rows: rows a block.

    """
    known: dict[bytes, _Found] = {}
    for rows in _blocks(texts(), block_rows):
        found = _described(rows, repeats, ask, known)
        yield _tables(rows, found)


def questions(texts: Texts, repeats: Repeats) -> Iterator[Request]:
    """What `extract` will ask, each text once, in the order of the texts."""
    seen: set[bytes] = set()
    sides: tuple[Side, Side] = ("query", "response")
    for rows in texts():
        asked: list[Text] = []
        for side in sides:
            again = np.isin(_hashes(rows, side), repeats.hashes[side])
            strings: list[Any] = rows[side].to_pylist()
            for text, is_repeat in zip(strings, again, strict=True):
                address = _address(side, text) if is_repeat else b""
                if address not in seen:
                    asked.append(Text(side, text))
                seen |= {address} - {b""}
        yield from extractor.requests(asked)


def _hashes(rows: pa.Table, side: str) -> U64:
    return pl.Series(rows[side]).cast(pl.String).hash(0).to_numpy()


def _blocks(batches: Iterable[pa.Table], rows: int) -> Iterator[pa.Table]:
    """The same rows in tables of `rows`, the last one smaller."""
    held: list[pa.Table] = []
    for batch in batches:
        while batch.num_rows:
            room = rows - sum(part.num_rows for part in held)
            held.append(batch.slice(0, room))
            batch = batch.slice(room)
            if sum(part.num_rows for part in held) == rows:
                yield pa.concat_tables(held)
                held = []
    if held:
        yield pa.concat_tables(held)


def _described(rows: pa.Table, repeats: Repeats, ask: Ask, known: dict[bytes, _Found]) -> dict[str, list[_Found]]:
    """What is found of each row's query and response; `known` keeps what other blocks will need again."""
    asked: dict[tuple[Side, str], int] = {}
    sides: tuple[Side, Side] = ("query", "response")
    texts: dict[Side, list[Any]] = {side: rows[side].to_pylist() for side in sides}
    again = {side: np.isin(_hashes(rows, side), repeats.hashes[side]) for side in sides}
    kept: dict[tuple[Side, str], bytes] = {}
    for side in sides:
        for text, is_repeat in zip(texts[side], again[side], strict=True):
            if is_repeat and (side, text) not in kept:
                kept[side, text] = _address(side, text)
            if (side, text) not in asked and kept.get((side, text), b"") not in known:
                asked[side, text] = len(asked)
    replies = ask(extractor.requests(Text(side, text) for side, text in asked))
    fresh = {which: _found(*which, parsed) for which, parsed in zip(asked, replies, strict=True)}
    # the sentences go out with this block, and need no second place
    known |= {address: fresh[which]._replace(sentences=()) for which, address in kept.items() if which in fresh}
    return {side: [fresh.get((side, text)) or known[kept[side, text]] for text in texts[side]] for side in sides}


def _address(side: str, text: str) -> bytes:
    return hashlib.blake2b(f"{side}\0{text}".encode(), digest_size=16).digest()


def _found(side: Side, text: str, parsed: Parsed[Described]) -> _Found:
    if parsed.value is None:
        return _Found((), (), parsed.error, parsed.detail)
    sentences = parsed.value.attributes
    return _Found(tuple(signed_hash(side, sentence) for sentence in sentences), sentences, None, None)


def _tables(rows: pa.Table, found: dict[str, list[_Found]]) -> Block:
    row_ids: list[Any] = rows["row_id"].to_pylist()
    chunks: list[Any] = rows["chunk"].to_pylist()
    lines: dict[str, list[tuple[Any, ...]]] = {chunk: [] for chunk in chunks}
    failures: list[tuple[Any, ...]] = []
    sentences: dict[int, tuple[str, str]] = {}
    for place, (row_id, chunk) in enumerate(zip(row_ids, chunks, strict=True)):
        for side in SIDES:
            one = found[side][place]
            if one.error is not None:
                failures.append((chunk, row_id, side, one.error, one.detail))
            lines[chunk] += [(chunk, row_id, side, rank, number) for rank, number in enumerate(one.ids, 1)]
            sentences |= {number: (side, text) for number, text in zip(one.ids, one.sentences, strict=False)}
    return Block(
        [(chunk, _table(part, _ROW)) for chunk, part in lines.items()],
        _table([(number, *told) for number, told in sentences.items()], sentences_schema()),
        _table(failures, _FAILURE),
    )


def _table(lines: Sequence[tuple[Any, ...]], schema: pa.Schema) -> pa.Table:
    columns: Sequence[Sequence[Any]] = list(zip(*lines, strict=True)) or [[]] * len(schema)
    return pa.table([pa.array(column, kind.type) for column, kind in zip(columns, schema, strict=True)], schema=schema)
