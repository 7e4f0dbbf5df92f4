"""Requests cut into batches: one JSON schema each, and within the sizes that vendors take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from chunky.llm.batches.books import Wish
from chunky.llm.ledger import Call
from chunky.llm.protocol import Request

# A vendor that tells no name of ours tells the size: full batches differ by up to a sixteenth, so that one whose submit
# was lost is not taken for another.
_SIZES_DIFFER = 16


class Asked(NamedTuple):
    """A request on its way: its call, its body, the most it can cost (1e-9 dollars), its size in bytes, the JSON
    schema of its reply as text.
    """

    call: Call
    body: Mapping[str, Any]
    request: Request
    bound: int
    size: int
    schema: str | None

    @property
    def wish(self) -> Wish:
        """What the ledger is asked for."""
        return Wish(self.call, self.bound, self.request.max_tokens)


@dataclass
class _Group:
    rows: list[Asked] = field(default_factory=list)
    size: int = 0


class Filling:
    """Batches in the making, one for each schema."""

    def __init__(self, max_rows: int, max_bytes: int, first: int) -> None:
        self.max_bytes = max_bytes
        self._max_rows = max_rows
        self._groups: dict[str | None, _Group] = {}
        self._full: list[list[Asked]] = []
        self._made = first  # any number: processes that die make no two batches of one size

    @property
    def has_full(self) -> bool:
        """Whether a batch is ready to go."""
        return bool(self._full)

    def add(self, asked: Asked) -> None:
        """Put a request, no larger than a batch may be, into the batch of its schema."""
        group = self._groups.setdefault(asked.schema, _Group())
        if group.rows and group.size + asked.size > self.max_bytes:
            group = self._close(asked.schema)
        group.rows.append(asked)
        group.size += asked.size
        if len(group.rows) >= self._rows_of_next():
            self._close(asked.schema)

    def next(self) -> list[Asked]:
        """Take the oldest full batch out."""
        return self._full.pop(0)

    def drain(self) -> list[Asked]:
        """Take all out, full or not."""
        self.close()
        batches, self._full = self._full, []
        return [asked for batch in batches for asked in batch]

    def shrink(self, rows: int) -> None:
        """Make smaller batches from now on: a server refused one of so many rows for its size."""
        self._max_rows = max(1, min(self._max_rows, rows // 2))

    def close(self) -> None:
        """Call all that there is full: no more requests are to come."""
        for schema in list(self._groups):
            self._close(schema)

    def _close(self, schema: str | None) -> _Group:
        group = self._groups[schema]
        if group.rows:
            self._full.append(group.rows)
            self._made += 1
        self._groups[schema] = _Group()
        return self._groups[schema]

    def _rows_of_next(self) -> int:
        return self._max_rows - self._made % max(1, self._max_rows // _SIZES_DIFFER)
