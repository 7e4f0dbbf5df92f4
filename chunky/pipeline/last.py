"""What takes long to read of a lake, kept for all who ask in one process, until the lake or the question is another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any, Generic, TypeVar

import polars as pl
import pyarrow as pa

from chunky.lens import Lens

T = TypeVar("T")

__all__ = ["Last", "Rows"]


class Last(Generic[T]):
    """The last thing made, with its key. Who asks while it is being made waits for it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._held: tuple[Any, T] | None = None

    def of(self, key: Any, make: Callable[[], T]) -> T:
        """The thing of `key`; one of another key is let go before it is made, so that two are never in memory."""
        with self._lock:
            if self._held is not None and self._held[0] == key:
                return self._held[1]
            self._held = None
            made = make()
            self._held = key, made
            return made


class Rows:
    """Looks up a text column of `corpus.rows` by row id, in a lens that stays open: opening takes half a second.

    One at a time, since a session of DuckDB answers one question at a time.
    """

    def __init__(self, lens: Lens, column: str) -> None:
        self._lens, self._lock = lens, Lock()
        self._sql = f"select row_id, {column} from corpus.rows inner join wanted using (row_id)"

    def __call__(self, row_ids: Sequence[int]) -> dict[int, str]:
        """row_id → its text, for those that the mix has."""
        wanted = pa.table({"row_id": pa.array(sorted(set(row_ids)), pa.int64())})
        with self._lock, self._lens.registered(wanted=wanted):
            found = self._lens.table(self._sql)
        return dict(pl.DataFrame(found).iter_rows())
