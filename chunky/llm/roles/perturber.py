"""The perturber: twenty rewordings of a prompt that keep its substance (paper: section 3.2.3, figure 28)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from chunky.llm.protocol import Reply, Request
from chunky.llm.roles import reading
from chunky.llm.roles.asking import ask
from chunky.llm.roles.reading import Field, Parsed, Unreadable

__all__ = ["COUNT", "read", "requests"]

COUNT = 20  # paper: section 3.2.3

_FIELDS = (Field("versions", "texts", "the rewordings, each exactly as it is sent", "version"),)
_TOKENS_PER_CHARACTER = 1.0  # an upper bound for most scripts, so that no list of rewordings is cut off


def requests(
    prompts: Iterable[str],
    *,
    count: int = COUNT,
    least: int | None = None,
    temperature: float = 1.0,
    seed: int = 0,
    sample: int = 0,
) -> list[Request]:
    """One request per prompt for `count` rewordings; fewer than `least` (by default `count`) are an error.

    Rules find fewer for a short prompt, and say so: give `least` where that will do.
    """
    return [
        ask(
            "perturber",
            _FIELDS,
            trusted={"count": str(count)},
            strange={"prompt": prompt},
            facts={"prompt": prompt, "count": count, "least": count if least is None else least, "seed": seed},
            max_tokens=500 + int(count * (len(prompt) * _TOKENS_PER_CHARACTER + 20)),
            temperature=temperature,
            seed=seed,
            sample=sample,
        )
        for prompt in prompts
    ]


def read(request: Request, reply: Reply) -> Parsed[tuple[str, ...]]:
    """The rewordings: all different, none empty, none the prompt itself; they may differ in a comma or in case."""

    def build(fields: Mapping[str, Any]) -> tuple[str, ...]:
        facts, versions = request.facts, [version.strip() for version in fields["versions"]]
        if not facts["least"] <= len(versions) <= facts["count"]:
            raise Unreadable(f"{len(versions)} rewordings, not {facts['count']}", "ask again")
        if "" in versions or len({facts["prompt"].strip(), *versions}) <= len(versions):
            raise Unreadable("rewordings that are empty, repeat each other or repeat the prompt", "ask again")
        return tuple(versions)

    return reading.read(request, reply, _FIELDS, build)
