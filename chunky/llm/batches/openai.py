"""OpenAI's Batch API, through OpenAI's SDK: a file of rows up, a batch over it, one or two files of results down.

A batch carries our name of it in its metadata, so that one whose submit was lost is found in the list.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

import orjson

from chunky.llm.batches.vendor import Line, Look, Lost, NotYet, Row
from chunky.llm.keys import scrub
from chunky.llm.protocol import Request
from chunky.llm.providers.base import Fault, Sent
from chunky.llm.providers.faults import of_status, told_by, unreadable
from chunky.llm.providers.openai import OpenAI, read

if TYPE_CHECKING:
    from openai.types import Batch

_T = TypeVar("_T")
_ENDPOINT = "/v1/chat/completions"
_NAME = "chunky_batch"  # key of our name in the batch's metadata
_CLOCKS_APART = 600.0  # seconds
_PAGE = 100
_ENDED = ("completed", "expired", "cancelled")
_RESULTS_KEPT = 30 * 86_400  # seconds; other files of a vendor stay until somebody deletes them
# Kinds of errors with which the vendor refuses a whole batch for want of room, for now.
_NO_ROOM = ("token_limit_exceeded", "rate_limit_exceeded", "request_limit_exceeded")
# Kinds of rows that the vendor did not come to.
_NOT_MADE = {"batch_expired": "expired", "batch_cancelled": "canceled", "batch_canceled": "canceled"}


class OpenAIBatches:
    """Batches of one model of OpenAI; `provider` makes the bodies and holds key and connections."""

    max_rows = 50_000
    max_bytes = 200_000_000

    def __init__(self, provider: OpenAI) -> None:
        self.name = provider.name
        self.key_parts = provider.key_parts
        self._provider = provider

    def body(self, request: Request) -> Mapping[str, Any]:
        """The body of the online call."""
        return self._provider.body(request)

    async def upload(self, batch: str, lines: Sequence[Line]) -> str | Fault:
        """One call of `files.create`: the vendor's name of the file."""
        rows = (
            {
                "custom_id": line.custom_id, "method": "POST", "url": _ENDPOINT,
                "body": self._provider.as_sent(line.body),
            }
            for line in lines
        )  # fmt: skip
        data = b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows)
        return await self._try(
            lambda client: client.files.create(file=(f"{batch}.jsonl", data, "application/jsonl"), purpose="batch"),
            lambda file: str(file.id),
        )

    async def submit(self, batch: str, upload: str, lines: Sequence[Line]) -> Look | Fault:
        """One call of `batches.create`."""
        return await self._try(
            lambda client: client.batches.create(
                input_file_id=upload, endpoint=_ENDPOINT, completion_window="24h", metadata={_NAME: batch},
                output_expires_after={"anchor": "created_at", "seconds": _RESULTS_KEPT},
            ),
            _look,
        )  # fmt: skip

    async def look(self, vendor_id: str) -> Look | Fault:
        """One call of `batches.retrieve`."""
        return await self._try(lambda client: client.batches.retrieve(vendor_id), _look)

    async def find(self, lost: Lost) -> Look | NotYet | Fault | None:
        """The batch that carries our name."""

        async def search(client: Any) -> Batch | None:
            async for found in client.batches.list(limit=_PAGE):
                if found.created_at < lost.submitted_at - _CLOCKS_APART:  # the list starts with the newest
                    return None
                if (found.metadata or {}).get(_NAME) == lost.batch:
                    return cast("Batch", found)
            return None

        return await self._try(search, lambda found: None if found is None else _look(found))

    async def read(self, place: str, take: Callable[[Row], None]) -> Fault | None:
        """Stream one file of results."""
        import httpx2
        from openai import APIError

        try:
            files = cast(Any, self._provider.client().files)
            async with files.with_streaming_response.content(place) as response:
                async for line in _lines(response.iter_bytes()):
                    take(_row(orjson.loads(line)))
        except APIError as error:
            return self._provider.fault(error)
        except httpx2.HTTPError as error:
            return Fault("connection", scrub(f"{type(error).__name__}: {error}"), is_passing=True)
        except ValueError as error:  # cut inside a line
            return Fault("connection", f"the results broke off: {type(error).__name__}", is_passing=True)
        return None

    def adapt(self, row: Row) -> bool:
        """Ask without a temperature from now on, where one was refused."""
        return self._provider.learns_from(row.param, {"temperature": 0.0})

    async def close(self) -> None:
        """Close the connections."""
        await self._provider.close()

    async def _try(self, call: Callable[[Any], Any], told: Callable[[Any], _T]) -> _T | Fault:
        from openai import APIError

        try:
            return told(await call(self._provider.client()))
        except APIError as error:
            return self._provider.fault(error)
        except (json.JSONDecodeError, TypeError, AttributeError) as error:
            return unreadable(error)


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Lines that end in a newline; ValueError when the last one does not. (The SDK's own also splits at U+2028.)"""
    rest = b""
    async for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            if line.strip():
                yield line
    if rest.strip():
        raise ValueError("the last line has no end")


def _look(batch: Batch) -> Look:
    if batch.status == "failed":
        return _refused(batch)
    if batch.status not in _ENDED:
        return Look(str(batch.id), False)
    counts = batch.request_counts
    # Rows that expired are lines, too, and in no count but the total.
    answered, lines = (0, 0) if counts is None else (counts.completed or 0, counts.total or 0)
    places = tuple(place for place in (batch.output_file_id, batch.error_file_id) if place)
    return Look(batch.id, True, answered, lines, places)


def _refused(batch: Batch) -> Look:
    """A batch that the vendor did not start, and did not charge for."""
    errors = [] if batch.errors is None else batch.errors.data or []
    told = scrub("; ".join(f"{error.code} {error.message}" for error in errors[:3]))[:400] or "no reason was told"
    lines = {error.line - 1: f"{error.code} {error.message}"[:400] for error in errors if error.line}
    if any(error.code in _NO_ROOM for error in errors):
        return Look(batch.id, True, fault=Fault("rate limit", told, is_passing=True, is_overload=True))
    fault = of_status(400, told)  # a credit that is gone is known by its words
    return Look(batch.id, True, fault=fault, bad_lines={} if fault.ends_run else lines)


def _row(line: Any) -> Row:
    """A line of either file; a line that is in no format of the vendor's is a row that nobody can read."""
    name = line.get("custom_id") if isinstance(line, Mapping) else None
    try:
        return _told(str(name), line.get("response"), line.get("error") or {})
    except (TypeError, AttributeError, LookupError, ValueError) as error:
        return Row(str(name), unreadable(f"{type(error).__name__}: {error}"))


def _told(custom_id: str, response: Mapping[str, Any] | None, error: Mapping[str, Any]) -> Row:
    if response is None or not response.get("status_code"):
        told = scrub(told_by({"error": error}))[:400] or "no reason was told"
        kind = _NOT_MADE.get(str(error.get("code")))
        return Row(custom_id, of_status(500, told) if kind is None else Fault(kind, told, is_passing=True))
    status, body = int(response["status_code"]), response.get("body")
    if status == 200:
        return Row(custom_id, _sent(body))
    inner = body.get("error") if isinstance(body, Mapping) else None
    param = inner.get("param") if isinstance(inner, Mapping) else None
    return Row(custom_id, of_status(status, scrub(told_by(body))[:400]), param)


def _sent(body: Any) -> Sent | Fault:
    from openai.types.chat import ChatCompletion

    try:
        return read(ChatCompletion.construct(**body))
    except (TypeError, AttributeError, LookupError) as error:
        return unreadable(error)
