"""Results of an ended batch, row by row: settled once, however often they are read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from chunky.llm.batches.books import Claimed, Kept
from chunky.llm.batches.vendor import Look, Row, key_of
from chunky.llm.ledger import Outcome
from chunky.llm.outcomes import outcome_of
from chunky.llm.protocol import Request
from chunky.llm.providers.base import Fault, Sent

if TYPE_CHECKING:
    from chunky.llm.batches.driving import Sink, Tools

_COMMIT_ROWS = 500


class Reading:
    """What was read of one batch: `rows` are those still open in the books, when they were submitted in seconds since
    1970.
    """

    def __init__(
        self, tools: Tools, kept: Kept, rows: Mapping[bytes, Claimed], sink: Sink, submitted_at: float | None
    ) -> None:
        self._tools, self._kept, self._sink = tools, kept, sink
        self._rows = dict(rows)
        self._schema = None if kept.schema is None else json.loads(kept.schema)
        self._submitted_at = submitted_at
        self._seen: set[bytes] = set()
        self._answered: set[bytes] = set()
        self._back: list[bytes] = []
        self._held: dict[bytes, Outcome] = {}

    def take(self, row: Row) -> None:
        """Take one row; one that was read before, or is none of the batch, changes nothing."""
        key = key_of(self._kept.batch, row.custom_id)
        if key is None or key in self._seen:
            return
        self._seen.add(key)
        if isinstance(row.result, Sent) or row.result.kind == "bad reply":
            self._answered.add(key)
        if key not in self._rows:  # settled before the process that read it died
            return
        result = row.result
        if isinstance(result, Fault):
            if result.ends_run:
                self._sink.end(result)
            is_free = result.is_passing or self._tools.vendor.adapt(row)
            if is_free and self._sink.may_return(key):
                self._back.append(key)
                return
        self._hold(key, result)

    def _hold(self, key: bytes, result: Sent | Fault) -> None:
        claimed = self._rows[key]
        asked = Request("", (), claimed.max_tokens, schema=self._schema)
        seconds = self._tools.timing.time_of_day() - (self._submitted_at or 0.0)
        self._held[key] = outcome_of(result, asked, self._tools.price, claimed.bound, seconds, self._sink.attempts(key))
        if len(self._held) >= _COMMIT_ROWS:
            self.flush()

    def flush(self) -> None:
        """Put what was read into the books, and tell it."""
        held, self._held = self._held, {}
        if not held:
            return
        self._tools.books.settle(self._kept.batch, held)
        for key, outcome in held.items():
            self._sink.settled(key, outcome)

    def is_whole(self, look: Look) -> bool:
        """Whether as many rows, and as many replies, were read as the vendor counts."""
        return len(self._seen) >= look.expected and len(self._answered) >= look.answered

    def close(self, look: Look) -> list[bytes]:
        """Rows that are to be asked again. One that the vendor does not tell of was not made when all replies that it
        counts are there, and may have been paid for when they are not.
        """
        paid = len(self._answered) < look.answered
        missing = Fault("server", "the vendor's results do not hold the row", is_passing=True, may_be_paid=paid)
        back, lost = list(self._back), {}
        for key in self._rows.keys() - self._seen:
            if not self._sink.may_return(key):
                self._hold(key, missing)
                continue
            back.append(key)
            if paid:
                bound = self._rows[key].bound
                lost[key] = Outcome(None, "lost", missing.detail, None, None, None, bound, None, 1)
        self._tools.books.settle(self._kept.batch, lost)
        self.flush()
        return back
