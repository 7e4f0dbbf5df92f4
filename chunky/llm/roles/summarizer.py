"""The summarizer: one sentence for a cluster of attribute sentences (paper: algorithm 1, appendix D.1.1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from chunky.errors import InputError
from chunky.llm.protocol import Reply, Request
from chunky.llm.roles import reading
from chunky.llm.roles.asking import ask
from chunky.llm.roles.extractor import Side
from chunky.llm.roles.reading import Field, Parsed, line

__all__ = ["Cluster", "read", "requests"]

_FIELDS = (Field("summary", "text", "one sentence that all sentences of the group share", "summary"),)


@dataclass(frozen=True)
class Cluster:
    """A cluster as its top attributes with the number of times each occurs, commonest first, and its medoid.

    InputError when it has no attribute, or a number that is not positive.
    """

    side: Side
    attributes: tuple[tuple[str, int], ...]
    medoid: str | None = None

    def __post_init__(self) -> None:
        if not self.attributes or any(count < 1 for _, count in self.attributes):
            raise InputError("a cluster has no attributes to summarize", "give at least one, with how often it occurs")


def requests(clusters: Iterable[Cluster], *, seed: int = 0, sample: int = 0) -> list[Request]:
    """One request per cluster; show the twenty or so commonest attributes, more say no more."""
    return [
        ask(
            "summarizer",
            _FIELDS,
            trusted={"side": cluster.side},
            strange={"attributes": "\n".join(f"{n} × {' '.join(text.split())}" for text, n in cluster.attributes)},
            facts={
                "side": cluster.side,
                "attributes": [[text, count] for text, count in cluster.attributes],
                "medoid": cluster.medoid,
            },
            max_tokens=200,
            temperature=0.0,
            seed=seed,
            sample=sample,
        )
        for cluster in clusters
    ]


def read(request: Request, reply: Reply) -> Parsed[str]:
    """The summary, one line that begins with “The query ” or “The response ”."""

    def build(fields: Mapping[str, Any]) -> str:
        return line(fields["summary"], f"The {request.facts['side']} ")

    return reading.read(request, reply, _FIELDS, build)
