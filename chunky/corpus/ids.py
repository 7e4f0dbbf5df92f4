"""Ids of the lake: signed 64-bit hashes of content, so that a rerun cannot renumber the world.

`signed_hash` makes the id of one thing, such as a feature or a quarantined record. It covers an unambiguous encoding:
per part one 8-byte header (kind in the top byte, length below), then the bodies. Two different tuples of parts never
share an encoding: equal headers fix all lengths, and a longer tuple is a longer encoding. Rows and contents come by the
million and have a hash of their own, `hashing.hash_columns`.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

from chunky.corpus.hashing import hash_columns

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import polars as pl
    import pyarrow as pa

    Int64s = npt.NDArray[np.int64]

__all__ = ["conversation_keys", "signed_hash", "with_ids"]

_NULL, _TEXT, _BYTES, _INTEGER = 0, 1, 2, 3
_KIND_SHIFT = 56


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


def conversation_keys(rows: pa.Table) -> Int64s:
    """Hash of (chunk, conversation_id) of each row, int64, shape (rows,): what a row's id goes on from."""
    return hash_columns(rows["chunk"], rows["conversation_id"])


def with_ids(rows: pa.Table, taken: pa.Table | None = None, keys: Int64s | None = None) -> pa.Table:
    """Add `copy` and `row_id`; the result has the columns of `corpus.rows` in catalog order.

    `rows` holds whole records (all turns of a record, any number of files). Records of equal (chunk, conversation_id)
    are numbered from 0 in the order in which they come, and all turns of a record share the number; numbers in
    `taken` (chunk, conversation_id, copy: rows of other files that are already in the lake) are passed over.
    `keys` are the `conversation_keys` of the rows, where they are known.
    """
    import pyarrow as pa

    from chunky.tables import table

    keys = conversation_keys(rows) if keys is None else keys
    copies = pa.array(_copies(rows, keys, taken), pa.int32())
    ids = pa.array(hash_columns(rows["turn"], copies, onto=keys), pa.int64())
    schema = table("corpus.rows").arrow_schema
    return rows.append_column("copy", copies).append_column("row_id", ids).select(schema.names).cast(schema)


def _copies(rows: pa.Table, keys: Int64s, taken: pa.Table | None) -> npt.NDArray[np.int32]:
    """Copy number of each row, int32, shape (rows,)."""
    import numpy as np
    import polars as pl

    firsts = np.sort(keys[rows["turn"].to_numpy() == 1])
    if (firsts[1:] != firsts[:-1]).all() and (taken is None or taken.num_rows == 0):
        return np.zeros(len(keys), dtype=np.int32)
    key, record = ["chunk", "conversation_id"], ["file", "record_number"]
    frame = pl.from_arrow(rows.select(key + record))
    if not isinstance(frame, pl.DataFrame):
        raise TypeError("rows must be a table")
    records = frame.unique([*key, *record], keep="first", maintain_order=True)
    numbered = records.with_columns((pl.int_range(pl.len()).over(key)).cast(pl.Int32).alias("copy"))
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
