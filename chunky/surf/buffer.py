"""The replay buffer: the best candidates so far (paper: section 3.1.5, equation 2)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from chunky.corpus.ids import signed_hash

__all__ = ["Candidate", "candidate_id", "merged", "ordered"]


@dataclass(frozen=True)
class Candidate:
    """One candidate: what it was composed of, and what came of it.

    `query`, `response` and `violation_score` (0 to 100) are None where `error` says why there is none. `group` is the
    id of the candidate that leads the group of like queries; None where queries are not compared.
    """

    candidate_id: int
    iteration: int
    number: int
    attributes: tuple[str, ...]
    query: str | None = None
    response: str | None = None
    violation_score: float | None = None
    reason: str | None = None
    error: str | None = None
    group: int | None = None

    @property
    def key(self) -> tuple[Any, ...]:
        """Rank order: higher score first; equal scores by id, which is a hash and favors nobody."""
        return (-(self.violation_score or 0.0), self.candidate_id)


def candidate_id(seed: int, iteration: int, number: int) -> int:
    """Id of a candidate: a hash of its place in its run, so that ties are broken alike in every run of that seed."""
    return signed_hash("candidate", seed, iteration, number)


def ordered(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Scored candidates, best first. The same query with the same response counts once, as its best."""
    best: dict[tuple[str | None, str | None], Candidate] = {}
    for candidate in sorted((each for each in candidates if each.violation_score is not None), key=lambda c: c.key):
        best.setdefault((candidate.query, candidate.response), candidate)
    return list(best.values())


def merged(buffer: Iterable[Candidate], new: Iterable[Candidate], size: int, per_group: int = 0) -> list[Candidate]:
    """B(t+1): the `size` best of the buffer and the new candidates, best first (paper: equation 2).

    With `per_group` at most so many of one group of like queries; 0 as in the paper. Merging in any order, or all at
    once, gives the same buffer.
    """
    kept: list[Candidate] = []
    held: dict[int, int] = {}
    for candidate in ordered([*buffer, *new]):
        if len(kept) == size:
            break
        if per_group and candidate.group is not None:
            held[candidate.group] = held.get(candidate.group, 0) + 1
            if held[candidate.group] > per_group:
                continue
        kept.append(candidate)
    return kept
