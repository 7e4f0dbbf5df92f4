"""Which attributes hold for which rows: compressed rows of attribute numbers, one array for millions of entries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from chunky.attributes.topics import Topics
from chunky.features import Feature, Prepared
from chunky.tables import SIDES

if TYPE_CHECKING:
    from scipy.sparse import csr_array

I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Texts = Callable[[], Iterable[pa.Table]]

_GROUP_ROWS = 32_768  # a few groups' worth of texts is all that is in memory
_GROUP_BYTES = 64 * 2**20


class Held(NamedTuple):
    """Attributes of each row of one side: row r has `numbers[offsets[r]:offsets[r + 1]]` (int32, ascending)."""

    offsets: I64
    numbers: I32

    def matrix(self, attributes: int, rows: I64 | None = None) -> csr_array:
        """Rows × attributes as a sparse matrix of ones, float32; only `rows`, where given."""
        from scipy.sparse import csr_array

        ones = np.ones(len(self.numbers), np.float32)
        offsets = self.offsets if self.offsets[-1] > 2**31 - 1 else self.offsets.astype(np.int32)
        whole = csr_array((ones, self.numbers, offsets), shape=(len(self.offsets) - 1, attributes))
        return whole if rows is None else whole[rows]


def groups(batches: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in larger tables: at most 32,768 rows or about 64 MiB each."""
    waiting: list[pa.Table] = []
    for batch in batches:
        waiting.append(batch)
        if sum(map(len, waiting)) >= _GROUP_ROWS or sum(table.nbytes for table in waiting) >= _GROUP_BYTES:
            yield pa.concat_tables(waiting)
            waiting = []
    if waiting:
        yield pa.concat_tables(waiting)


def held(
    texts: pa.Table,
    features: Sequence[Sequence[Feature]],
    topics: Sequence[Topics],
    prepared: Prepared | None = None,
) -> tuple[Held, Held]:
    """Attributes of every row of one table, query side and response side.

    `features` and `topics` by side; attribute numbers count a side's features first, then its topics. `prepared` holds
    the features of both sides, where they are looked up more than once.
    """
    size = texts.num_rows
    columns: dict[str, Any] = {"row_id": np.arange(size), "chunk": pa.repeat("", size)}
    numbered = pa.table(columns | {side: texts[side] for side in SIDES})
    both = prepared or Prepared([feature for part in features for feature in part])
    members = both.find([numbered])
    query, response = (
        _compress(size, [members[feature.feature_id] for feature in mine], themes.assign(_column(texts, side)))
        for side, mine, themes in zip(SIDES, features, topics, strict=True)
    )
    return query, response


def _column(texts: pa.Table, side: str) -> pl.Series:
    return pl.Series("text", pl.from_arrow(texts[side]), dtype=pl.String)


def _compress(size: int, members: Sequence[I64], topics: tuple[I64, I64]) -> Held:
    lengths = np.array([len(rows) for rows in members], np.int64)
    rows = np.concatenate([np.zeros(0, np.int64), *members, topics[0]])
    numbers = np.concatenate([np.repeat(np.arange(len(members)), lengths), topics[1] + len(members)])
    order = np.lexsort((numbers, rows))
    return Held(np.searchsorted(rows[order], np.arange(size + 1)), numbers[order].astype(np.int32))


def joined(parts: Sequence[Held]) -> Held:
    """The rows of all parts, one after the other."""
    starts = np.cumsum([0, *(part.offsets[-1] for part in parts)])
    offsets = [np.zeros(1, np.int64), *(part.offsets[1:] + start for part, start in zip(parts, starts, strict=False))]
    return Held(np.concatenate(offsets), np.concatenate([np.zeros(0, np.int32), *(part.numbers for part in parts)]))
