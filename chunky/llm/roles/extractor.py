"""The extractor: ten sentences about one query or one response, blind to everything but that text.

Paper: sections 3.1.1 and 4.1, appendix D.1.1; judge 1 of appendix D.1.2 is this role on the failing response. The query
and the response of a row are two calls, so that neither colors the other's description.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from chunky.llm.protocol import Reply, Request
from chunky.llm.roles import reading
from chunky.llm.roles.asking import ask
from chunky.llm.roles.reading import Field, Parsed, line, one_of_a_kind

__all__ = ["COUNT", "Described", "Side", "Text", "read", "requests"]

Side = Literal["query", "response"]
COUNT = 10  # paper: appendix D.1.1

_PURPOSE = {"query": "wanted", "response": "done, claimed, offered or refused"}
_FIELDS = (Field("attributes", "texts", "ten sentences, the most telling first", "attribute"),)


@dataclass(frozen=True)
class Text:
    """One text to describe, and which side of a conversation it is."""

    side: Side
    text: str


@dataclass(frozen=True)
class Described:
    """Attributes of one text, best first: different one-line sentences, each beginning with “The query ” or so."""

    side: Side
    attributes: tuple[str, ...]


def requests(texts: Iterable[Text], *, least: int = COUNT, seed: int = 0, sample: int = 0) -> list[Request]:
    """One request per text. `least` is the smallest number of attributes that is read: ten from a model, which can
    always find ten; one from rules, which say what they know and no more.
    """
    return [
        ask(
            "extractor",
            _FIELDS,
            trusted={"side": text.side, "count": str(COUNT), "purpose": _PURPOSE[text.side]},
            strange={"text": text.text},
            labels={"text": text.side},
            facts={"side": text.side, "text": text.text, "count": COUNT, "least": least},
            max_tokens=1_000,
            temperature=0.0,
            seed=seed,
            sample=sample,
        )
        for text in texts
    ]


def read(request: Request, reply: Reply) -> Parsed[Described]:
    """The attributes of a text; too few, too many, repeated or not about that side is an error."""

    def build(fields: Mapping[str, Any]) -> Described:
        side: Side = request.facts["side"]
        lines = [line(text, f"The {side} ") for text in fields["attributes"]]
        return Described(side, one_of_a_kind(lines, request.facts["least"], COUNT, "attributes"))

    return reading.read(request, reply, _FIELDS, build)
