"""What a call amounts to: its content address before, its cost and its reply after."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson

from chunky.llm.ledger import Answer, Outcome
from chunky.llm.prices import Price, usd
from chunky.llm.protocol import Reply, Request
from chunky.llm.providers.base import Fault, Sent
from chunky.llm.schemas import misfit


def content_key(parts: Sequence[str], body: Mapping[str, Any], sample: int) -> bytes:
    """SHA-256 of all that a reply depends on: vendor's API, server, body (model, prompt, parameters), sample index.

    TypeError when the body holds text that is no Unicode.
    """
    return hashlib.sha256(orjson.dumps([list(parts), body, sample], option=orjson.OPT_SORT_KEYS)).digest()


def hit(answer: Answer, model: str) -> tuple[Outcome, Reply]:
    """What is written down of a hit, and its reply: it costs nothing."""
    outcome = Outcome(answer.text, None, None, answer.input_tokens, answer.output_tokens, 0, 0, 0.0, 0)
    reply = Reply(answer.text, None, None, answer.input_tokens, answer.output_tokens, 0.0, 0.0, True, 0, model)
    return outcome, reply


def failure(fault: Fault, model: str) -> Reply:
    """The reply to a request that was never sent."""
    return Reply(None, fault.kind, fault.detail, None, None, 0.0, 0.0, False, 0, model)


def reply_of(outcome: Outcome, model: str) -> Reply:
    """The reply that stage code gets: text only where it is an answer; the ledger keeps the rest."""
    return Reply(
        outcome.text if outcome.error is None else None,
        outcome.error,
        outcome.detail,
        outcome.input_tokens,
        outcome.output_tokens,
        usd(outcome.nano_usd),
        outcome.seconds or 0.0,
        False,
        outcome.attempts or 0,
        model,
    )


def outcome_of(
    result: Sent | Fault, request: Request, price: Price | None, bound: int, seconds: float, attempts: int
) -> Outcome:
    """The books' view of a result. `bound`, the most the call can cost, is what counts where the cost is unknown."""
    if isinstance(result, Fault):
        cost, counted = (None, bound) if result.may_be_paid else (0, 0)
        return Outcome(None, result.kind, result.detail, None, None, cost, counted, seconds, attempts)
    result = replace(result, text=readable(result.text))
    error, detail = _judge(result, request)
    cost, counted = None, bound
    if price is not None and result.input_tokens is not None and result.output_tokens is not None:
        cost = counted = price.nano(result.input_tokens, result.output_tokens)
    return Outcome(
        result.text, error, detail, result.input_tokens, result.output_tokens, cost, counted, seconds, attempts
    )


def readable(text: str) -> str:
    """`text` as Unicode: half a surrogate pair (a model stopped inside an emoji) becomes U+FFFD, as SQLite needs it."""
    return text if text.isascii() else text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def _judge(result: Sent, request: Request) -> tuple[str | None, str | None]:
    """Kind and detail of what is wrong with a reply, (None, None) for an answer."""
    if result.end == "refusal":
        return "refusal", result.detail or "the model refused"
    if result.end == "truncated":
        return "truncated", f"the reply was cut at {request.max_tokens} tokens or the end of the context"
    if not result.text.strip():
        return "empty", "the reply holds no text"
    reason = None if request.schema is None else misfit(result.text, request.schema)
    return (None, None) if reason is None else ("bad reply", reason)
