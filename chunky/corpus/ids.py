"""Ids of the lake: signed 64-bit hashes of content, so that a rerun cannot renumber the world.

`signed_hash` says what an id is; `hash_columns` gives the same numbers for whole Arrow columns. A hash covers an
unambiguous encoding: per part one 8-byte header (kind in the top byte, length below), then the bodies. Two different
tuples of parts never share an encoding: equal headers fix all lengths, and a longer tuple is a longer encoding.
"""

from __future__ import annotations

from hashlib import blake2b
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from chunky.corpus.arrow import arrow, compute

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import polars as pl
    import pyarrow as pa

    Int64s = npt.NDArray[np.int64]
    Column = Any  # pa.Array or pa.ChunkedArray; the stubs of pyarrow lag behind it and know fewer functions

__all__ = ["hash_columns", "signed_hash", "with_ids"]

_NULL, _TEXT, _BYTES, _INTEGER = 0, 1, 2, 3
_KIND_SHIFT = 56
# Rows hashed at a time: the encoded copy of 32,768 rows of the shared mix (0.7 kB each) is about 20 MB.
_SLICE_ROWS = 32_768


def signed_hash(*parts: str | bytes | int | None) -> int:
    """Signed 64-bit hash (blake2b, 8 bytes) of a tuple of parts; null, "" and b"" all differ, as do 5 and "5".

    Text must be encodable as UTF-8 (UnicodeEncodeError otherwise), integers must fit in 64 bits (OverflowError).
    """
    headers, bodies = [], []
    for part in parts:
        if part is None:
            kind, body = _NULL, b""
        elif isinstance(part, str):
            kind, body = _TEXT, part.encode()
        elif isinstance(part, bytes):
            kind, body = _BYTES, part
        else:
            kind, body = _INTEGER, int(part).to_bytes(8, "little", signed=True)
        headers.append((kind << _KIND_SHIFT | len(body)).to_bytes(8, "little"))
        bodies.append(body)
    digest = blake2b(b"".join(headers + bodies), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)


def hash_columns(*columns: Column) -> Int64s:
    """`signed_hash` of every row of equally long Arrow columns (strings, binaries or integers); int64, shape (rows,).

    About 1 µs a row plus the hashing itself; one encoded buffer per slice, so that the Python loop only cuts views.
    """
    import numpy as np

    rows = len(columns[0])
    pieces = [
        _hash_slice([column.slice(start, _SLICE_ROWS) for column in columns]) for start in range(0, rows, _SLICE_ROWS)
    ]
    return np.concatenate(pieces) if pieces else np.empty(0, dtype=np.int64)


def _hash_slice(columns: list[Any]) -> Int64s:
    import numpy as np

    pa, pc = arrow(), compute()
    rows = len(columns[0])
    headers = np.zeros((rows, len(columns)), dtype="<u8")
    bodies = []
    for place, column in enumerate(columns):
        array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        kind, body = _body(array)
        lengths = pc.binary_length(body).to_numpy(zero_copy_only=False).astype("<u8")
        present = array.is_valid().to_numpy(zero_copy_only=False)
        headers[:, place] = np.where(present, lengths | np.uint64(kind << _KIND_SHIFT), 0)
        bodies.append(body)
    encoded = pc.binary_join_element_wise(_fixed(headers), *bodies, pa.scalar(b"", pa.large_binary()))
    offsets = np.frombuffer(encoded.buffers()[1], dtype=np.int64)[encoded.offset : encoded.offset + rows + 1].tolist()
    data = memoryview(encoded.buffers()[2])
    digests = b"".join([blake2b(data[start:end], digest_size=8).digest() for start, end in pairwise(offsets)])
    return np.frombuffer(digests, dtype="<i8").astype(np.int64)


class _Body(NamedTuple):
    kind: int
    values: Column


def _body(array: Column) -> _Body:
    """Kind and bodies (large_binary without nulls) of one column."""
    import numpy as np

    pa, pc = arrow(), compute()
    if pa.types.is_null(array.type):
        array = array.cast(pa.large_string())
    if pa.types.is_integer(array.type):
        numbers = pc.fill_null(array.cast(pa.int64()), 0).to_numpy(zero_copy_only=False)
        body = _fixed(np.ascontiguousarray(numbers.astype("<i8"))[:, None])
        return _Body(_INTEGER, pc.if_else(array.is_valid(), body, pa.scalar(b"", pa.large_binary())))
    binary = pa.types.is_binary(array.type) or pa.types.is_large_binary(array.type)
    return _Body(_BYTES if binary else _TEXT, pc.fill_null(array.cast(pa.large_binary()), b""))


def _fixed(numbers: npt.NDArray[Any]) -> Column:
    """The rows of a contiguous (rows, k) array of 8-byte numbers as one large_binary value each."""
    import numpy as np

    pa = arrow()
    rows, width = numbers.shape[0], numbers.shape[1] * 8
    offsets = np.arange(rows + 1, dtype=np.int64) * width
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(numbers))]
    return pa.Array.from_buffers(pa.large_binary(), rows, buffers)


def with_ids(rows: pa.Table, taken: pa.Table | None = None) -> pa.Table:
    """Add `copy` and `row_id`; the result has the columns of `corpus.rows` in catalog order.

    `rows` holds whole records (all turns of a record, any number of files). Records of equal (chunk, conversation_id)
    are numbered from 0 in the order in which they come, and all turns of a record share the number; numbers in
    `taken` (chunk, conversation_id, copy: rows of other files that are already in the lake) are passed over.
    """
    import pyarrow as pa

    from chunky.tables import table

    copies = _copies(rows, taken)
    ids = hash_columns(rows["chunk"], rows["conversation_id"], rows["turn"], pa.array(copies))
    full = rows.append_column("copy", pa.array(copies, pa.int32())).append_column("row_id", pa.array(ids, pa.int64()))
    schema = table("corpus.rows").arrow_schema
    return full.select(schema.names).cast(schema)


def _copies(rows: pa.Table, taken: pa.Table | None) -> npt.NDArray[np.int32]:
    """Copy number of each row, int32, shape (rows,)."""
    import polars as pl

    key, record = ["chunk", "conversation_id"], ["file", "record_number"]
    frame = pl.from_arrow(rows.select(key + record))
    if not isinstance(frame, pl.DataFrame):
        raise TypeError("rows must be a table")
    records = frame.with_columns(pl.struct(key).hash(0).alias("_key")).unique(
        [*key, *record], keep="first", maintain_order=True
    )
    if records.height == records["_key"].n_unique() and (taken is None or taken.num_rows == 0):
        return pl.zeros(frame.height, pl.Int32, eager=True).to_numpy()
    numbered = records.drop("_key").with_columns((pl.int_range(pl.len()).over(key)).cast(pl.Int32).alias("copy"))
    if taken is not None and taken.num_rows:
        numbered = _pass_over(numbered, taken)
    joined = frame.join(numbered, on=[*key, *record], how="left", maintain_order="left")
    return joined["copy"].to_numpy()


def _pass_over(numbered: pl.DataFrame, taken: pa.Table) -> pl.DataFrame:
    """Turn ranks into the lowest copy numbers that `taken` leaves free."""
    import polars as pl

    key = ["chunk", "conversation_id"]
    wanted = numbered.select(key).unique()
    held = pl.from_arrow(taken.select([*key, "copy"]))
    if not isinstance(held, pl.DataFrame):
        raise TypeError("taken must be a table")
    used: dict[tuple[str, str], set[int]] = {}
    for chunk, conversation, copy in held.join(wanted, on=key, how="semi").iter_rows():
        used.setdefault((chunk, conversation), set()).add(copy)
    if not used:
        return numbered
    following = dict.fromkeys(used, 0)
    copies = numbered["copy"].to_list()
    for place, (chunk, conversation) in enumerate(numbered.select(key).iter_rows()):
        name = (chunk, conversation)
        if name in used:
            free = following[name]
            while free in used[name]:
                free += 1
            copies[place], following[name] = free, free + 1
    return numbered.with_columns(pl.Series("copy", copies, dtype=pl.Int32))
