"""Blocks of JSON lines read by Arrow, where every line is as plain as the first one.

Arrow gets a schema that names every key of the first record, and refuses what departs from it: other keys, repeated
ones, other types, bad JSON. Whatever it refuses, and whatever it cannot tell (a missing key from a null), is left to
the reader of single lines, so the two cannot differ. Why the answer is exact:

- The block is UTF-8, and every line starts with `{` and ends with `}`. Inside an object no `}` is followed by a `{`
  across white space, so each line break lies between two values; as many rows as lines means one value a line.
- No column that matters holds a null, so each record has each key, once; each turn has a speaker and a text or is
  not taken here.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, NamedTuple

from chunky.corpus.arrow import arrow
from chunky.corpus.batches import Builder
from chunky.corpus.options import ReadOptions
from chunky.corpus.vectors import take_vectorized
from chunky.corpus.words import KNOWN_COLUMNS, LIST_COLUMNS, ROLE_KEYS, TEXT_KEYS

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Places = npt.NDArray[np.int64]

# Small blocks go line by line: there is little to save, and a table costs about a millisecond.
_LEAST_BYTES = 1 << 14
# Arrow parses a file in pieces, in its threads; a line must fit in one.
_PIECE_BYTES = 1 << 20


class Lines(NamedTuple):
    """Where the lines of a block start and end (without the newline), int64, shape (lines,)."""

    starts: Places
    ends: Places


def lines_of(block: bytes) -> Lines:
    """The lines of a block; what stands behind the last newline is a line too."""
    import numpy as np

    ends = np.flatnonzero(np.frombuffer(block, dtype=np.uint8) == ord("\n"))
    if not block.endswith(b"\n"):
        ends = np.append(ends, len(block))
    return Lines(np.concatenate([[0], ends[:-1] + 1]), ends)


def take_plain(builder: Builder, block: bytes, lines: Lines, number: int) -> list[tuple[int, Any]] | None:
    """Take a block of records, one a line, the first is `number`; None when nothing of it was taken.

    Gives the records that are left for the careful path, with their numbers.
    """
    import orjson

    if len(block) < _LEAST_BYTES or not _is_plain(block, lines, builder.options.max_record_bytes):
        return None
    try:
        schema = _schema(orjson.loads(block[: lines.ends[0]]), builder.options)
    except orjson.JSONDecodeError:
        return None
    table = None if schema is None else _read(block, lines, schema)
    if table is None:
        return None
    known = _known(builder.options)
    wanted = [name for name in table.column_names if name in known]
    if not wanted or any(table[name].null_count for name in wanted):
        return None
    left = take_vectorized(builder, table.select(wanted), range(number, number + table.num_rows))
    return [(number + place, _parsed(block[lines.starts[place] : lines.ends[place]])) for place in left]


def _parsed(line: bytes) -> Any:
    import json

    import orjson

    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:  # Arrow has read it, so it is JSON: what is refused here is a lone surrogate
        return json.loads(line)


def _is_plain(block: bytes, lines: Lines, most: int) -> bool:
    """Whether each line looks like one object of at most `most` bytes, and all of it is UTF-8."""
    import numpy as np

    pa = arrow()
    lengths = lines.ends - lines.starts
    if lengths.min() < 2 or lengths.max() > most:
        return False
    data = np.frombuffer(block, dtype=np.uint8)
    if (data[lines.starts] != ord("{")).any() or (data[lines.ends - 1] != ord("}")).any():
        return False
    offsets = pa.py_buffer(np.array([0, len(block)], dtype=np.int64))
    try:
        pa.Array.from_buffers(pa.large_string(), 1, [None, offsets, pa.py_buffer(block)]).validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _read(block: bytes, lines: Lines, schema: pa.Schema) -> pa.Table | None:
    """The table that Arrow makes of the block; None where a line departs from the schema."""
    import pyarrow as pa
    import pyarrow.json

    piece = max(_PIECE_BYTES, 2 * int((lines.ends - lines.starts).max()))
    try:
        table = pyarrow.json.read_json(
            io.BytesIO(block),
            read_options=pyarrow.json.ReadOptions(block_size=piece),
            parse_options=pyarrow.json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="error"),
        )
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None
    is_told = table.num_rows == len(lines.ends) and table.schema.equals(schema)
    return table if is_told else None


def _known(options: ReadOptions) -> frozenset[str | None]:
    named = (options.query_column, options.response_column, options.system_column)
    return KNOWN_COLUMNS | {*named, options.chunk_column, options.id_column}


def _schema(record: Any, options: ReadOptions) -> pa.Schema | None:
    """Types of all keys of a record; None where one of them is neither plain text, a plain number nor plain turns."""
    pa = arrow()
    known = _known(options)
    types: dict[str, Any] = {}
    for key, value in record.items():
        kind = type(value)
        if kind is str:
            types[key] = pa.string()
        elif kind is int and -(2**63) <= value < 2**63:
            types[key] = pa.int64()
        elif kind in (bool, float) and key not in known:
            types[key] = pa.bool_() if kind is bool else pa.float64()
        elif key in LIST_COLUMNS and kind is list and value and type(value[0]) is dict:
            names = tuple(value[0])
            role, text = (next((name for name in keys if name in names), None) for keys in (ROLE_KEYS, TEXT_KEYS))
            if len(names) != 2 or role is None or text is None:
                return None
            types[key] = pa.list_(pa.struct([(name, pa.string()) for name in names]))
        else:
            return None
    return pa.schema(list(types.items())) if types else None
