"""Canaries: exchanges with known answers, mixed into judging, so that a judge that drifts or is talked over shows.

They are placed by seed, look like any other row to the judge, are taken out before anybody sees results, and their
agreement is reported beside the results.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from random import Random

from chunky.errors import InputError
from chunky.llm.roles.judge import Exchange, Verdict
from chunky.llm.roles.reading import Parsed
from chunky.rubrics import Canary

__all__ = ["Agreement", "Mixed", "Sorted", "mix", "number", "take_out"]

SHARE = 0.02
"""Canaries per judged row: 2 % more calls; at least one where a rubric has any."""


@dataclass(frozen=True)
class Mixed:
    """Rows and canaries in the order in which they are judged; `canaries` gives each canary by its place, from 0."""

    exchanges: tuple[Exchange, ...]
    canaries: dict[int, Canary]


@dataclass(frozen=True)
class Agreement:
    """What the canaries say of the judge: `agreed` of `read` got a score within their bounds, `asked` were mixed in.

    `misses` are those that did not, each with the score it got.
    """

    asked: int
    read: int
    agreed: int
    misses: tuple[tuple[Canary, float], ...]

    @property
    def agreement_share(self) -> float | None:
        """Share of the canaries read that agreed; None when none was read, which is no agreement of 0."""
        return self.agreed / self.read if self.read else None


@dataclass(frozen=True)
class Sorted:
    """The judge's replies to the rows alone, in the rows' order, and the agreement of the canaries."""

    verdicts: tuple[Parsed[Verdict], ...]
    agreement: Agreement


def number(canaries: int, rows: int, share: float = SHARE) -> int:
    """How many of `canaries` are mixed into so many rows."""
    return min(canaries, ceil(share * rows))


def mix(rows: Sequence[Exchange], canaries: Sequence[Canary], *, share: float = SHARE, seed: int = 0) -> Mixed:
    """Rows with canaries among them: `share` of their number, each canary at most once, in places drawn by seed.

    The rows keep their order. No rows, no canaries.
    """
    random = Random(f"canaries {seed}")
    count = number(len(canaries), len(rows), share)
    chosen = random.sample(list(canaries), count)
    places = sorted(random.sample(range(len(rows) + count), count))
    by_place = dict(zip(places, chosen, strict=True))
    remaining = iter(rows)
    exchanges = (
        Exchange(by_place[place].query, by_place[place].response) if place in by_place else next(remaining)
        for place in range(len(rows) + count)
    )
    return Mixed(tuple(exchanges), by_place)


def take_out(mixed: Mixed, verdicts: Sequence[Parsed[Verdict]]) -> Sorted:
    """Replies to `mixed` parted into those to the rows and what the canaries say; InputError when some are missing."""
    if len(verdicts) != len(mixed.exchanges):
        raise InputError(
            f"{len(verdicts)} verdicts came for {len(mixed.exchanges)} exchanges", "pass one for each, errors too"
        )
    answered = [(canary, verdicts[place].value) for place, canary in mixed.canaries.items()]
    scores = [(canary, verdict.score) for canary, verdict in answered if verdict is not None]
    misses = tuple((canary, score) for canary, score in scores if not canary.low <= score <= canary.high)
    agreement = Agreement(len(answered), len(scores), len(scores) - len(misses), misses)
    rows = (verdict for place, verdict in enumerate(verdicts) if place not in mixed.canaries)
    return Sorted(tuple(rows), agreement)
