"""What stage code and models say to each other: a request for one role, a reply, and the protocol of a model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

__all__ = ["Fetcher", "Keeper", "Message", "Model", "Reply", "Request"]


@dataclass(frozen=True)
class Message:
    """One turn of a prompt."""

    role: Literal["system", "user", "assistant"]
    text: str


@dataclass(frozen=True)
class Request:
    """One call. `role` is the stage role (extractor, judge, …), `sample` tells repeated draws of one prompt apart.

    `schema` is the JSON schema of a structured reply. `facts` are typed inputs for the offline providers, which never
    read prompts.
    """

    role: str
    messages: tuple[Message, ...]
    max_tokens: int
    temperature: float = 0.0
    schema: Mapping[str, Any] | None = None
    schema_name: str = ""
    sample: int = 0
    prompt_version: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Reply:
    """The answer to one request, or the reason why there is none; unknown tokens and costs are None.

    `error` is one of: rate limit, overloaded, timeout, connection, refusal, truncated, empty, bad reply, auth, credit,
    budget, server, invalid request; of batches, expired, canceled, in batch (sent, and not collected yet).
    """

    text: str | None
    error: str | None
    detail: str | None
    input_tokens: int | None
    output_tokens: int | None
    usd: float | None
    seconds: float
    is_cached: bool
    attempts: int
    model: str


class Model(Protocol):
    """Anything that answers requests."""

    name: str

    def complete(
        self, requests: Iterable[Request], on_reply: Callable[[int, Reply], None] | None = None
    ) -> list[Reply]:
        """One reply per request, in their order; a request's failure is an error in its reply, never an exception."""
        ...


@runtime_checkable
class Keeper(Protocol):
    """A model that keeps its answers."""

    def holds(self, request: Request) -> bool:
        """Whether it has the answer, so that asking costs nothing."""
        ...

    def reject(self, request: Request, reason: str) -> bool:
        """Take back an answer that its reader cannot use; False when there is none."""
        ...


@runtime_checkable
class Fetcher(Protocol):
    """A model that answers hours later (batches): all is better asked at once, and its answers kept in the ledger."""

    def fetch(self, requests: Iterable[Request], on_reply: Callable[[int, Reply], None]) -> None:
        """Hand out one reply per request as it comes, and keep none."""
        ...
