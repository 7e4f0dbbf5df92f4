"""The generator: a prompt of which all sampled attributes are true (paper: section 3.1.4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from chunky.errors import InputError
from chunky.llm.protocol import Reply, Request
from chunky.llm.roles import reading
from chunky.llm.roles.asking import ask, numbered
from chunky.llm.roles.reading import Field, Parsed, Unreadable

__all__ = ["Wish", "read", "requests"]

_FIELDS = (Field("message", "text", "the message, exactly as it is sent", "message"),)


@dataclass(frozen=True)
class Wish:
    """Attributes that one prompt shall have; InputError when there are none."""

    attributes: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.attributes:
            raise InputError("a prompt is wanted that has no attributes", "sample at least one")


def requests(wishes: Iterable[Wish], *, temperature: float = 1.0, seed: int = 0, sample: int = 0) -> list[Request]:
    """One request per wish; equal wishes get different sample numbers, from `sample` up, and so other answers."""
    seen: dict[tuple[str, ...], int] = {}
    made = []
    for wish in wishes:
        draw = seen[wish.attributes] = seen.get(wish.attributes, sample - 1) + 1
        made.append(
            ask(
                "generator",
                _FIELDS,
                trusted={},
                strange={"attributes": numbered(wish.attributes)},
                facts={"attributes": list(wish.attributes), "seed": seed},
                max_tokens=2_000,
                temperature=temperature,
                seed=seed,
                sample=draw,
            )
        )
    return made


def read(request: Request, reply: Reply) -> Parsed[str]:
    """The prompt, without white space around it; an empty one is an error."""

    def build(fields: Mapping[str, Any]) -> str:
        message: str = fields["message"].strip()
        if not message:
            raise Unreadable("an empty message", "ask again")
        return message

    return reading.read(request, reply, _FIELDS, build)
