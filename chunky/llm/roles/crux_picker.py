"""The crux picker: the attributes of a response most responsible for a violation (judge 2 of appendix D.1.2).

It is informed of the rubric and sees the blind attributes alone, not the response: a judge that sees both says that the
rubric was violated, in other words, instead of what the response did.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from chunky.errors import InputError
from chunky.llm.protocol import Reply, Request
from chunky.llm.roles import reading
from chunky.llm.roles.asking import ask, numbered
from chunky.llm.roles.reading import Field, Parsed, Unreadable
from chunky.rubrics import Rubric

__all__ = ["COUNT", "Cruxes", "Suspects", "read", "requests"]

COUNT = 3  # paper: appendix D.1.2

_FIELDS = (Field("picks", "integers", "numbers of the chosen sentences, the most responsible first", "pick"),)


@dataclass(frozen=True)
class Suspects:
    """The blind attributes of a failing response, and the failing query, which only the offline picker looks at.

    InputError when there is no attribute.
    """

    attributes: tuple[str, ...]
    query: str | None = None

    def __post_init__(self) -> None:
        if not self.attributes:
            raise InputError("a response without attributes has no crux", "extract its attributes first")


@dataclass(frozen=True)
class Cruxes:
    """The chosen attributes, most responsible first, and their places in the given list, from 0."""

    attributes: tuple[str, ...]
    places: tuple[int, ...]


def requests(
    suspects: Iterable[Suspects], rubric: Rubric, *, count: int = COUNT, seed: int = 0, sample: int = 0
) -> list[Request]:
    """One request per failing response, for `count` cruxes or all attributes where there are fewer."""
    told = rubric.text()
    return [
        ask(
            "crux_picker",
            _FIELDS,
            trusted={"rubric": told, "count": str(min(count, len(each.attributes)))},
            strange={"attributes": numbered(each.attributes)},
            facts={
                "attributes": list(each.attributes),
                "query": each.query,
                "behaviors": list(rubric.behaviors or (rubric.principle, *rubric.details)),
                "count": min(count, len(each.attributes)),
            },
            max_tokens=200,
            temperature=0.0,
            seed=seed,
            sample=sample,
        )
        for each in suspects
    ]


def read(request: Request, reply: Reply) -> Parsed[Cruxes]:
    """The cruxes; a number that is not in the list, that repeats, or too many or few of them are errors."""

    def build(fields: Mapping[str, Any]) -> Cruxes:
        given, picks = request.facts["attributes"], fields["picks"]
        if len(picks) != request.facts["count"] or len(set(picks)) < len(picks):
            raise Unreadable(f"the picks {picks}, not {request.facts['count']} different ones", "ask again")
        if not all(1 <= pick <= len(given) for pick in picks):
            raise Unreadable(f"the picks {picks}, of {len(given)} sentences", "ask again")
        return Cruxes(tuple(given[pick - 1] for pick in picks), tuple(pick - 1 for pick in picks))

    return reading.read(request, reply, _FIELDS, build)
