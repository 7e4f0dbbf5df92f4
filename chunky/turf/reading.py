"""Records of a file as they stand, a few named fields of each: for lists that are no part of a mix (failures to trace).

The formats, packings and bounds are those of `read_file`; nothing is recognized, quarantined or counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from chunky.corpus.arrays import elements
from chunky.corpus.arrow import arrow
from chunky.corpus.delimited import delimited
from chunky.corpus.formats import sniff
from chunky.corpus.lines import Cut, lines
from chunky.corpus.options import ReadOptions, Source
from chunky.corpus.reading import parse_json
from chunky.corpus.streams import empty, open_stream, unreadable
from chunky.corpus.turns import Rejected, kind
from chunky.errors import InputError
from chunky.turf.failures import COLUMNS

_BATCH_ROWS = 1024

Fields = Mapping[str, Any] | InputError | None


def read_records(source: Source, names: Sequence[str] = COLUMNS) -> Iterator[Fields]:
    """The fields `names` of each record, in file order; a field that a record lacks is left out.

    In the place of a record that cannot be read stands the InputError that says why, in that of a blank line None, so
    that counting from 1 gives record numbers. FileFault when the file as a whole is unusable or holds no record.
    """
    options = ReadOptions()
    found = sniff(source, options)
    if found.format == "parquet":
        yield from _of_parquet(source, names)
        return
    most, is_empty = options.max_record_bytes, True
    with open_stream(source, found.packing, options) as stream:
        cutters: dict[str, Callable[[], Iterable[bytes | dict[str, str]]]] = {
            "jsonl": lambda: lines(stream.pieces(), most),
            "json": lambda: elements(stream.pieces(), source, most),
            "csv": lambda: delimited(stream.pieces(), b",", source, most),
            "tsv": lambda: delimited(stream.pieces(), b"\t", source, most),
        }
        for item in cutters[found.format]():
            is_empty = is_empty and not item
            yield _fields(item, names) if item else None
    if is_empty:
        raise empty(source)


def _fields(item: bytes | dict[str, str], names: Sequence[str]) -> Fields:
    if isinstance(item, Cut):
        return _unread(item.reason, item.detail)
    try:
        record = parse_json(item) if isinstance(item, bytes) else item
    except Rejected as rejected:
        return _unread(rejected.reason, rejected.detail)
    if not isinstance(record, Mapping):
        return _unread("wrong type", f"it is {kind(record)}")
    return {name: record[name] for name in names if name in record}


def _unread(reason: str, detail: str) -> InputError:
    return InputError(f"the record cannot be read ({reason}: {detail})", f"give an object, as in {_EXAMPLE}")


_EXAMPLE = '{"query": "…", "response": "…"}'


def _of_parquet(source: Source, names: Sequence[str]) -> Iterator[Fields]:
    import pyarrow.parquet as pq

    pa = arrow()
    try:
        with pq.ParquetFile(source.path) as file:
            if not file.metadata.num_rows:
                raise empty(source)
            held = [name for name in names if name in file.schema_arrow.names]
            for batch in file.iter_batches(_BATCH_ROWS, columns=held):
                for place in range(batch.num_rows):
                    yield _of_row(batch.slice(place, 1))
    except (pa.ArrowException, OSError) as error:
        raise unreadable(source, str(error).partition("\n")[0]) from error


def _of_row(row: Any) -> Fields:
    try:
        record: dict[str, Any] = row.to_pylist()[0]
    except UnicodeDecodeError as error:
        return _unread("not UTF-8", f"byte {error.start + 1:,}: {error.reason}")
    return record
