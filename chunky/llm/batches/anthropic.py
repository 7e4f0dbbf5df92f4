"""Anthropic's Message Batches, through Anthropic's SDK.

A batch carries no name of ours, and its custom ids are told with its results only. A submit whose answer was lost is
therefore found by size and time, and known for sure when the candidate has ended.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from chunky.llm.batches.vendor import Line, Look, Lost, NotYet, Row, key_of
from chunky.llm.keys import scrub
from chunky.llm.protocol import Request
from chunky.llm.providers.anthropic import Anthropic, read
from chunky.llm.providers.base import Fault
from chunky.llm.providers.faults import of_status, unreadable

if TYPE_CHECKING:
    from anthropic.types.messages import MessageBatch, MessageBatchIndividualResponse

_CLOCKS_APART = timedelta(minutes=10)
_PAGE = 100
# Kinds of the vendor's errors, by the status that they come with when a call is made alone.
_STATUS = {
    "invalid_request_error": 400, "authentication_error": 401, "billing_error": 402, "permission_error": 403,
    "not_found_error": 404, "request_too_large": 413, "rate_limit_error": 429, "api_error": 500, "timeout_error": 504,
    "overloaded_error": 529,
}  # fmt: skip


class AnthropicBatches:
    """Batches of one model of Anthropic; `provider` makes the bodies and holds key and connections."""

    max_rows = 100_000
    max_bytes = 256_000_000

    def __init__(self, provider: Anthropic) -> None:
        self.name = provider.name
        self.key_parts = provider.key_parts
        self._provider = provider
        self._first_rows: dict[str, str] = {}  # of ended batches that were looked into: the custom id of one row

    def body(self, request: Request) -> Mapping[str, Any]:
        """The body of the online call."""
        return self._provider.body(request)

    async def upload(self, batch: str, lines: Sequence[Line]) -> str | Fault:
        """Nothing: rows travel with the submit."""
        return ""

    async def submit(self, batch: str, upload: str, lines: Sequence[Line]) -> Look | Fault:
        """One call of `messages.batches.create`."""
        rows = [{"custom_id": line.custom_id, "params": line.body} for line in lines]
        return await self._one(lambda batches: batches.create(requests=rows))

    async def look(self, vendor_id: str) -> Look | Fault:
        """One call of `messages.batches.retrieve`."""
        return await self._one(lambda batches: batches.retrieve(vendor_id))

    async def find(self, lost: Lost) -> Look | NotYet | Fault | None:
        """Look into all ended batches of that size and time; those that still run may be it."""
        from anthropic import APIError

        first = datetime.fromtimestamp(lost.submitted_at, UTC) - _CLOCKS_APART
        running = 0
        try:
            async for found in self._batches().list(limit=_PAGE):
                if found.created_at < first:  # the list starts with the newest
                    break
                if found.id in lost.others or _size(found) != lost.rows:
                    continue
                if found.processing_status != "ended":
                    running += 1
                    continue
                first_row = await self._first_row(found.id)
                if isinstance(first_row, Fault):
                    return first_row
                if key_of(lost.batch, first_row) is not None:
                    return _look(found)
        except APIError as error:
            return self._provider.fault(error)
        except (json.JSONDecodeError, TypeError, AttributeError) as error:
            return unreadable(error)
        return NotYet(running) if running else None

    async def _first_row(self, vendor_id: str) -> str | Fault:
        """The custom id of one row of an ended batch; it tells whose the batch is."""
        found = self._first_rows

        def take(row: Row) -> None:
            found[vendor_id] = row.custom_id
            raise _Enough

        if vendor_id not in found:
            with suppress(_Enough):
                fault = await self.read(vendor_id, take)
                # An empty stream ended early, for the batch has rows.
                return fault or Fault("connection", "the results broke off before the first row", is_passing=True)
        return found[vendor_id]

    async def read(self, place: str, take: Callable[[Row], None]) -> Fault | None:
        """Stream the results of the batch of that name."""
        import httpx2
        from anthropic import APIError

        try:
            results = await self._batches().results(place)
            try:
                async for line in results:
                    take(_row(line))
            finally:
                await results.close()
        except APIError as error:
            return self._provider.fault(error)
        except httpx2.HTTPError as error:
            return Fault("connection", scrub(f"{type(error).__name__}: {error}"), is_passing=True)
        except json.JSONDecodeError as error:  # cut inside a line
            return Fault("connection", f"the results broke off: {type(error).__name__}", is_passing=True)
        return None

    def adapt(self, row: Row) -> bool:
        """Nothing is learned from a refusal."""
        return False

    async def close(self) -> None:
        """Close the connections."""
        await self._provider.close()

    def _batches(self) -> Any:
        return cast(Any, self._provider.client().messages.batches)

    async def _one(self, call: Callable[[Any], Any]) -> Look | Fault:
        from anthropic import APIError

        try:
            return _look(await call(self._batches()))
        except APIError as error:
            return self._provider.fault(error)
        except (json.JSONDecodeError, TypeError, AttributeError) as error:
            return unreadable(error)


class _Enough(Exception):
    """One row was all that was wanted."""


def _size(batch: MessageBatch) -> int:
    counts = batch.request_counts
    return counts.processing + counts.succeeded + counts.errored + counts.canceled + counts.expired


def _look(batch: MessageBatch) -> Look:
    if batch.processing_status != "ended":
        return Look(str(batch.id), False)
    return Look(batch.id, True, batch.request_counts.succeeded, _size(batch), (batch.id,))


def _row(line: MessageBatchIndividualResponse) -> Row:
    """A line of the results; one that is not in the vendor's format is a row that nobody can read."""
    try:
        return _told(line)
    except (TypeError, AttributeError) as error:
        return Row(str(getattr(line, "custom_id", "")), unreadable(error))


def _told(line: MessageBatchIndividualResponse) -> Row:
    result = line.result
    if result.type == "succeeded":
        return Row(line.custom_id, read(result.message))
    if result.type == "errored":
        error = result.error.error
        return Row(
            line.custom_id, of_status(_STATUS.get(error.type, 500), scrub(f"{error.type} {error.message}")[:400])
        )
    told = f"the vendor says that the request {'was canceled' if result.type == 'canceled' else 'expired'}"
    return Row(line.custom_id, Fault(result.type, told, is_passing=True))
