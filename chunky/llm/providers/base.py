"""What a provider does: make the body of a request, send it once, and say what came of it.

A provider neither retries nor counts. It returns what happened as a value, because a failed call is an ordinary result.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, Protocol

from chunky.llm.protocol import Request


@dataclass(frozen=True)
class Sent:
    """A reply that came whole. It is paid for, whether or not it is an answer; tokens that were not told are None."""

    text: str
    input_tokens: int | None
    output_tokens: int | None
    end: Literal["whole", "truncated", "refusal"] = "whole"
    detail: str | None = None


@dataclass(frozen=True)
class Fault:
    """A call without a reply.

    `is_passing`: the same call may succeed later. `may_be_paid`: the server had the request, and nobody knows whether
    it charged for it. `ends_run`: no other call can succeed either (key refused, credit gone, no such model).
    """

    kind: str
    detail: str
    is_passing: bool = False
    may_be_paid: bool = False
    ends_run: bool = False
    is_overload: bool = False
    retry_after: float | None = None


class Provider(Protocol):
    """One model on one server. `key_parts` and the body are what a reply depends on."""

    name: str
    key_parts: tuple[str, ...]

    def body(self, request: Request) -> Mapping[str, Any]:
        """What is sent for a request, with no key in it."""
        ...

    async def send(self, body: Mapping[str, Any]) -> Sent | Fault:
        """Send once and wait for the whole reply. The first call opens connections, in the loop that runs."""
        ...

    async def close(self) -> None:
        """Close the connections that the calls since the last `close` have used."""
        ...


@cache
def tls_context() -> ssl.SSLContext:
    """One context for all clients of the process: reading the certificates took 58 of the 59 ms that a client costs."""
    import httpx2

    return httpx2.create_ssl_context()
