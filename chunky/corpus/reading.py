"""Read one file: cut it into records, convert them, account for every one, in batches of bounded size."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from chunky.corpus.arrays import elements
from chunky.corpus.batches import Builder
from chunky.corpus.delimited import delimited
from chunky.corpus.flatten import collection_paused, take_carefully, take_records
from chunky.corpus.formats import sniff
from chunky.corpus.lines import Cut, blocks, lines
from chunky.corpus.options import Batch, ReadOptions, Source
from chunky.corpus.plain import lines_of, take_plain
from chunky.corpus.streams import Stream, empty, open_stream
from chunky.corpus.turns import Rejected

# 10,000 records of the shared mix are 7 MB of text; 32 MB bounds a batch of long records.
BATCH_RECORDS = 10_000
BATCH_BYTES = 32 * 2**20
BLOCK_BYTES = 4 * 2**20  # of JSON lines: 6,000 records of the real mix; a line longer than that is rare

_Item = bytes | dict[str, str]


def read_file(source: Source, options: ReadOptions | None = None) -> Iterator[Batch]:
    """Batches of one file, in file order; at least one.

    Raises FileFault, possibly after batches were given: nothing of such a file may be kept.
    """
    options = options or ReadOptions()
    kind = sniff(source, options)
    builder = Builder(source, options, kind.name)
    if kind.format == "parquet":
        from chunky.corpus.parquet import read_parquet

        yield from read_parquet(builder)
    else:
        yield from _read_text(builder, kind.format, kind.packing)


def _read_text(builder: Builder, format_name: str, packing: str) -> Iterator[Batch]:
    source, options = builder.source, builder.options
    most = options.max_record_bytes
    with open_stream(source, packing, options) as stream:
        if format_name == "jsonl" and options.limit is None:
            yield from _read_blocks(builder, stream)
            return
        cutters: dict[str, Callable[[], Iterable[_Item]]] = {
            "jsonl": lambda: lines(stream.pieces(), most),
            "json": lambda: elements(stream.pieces(), source, most),
            "csv": lambda: delimited(stream.pieces(), b",", source, most),
            "tsv": lambda: delimited(stream.pieces(), b"\t", source, most),
        }
        found = _Found()
        yield from _take_items(builder, cutters[format_name](), 1, stream, found)
        if found.is_empty:
            raise empty(source)


class _Found:
    """Whether a file has turned out to hold a record."""

    is_empty = True


def _read_blocks(builder: Builder, stream: Stream) -> Iterator[Batch]:
    """JSON lines: blocks at once where all lines are plain, else line by line."""
    most = builder.options.max_record_bytes
    number, found = 1, _Found()
    for block in blocks(stream.pieces(), BLOCK_BYTES):
        if not isinstance(block, bytes):
            yield from _take_items(builder, lines(block, most, is_start=False), number, stream, found)
            break
        for part in _parts(block):
            cut = lines_of(part)
            left = take_plain(builder, part, cut, number)
            if left is not None:
                found.is_empty = False
                yield from take_carefully(builder, left, stream.position)
                yield builder.finish(stream.position)
            else:
                yield from _take_items(builder, lines((part,), most, is_start=False), number, stream, found)
            number += len(cut.ends)
    if found.is_empty:
        raise empty(builder.source)


def _parts(block: bytes) -> Iterator[bytes]:
    """A block in pieces of BATCH_RECORDS lines."""
    if not block:
        return
    ends = lines_of(block).ends[BATCH_RECORDS - 1 :: BATCH_RECORDS]
    start = 0
    for end in ends:
        yield block[start : end + 1]
        start = end + 1
    if start < len(block):
        yield block[start:]


def _take_items(builder: Builder, items: Iterable[_Item], first: int, stream: Stream, found: _Found) -> Iterator[Batch]:
    """Batches of single records, the first of which is number `first`."""
    limit = builder.options.limit
    waiting = _Waiting()
    for number, item in enumerate(items, first):
        if not item or (limit is not None and number > limit):
            builder.skip()
            found.is_empty = found.is_empty and not item
            continue
        found.is_empty = False
        if type(item) is Cut:
            builder.reject(number, Rejected(item.reason, item.detail), bytes(item))
        else:
            waiting.numbers.append(number)
            waiting.items.append(item)
            waiting.size += len(item) if isinstance(item, bytes) else sum(len(text) for text in item.values())
        if waiting.size >= BATCH_BYTES or builder.records + len(waiting.items) >= BATCH_RECORDS:
            yield from _take(builder, waiting, stream.position)
            yield builder.finish(stream.position)
            waiting = _Waiting()
    if builder.records or waiting.items:
        yield from _take(builder, waiting, stream.position)
        yield builder.finish(stream.position)


class _Waiting:
    """Records of the batch to come: the bytes of a JSON value each, or the fields of a CSV line."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.items: list[Any] = []
        self.size = 0


def _take(builder: Builder, waiting: _Waiting, position: int) -> Iterator[Batch]:
    import orjson

    numbers, records = waiting.numbers, waiting.items
    if records and type(records[0]) is bytes:
        try:
            with collection_paused():
                records = list(map(orjson.loads, records))
        except orjson.JSONDecodeError:
            numbers, records = _parse_one_by_one(builder, waiting)
    yield from take_records(builder, numbers, records, position)


class _Parsed(NamedTuple):
    numbers: list[int]
    records: list[Any]


def _parse_one_by_one(builder: Builder, waiting: _Waiting) -> _Parsed:
    """Parsed records; those that the fast parser refuses are judged at once."""
    import orjson

    parsed = _Parsed([], [])
    for number, data in zip(waiting.numbers, waiting.items, strict=True):
        try:
            record = orjson.loads(data)
        except orjson.JSONDecodeError:
            try:
                builder.take(number, parse_json(data))
            except Rejected as rejected:
                builder.reject(number, rejected, data)
        else:
            parsed.numbers.append(number)
            parsed.records.append(record)
    return parsed


def parse_json(data: bytes) -> Any:
    """A JSON value as Python's own parser reads it: lone surrogates and NaN pass here; raises Rejected.

    The fast parser refuses both; a surrogate matters only where it stands in text that is taken.
    """
    try:
        return json.loads(data.decode(), parse_int=_integer)
    except UnicodeDecodeError as error:
        raise Rejected("not UTF-8", f"byte {error.start + 1:,}: {error.reason}") from None
    except json.JSONDecodeError as error:
        raise Rejected("bad JSON", f"character {error.pos + 1:,}: {error.msg}") from None
    except RecursionError:
        raise Rejected("bad JSON", "nested too deeply") from None


def _integer(digits: str) -> int | float:
    # as the fast parser has it: beyond 64 bits a number is a float (Python itself refuses more than 4,300 digits)
    value = int(digits) if len(digits) <= 20 else 2**64
    return value if -(2**63) <= value < 2**64 else float(digits)
