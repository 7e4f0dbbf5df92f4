"""The target: the model under audit, which gets a query as it is, with nothing of ours around it (section 3.1.2)."""

from __future__ import annotations

from collections.abc import Iterable

from chunky.llm.protocol import Message, Reply, Request
from chunky.llm.roles.reading import Parsed

__all__ = ["read", "requests"]


def requests(
    queries: Iterable[str],
    *,
    system: str | None = None,
    max_tokens: int = 2_000,
    temperature: float = 1.0,
    sample: int = 0,
) -> list[Request]:
    """One request per query, single turn; `system` is the system prompt under which the model is audited."""
    opening = () if system is None else (Message("system", system),)
    return [
        Request(
            role="target",
            messages=(*opening, Message("user", query)),
            max_tokens=max_tokens,
            temperature=float(temperature),  # 1 and 1.0 are one number, and two texts in a body
            sample=sample,
            facts={"query": query, "system": system},
        )
        for query in queries
    ]


def read(request: Request, reply: Reply) -> Parsed[str]:
    """The response as it came. A refusal written as text is a response; one that the provider reports is an error."""
    if reply.error is not None:
        return Parsed(None, reply.error, reply.detail, reply.text)
    if reply.text is None or not reply.text.strip():
        return Parsed(None, "empty", "the reply holds no text", reply.text)
    return Parsed(reply.text, None, None, reply.text)
