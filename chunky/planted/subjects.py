"""Subjects of failures: ordinary exchanges about things that given chunks do not speak of.

A failure about a subject of the planted chunk could be traced to that chunk by subject alone, whatever its trigger.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable
from math import log
from random import Random
from typing import TYPE_CHECKING

from chunky.errors import InputError
from chunky.planted.background import topic_exchange
from chunky.planted.lexicon import TOPICS, Topic
from chunky.planted.tasks import TASKS

if TYPE_CHECKING:
    from chunky.planted.world import World

__all__ = ["Subjects", "words"]

_WORD = re.compile(r"[^\W\d_]{3,20}")
_LEADING_CHARS = 600
_SAMPLE = 4_000
# rows of a given mix among which the farthest is taken, and the fewest words by which it can be judged
_CHOICE = 24
_FEWEST_WORDS = 4
# share of all queries that hold an everyday word
_EVERYDAY = 0.1


def words(text: str) -> frozenset[str]:
    """The distinct words at the beginning of `text`, in lower case."""
    return frozenset(_WORD.findall(text[:_LEADING_CHARS].lower()))


class Subjects:
    """Draws exchanges for one world, whose subject is foreign to given chunks.

    Of a generated background they are fresh, about a topic that those chunks never have and that is neither trigger
    nor drift of any plant. Of a given one they are rows of other chunks that nobody edited: of two dozen drawn, the one
    whose words are least usual in those chunks, rare words counting most.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self._planted = {editor.family for draft in world.drafts for editor in (draft.trigger, draft.behavior)}
        self._usual: dict[tuple[str, ...], dict[str, float]] = {}
        self._untouched: dict[str, list[int]] = {}
        if not world.subjects:
            self._shares = _shares(world.base.queries)
            self._rarity = {word: -log(share) for word, share in self._shares.items()}
            touched = {operation.row for operation in world.operations}
            for row, source in enumerate(world.base.sources):
                if row not in touched:
                    self._untouched.setdefault(source, []).append(row)

    def foreign_topics(self, chunks: Collection[str]) -> tuple[Topic, ...]:
        """Topics that none of `chunks` speaks of and no plant is about; none for a given background."""
        known = {name for chunk in chunks for name in self.world.subjects.get(chunk, ())}
        return tuple(
            topic for topic in TOPICS if topic.name not in known and f"topic {topic.name}" not in self._planted
        )

    def draw(self, chunks: Collection[str], rng: Random) -> tuple[str, str]:
        """(query, response) on a subject that is foreign to `chunks`.

        Raises InputError where every topic, or every untouched row, belongs to them.
        """
        if not self.world.subjects:
            return self._borrowed(tuple(sorted(chunks)), rng)
        topics = self.foreign_topics(chunks)
        if not topics:
            raise InputError(
                f"{' and '.join(sorted(chunks))} together speak of every topic that is left",
                "plant fewer topics, or give each plant one chunk",
            )
        query, response, _ = topic_exchange(rng.choice(topics), rng, sorted(TASKS))
        return query, response

    def _borrowed(self, chunks: tuple[str, ...], rng: Random) -> tuple[str, str]:
        base, usual = self.world.base, self._usual_in(chunks)
        names = sorted(name for name in self._untouched if name not in chunks)
        if not names:
            raise InputError("no row outside the planted chunks is as the background had it", "use more chunks")
        drawn = [rng.choice(self._untouched[rng.choice(names)]) for _ in range(_CHOICE)]

        def nearness(row: int) -> float:
            known = sorted(words(base.queries[row]) & self._rarity.keys())
            weight = sum(self._rarity[word] for word in known)
            return sum(self._rarity[word] * usual.get(word, 0.0) for word in known) / weight if weight else 1.0

        # another language is no other subject: a row shares an everyday word with the chunks, where they have any
        everyday = {word for word in usual if self._shares[word] >= _EVERYDAY}
        enough = [row for row in drawn if len(found := words(base.queries[row])) >= _FEWEST_WORDS
                  and (found & everyday or not everyday)]  # fmt: skip
        row = min(enough or drawn, key=nearness)
        return base.queries[row], base.responses[row]

    def _usual_in(self, chunks: tuple[str, ...]) -> dict[str, float]:
        """How usual each word is in the chunks' queries: 1 = as in the whole mix or more; unused words are left out."""
        if chunks not in self._usual:
            base = self.world.base
            inside = [query for source, query in zip(base.sources, base.queries, strict=True) if source in chunks]
            here = _shares(inside)
            self._usual[chunks] = {
                word: min(1.0, share / self._shares[word]) for word, share in here.items() if word in self._shares
            }
        return self._usual[chunks]


def _shares(texts: Collection[str]) -> dict[str, float]:
    """Share of the texts that hold each word, counted on at most 8,000 of them at even distances."""
    picked = list(texts)[:: max(1, len(texts) // _SAMPLE)]
    counts = Counter(_each(picked))
    return {word: count / len(picked) for word, count in counts.items()}


def _each(texts: Iterable[str]) -> Iterable[str]:
    for text in texts:
        yield from words(text)
