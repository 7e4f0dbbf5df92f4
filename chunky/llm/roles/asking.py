"""How a request is put together: the role's prompt filled and fenced, the schema of its reply, the facts beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chunky.llm.prompts import load
from chunky.llm.protocol import Request
from chunky.llm.roles.reading import Field, outline, schema

__all__ = ["ask", "numbered"]


def ask(
    role: str,
    fields: Sequence[Field],
    *,
    trusted: Mapping[str, str],
    strange: Mapping[str, str],
    facts: Mapping[str, Any],
    max_tokens: int,
    temperature: float,
    seed: int = 0,
    sample: int = 0,
    labels: Mapping[str, str] | None = None,
) -> Request:
    """One request of a role; see `chunky.llm.prompts.Prompt.messages` for the slots.

    `facts` must be plain JSON (no tuples), so that offline replies can be cached by them.
    """
    prompt = load(role)
    return Request(
        role=role,
        messages=prompt.messages({**trusted, "reply": outline(fields)}, strange, seed=seed, labels=labels),
        max_tokens=max_tokens,
        temperature=temperature,
        schema=schema(fields),
        schema_name=f"{role}_reply",
        sample=sample,
        prompt_version=prompt.version,
        facts=facts,
    )


def numbered(texts: Sequence[str]) -> str:
    """Texts as a numbered list, one a line: a line break inside a text must not begin a new entry."""
    return "\n".join(f"{number}. {' '.join(text.split())}" for number, text in enumerate(texts, 1))
