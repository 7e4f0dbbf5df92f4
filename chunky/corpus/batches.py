"""Columns of one batch while it is read, and the Arrow tables that come out of it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from chunky.corpus.arrow import arrow, compute
from chunky.corpus.hashing import hash_columns
from chunky.corpus.ids import conversation_keys
from chunky.corpus.options import Batch, Counts, ReadOptions, Source, quarantine_schema, row_schema
from chunky.corpus.records import chunk_of, convert
from chunky.corpus.text import excerpt
from chunky.corpus.turns import Rejected

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Int64s = npt.NDArray[np.int64]

# What both paths make before ids and lengths are added; conversation_id is null where the record has none.
ROW_COLUMNS = ("chunk", "conversation_id", "turn", "turns", "system", "query", "response", "record_number")
_ROW_TYPES = ("string", "string", "int32", "int32", "string", "string", "string", "int64")


class Builder:
    """Collects rows, quarantined records and counts of one file; `finish` cuts a batch."""

    def __init__(self, source: Source, options: ReadOptions, format_name: str) -> None:
        self.source = source
        self.options = options
        self._format = format_name
        self._reset()

    def _reset(self) -> None:
        self.records = 0
        self.chars = 0
        self._columns: dict[str, list[Any]] = {name: [] for name in ROW_COLUMNS}
        self._tables: list[pa.Table] = []
        self._quarantine: list[dict[str, Any]] = []
        self._conversations = self._skipped = self._unanswered = self._unprompted = 0
        self._shapes: Counter[str] = Counter()

    def skip(self, records: int = 1) -> None:
        """Count records that are left out on request."""
        self.records += records
        self._skipped += records

    def reject(self, number: int, rejected: Rejected, record: object, chunk: str | None = None) -> None:
        """Put a record in quarantine."""
        self.records += 1
        row = (self.source.file, number, chunk, rejected.reason, rejected.detail, excerpt(record))
        self._quarantine.append(dict(zip(quarantine_schema().names, row, strict=True)))

    def take(self, number: int, record: object) -> None:
        """Convert a parsed record carefully and keep its rows, or put it in quarantine."""
        chunk: str | None = None
        try:
            chunk = chunk_of(record, self.options, self.source.chunk)
            conversation = convert(record, self.options)
        except Rejected as rejected:
            self.reject(number, rejected, record, chunk)
            return
        self.records += 1
        self._conversations += 1
        self._shapes[conversation.shape] += 1
        self._unanswered += conversation.unanswered
        self._unprompted += conversation.unprompted
        columns = self._columns
        turns = len(conversation.exchanges)
        for turn, (system, query, response) in enumerate(conversation.exchanges, 1):
            columns["chunk"].append(chunk)
            columns["conversation_id"].append(conversation.id)
            columns["turn"].append(turn)
            columns["turns"].append(turns)
            columns["system"].append(system)
            columns["query"].append(query)
            columns["response"].append(response)
            columns["record_number"].append(number)
            self.chars += len(query) + len(response) + (len(system) if system else 0)

    def take_table(self, rows: pa.Table, shape: str, conversations: int) -> None:
        """Keep rows (ROW_COLUMNS) that were converted without Python objects."""
        self.records += conversations
        self._conversations += conversations
        self._shapes[shape] += conversations
        self.chars += rows.nbytes
        self._tables.append(rows)

    def finish(self, bytes_read: int) -> Batch:
        """The batch collected so far, rows in file order; starts the next one."""
        pa = arrow()
        columns = [pa.array(self._columns[name], kind) for name, kind in zip(ROW_COLUMNS, _ROW_TYPES, strict=True)]
        tables = [pa.table(columns, names=list(ROW_COLUMNS)), *self._tables]
        rows = pa.concat_tables([table for table in tables if table.num_rows] or tables[:1])
        if len(tables) > 2 or (len(tables) == 2 and tables[0].num_rows):
            rows = rows.take(compute().sort_indices(rows, [("record_number", "ascending"), ("turn", "ascending")]))
        quarantine = sorted(self._quarantine, key=lambda row: row["record_number"])
        counts = Counts(self.records, self._conversations, rows.num_rows, len(quarantine), self._skipped,
                        self._unanswered, self._unprompted, dict(self._shapes))  # fmt: skip
        faults = pa.Table.from_pylist(quarantine, schema=quarantine_schema())
        complete_rows = complete(rows, self.source.file)
        keys = conversation_keys(complete_rows)
        batch = Batch(complete_rows, keys, faults, counts, bytes_read, self._format)
        self._reset()
        return batch


def complete(rows: Any, file: str) -> Any:
    """Add content ids, missing conversation ids, lengths and the file's name to ROW_COLUMNS: `row_schema()`."""
    pa, pc = arrow(), compute()
    contents = hash_columns(rows["system"], rows["query"], rows["response"])
    columns = {name: rows[name] for name in ROW_COLUMNS}
    columns["content_id"] = pa.array(contents, pa.int64())
    if rows["conversation_id"].null_count:
        columns["conversation_id"] = _conversation_ids(rows, contents)
    columns["query_chars"] = pc.utf8_length(rows["query"])
    columns["response_chars"] = pc.utf8_length(rows["response"])
    columns["file"] = pa.repeat(pa.scalar(file), rows.num_rows)
    schema = row_schema()
    return pa.table([columns[name] for name in schema.names], names=schema.names).cast(schema)


def _conversation_ids(rows: Any, contents: Int64s) -> Any:
    """Ids with the gaps filled: 16 hexadecimal digits, the hash of the content ids of a conversation's turns as bytes.

    `rows` holds whole conversations, turns in order.
    """
    import numpy as np

    pa, pc = arrow(), compute()
    starts = np.flatnonzero(rows["turn"].to_numpy() == 1)
    offsets = np.append(starts, rows.num_rows)
    bodies = [None, pa.py_buffer(offsets * 8), pa.py_buffer(contents.astype("<i8"))]
    numbers = hash_columns(pa.Array.from_buffers(pa.large_binary(), len(starts), bodies))
    digits = pa.py_buffer(numbers.astype(">i8").tobytes().hex().encode())
    places = pa.py_buffer(np.arange(len(starts) + 1, dtype=np.int32) * 16)
    names = pa.Array.from_buffers(pa.string(), len(starts), [None, places, digits])
    return pc.coalesce(
        rows["conversation_id"], names.take(pa.array(np.repeat(np.arange(len(starts)), np.diff(offsets))))
    )
