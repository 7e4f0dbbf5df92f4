"""Failures of the two vendors' SDKs, which name and shape their errors alike, told as one kind of `Fault`.

Only the server's own message is kept, without keys, and cut short: an SDK's exception also holds the request.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from typing import TYPE_CHECKING

from pydantic import SecretStr

from chunky.llm.keys import scrub
from chunky.llm.providers.base import Fault

if TYPE_CHECKING:
    import anthropic
    import openai

    type_of_api_error = anthropic.APIError | openai.APIError

_DETAIL_CHARS = 400
_PASSING = {408, 409, 425}
# The words of the vendors for "no money left"; a 400 or 429 with them will not pass.
_NO_CREDIT = ("billing_error", "insufficient_quota", "billing_hard_limit_reached", "credit balance is too low")


def fault_of(error: type_of_api_error, *keys: SecretStr) -> Fault:
    """What an SDK's exception means for the call and the run."""
    import httpx2

    status = getattr(error, "status_code", None)
    response = getattr(error, "response", None)
    if isinstance(status, int) and isinstance(response, httpx2.Response):
        return of_status(status, scrub(told_by(error.body) or error.message, *keys)[:_DETAIL_CHARS], response.headers)
    cause = error.__cause__
    was_sent = not isinstance(cause, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout)
    kind = "timeout" if isinstance(cause, httpx2.TimeoutException) else "connection"
    told = scrub(f"{type(cause or error).__name__}: {cause or error}", *keys)[:_DETAIL_CHARS]
    return Fault(kind, told, is_passing=True, may_be_paid=was_sent)


def unreadable(error: json.JSONDecodeError | TypeError | AttributeError | LookupError | str) -> Fault:
    """A reply with status 200 that is not the vendor's format: it was made, so it may be paid for, and is not asked
    again.
    """
    told = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
    return Fault(
        "bad reply", scrub(f"the reply is not in the vendor's format ({told})")[:_DETAIL_CHARS], may_be_paid=True
    )


def of_status(status: int, message: str, headers: Mapping[str, str] = MappingProxyType({})) -> Fault:
    """What a status means, of a response or of a row of a batch; `message` holds no key."""
    detail = f"{status}: {message}"
    if status == 402 or (status in (400, 403, 429) and any(word in message for word in _NO_CREDIT)):
        return Fault("credit", detail, ends_run=True)
    if status in (401, 403):
        return Fault("auth", detail, ends_run=True)
    if status == 429:
        return Fault("rate limit", detail, is_passing=True, is_overload=True, retry_after=_retry_after(headers))
    if status in (503, 529):
        kind = "overloaded" if status == 529 or "overloaded" in message else "server"
        return Fault(kind, detail, is_passing=True, is_overload=True, retry_after=_retry_after(headers))
    if status in _PASSING or status >= 500:
        return Fault("server", detail, is_passing=headers.get("x-should-retry") != "false")
    if 200 <= status < 300:  # the SDK could not read it
        return unreadable(message)
    return Fault("invalid request", detail, ends_run=status == 404)


def told_by(body: object) -> str:
    """Type, code and message of a server's own error object, else its text; empty where it has none."""
    if isinstance(body, Mapping):
        inner = body.get("error", body)
        if isinstance(inner, Mapping):
            return " ".join(str(inner[part]) for part in ("type", "code", "message") if inner.get(part))
        body = inner
    return body if isinstance(body, str) else ""


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds of the headers retry-after-ms or retry-after (seconds or a date); None when there is none to read."""
    for header, unit in (("retry-after-ms", 1_000.0), ("retry-after", 1.0)):
        told = headers.get(header)
        if told is None:
            continue
        try:
            seconds = float(told) / unit
        except ValueError:
            try:
                seconds = (parsedate_to_datetime(told) - datetime.now(UTC)).total_seconds()
            except (ValueError, TypeError):
                return None
        return max(0.0, seconds) if seconds == seconds else None  # NaN is a number to float()
    return None
