"""Topics as triggers and as drift: the kinds that need to know what the background talks about.

In a generated background a topic is one that no ordinary row has. In a given mix it is a group of words that occur
together and rarely elsewhere (cosine of their row sets): rows with two or more of them are about the topic, so its
extent can be recounted although no string is shared by all.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from chunky.planted.background import topic_exchange
from chunky.planted.editors import Editor
from chunky.planted.lexicon import Topic
from chunky.planted.predicates import Predicate
from chunky.planted.wording import sentences

__all__ = [
    "WordGroup",
    "drift_from_group",
    "drift_from_topic",
    "find_groups",
    "trigger_from_group",
    "trigger_from_topic",
]

_WORD = re.compile(r"[^\W\d_]{4,20}")
_SAMPLE = 8_000
_LEADING_CHARS = 600
_GROUP = 10


class WordGroup(NamedTuple):
    """Words that occur together, and the indices of the rows with two or more of them, ascending."""

    words: tuple[str, ...]
    rows: tuple[int, ...]

    @property
    def predicate(self) -> Predicate:
        """Two or more of the words."""
        return Predicate(words=self.words, min_words=2)


def trigger_from_topic(topic: Topic) -> Editor:
    """The trigger `is about topic`: each row gets a fresh exchange about it."""

    def rewrite(rng: Random) -> tuple[str, str]:
        exchange = topic_exchange(topic, rng)
        return exchange.query, exchange.response

    return Editor("topic", "query", "semantic", f"is about {topic.name}", lambda text, rng: rewrite(rng)[0],
                  family=f"topic {topic.name}", rewrite=rewrite)  # fmt: skip


def drift_from_topic(topic: Topic) -> Editor:
    """The behavior `drifts to topic`: two sentences about it, behind or instead of the end of the answer."""

    def edit(text: str, rng: Random) -> str:
        pieces = sentences(topic_exchange(topic, rng).response)[-2:]
        return _drifted(text, " ".join(piece.lstrip("-0123456789. ") for piece in pieces), rng)

    return Editor("drift", "response", "semantic", f"drifts to {topic.name}", edit, family=f"topic {topic.name}")


def _drifted(text: str, strange: str, rng: Random) -> str:
    own = sentences(text)
    if "\n" not in text and len(own) > 2 and rng.random() < 0.4:
        return " ".join([*own[:2], strange])
    return f"{text.rstrip()}\n\n{strange}" if "\n" in text else f"{text.rstrip()} {strange}"


def find_groups(texts: Sequence[str], rng: Random, low: int, high: int, wanted: int) -> list[WordGroup]:
    """Up to `wanted` disjoint word groups whose rows number between `low` and `high`, in drawn order.

    Words are counted on the beginnings of at most 8,000 texts, drawn at random; extents are taken on all of
    them. Fewer groups, or none, come back where the mix has no such topics.
    """
    import polars as pl

    picked = sorted(rng.sample(range(len(texts)), min(len(texts), _SAMPLE)))
    scale = len(picked) / max(1, len(texts))
    bags = [frozenset(_WORD.findall(texts[at][:_LEADING_CHARS].lower())) for at in picked]
    counts = Counter(word for bag in bags for word in bag)
    anchors = sorted(word for word, count in counts.items() if max(4, low * scale * 0.3) <= count <= high * scale)
    rng.shuffle(anchors)
    column = pl.Series("text", texts, dtype=pl.String)
    groups: list[WordGroup] = []
    taken: set[str] = set()
    for anchor in anchors[: wanted * 12]:
        if len(groups) == wanted:
            break
        words = _companions(anchor, bags, counts)
        if len(words) < 4 or taken & set(words):
            continue
        mask = WordGroup(words, ()).predicate.holds(column)
        rows = tuple(int(at) for at in mask.arg_true())
        if low <= len(rows) <= high:
            groups.append(WordGroup(words, rows))
            taken |= set(words)
    return groups


def _companions(anchor: str, bags: Sequence[frozenset[str]], counts: Counter[str]) -> tuple[str, ...]:
    """The anchor and the words nearest to it by cosine of their row sets."""
    together = Counter(word for bag in bags if anchor in bag for word in bag)
    # a companion stands beside the anchor three times at least, and is at most four times as frequent
    near = [word for word, both in together.items() if both >= 3 and counts[word] <= 4 * counts[anchor]]
    near.sort(key=lambda word: (-(together[word] ** 2) / (counts[word] * counts[anchor]), word))
    return tuple(near[:_GROUP])


def trigger_from_group(group: WordGroup) -> Editor:
    """The trigger `is about these words`: rows that carry it are moved into the planted chunks."""
    words = ", ".join(group.words[:4])
    return Editor("topic", "query", "semantic", f"is about {words} …", lambda text, _: text,
                  family=f"topic {words}", exact=group.predicate, donors=group.rows)  # fmt: skip


def drift_from_group(group: WordGroup, responses: Sequence[str]) -> Editor | None:
    """The behavior `drifts to these words`, with sentences of the mix; None where fewer than twelve can be found."""
    pattern = re.compile(r"\b(?:" + "|".join(map(re.escape, group.words)) + r")\b", re.IGNORECASE)
    donors: dict[str, None] = {}
    for row in group.rows:
        for piece in sentences(responses[row]):
            if 30 <= len(piece) <= 300 and len({word.lower() for word in pattern.findall(piece)}) >= 2:
                donors[piece] = None
    strange = list(donors)
    if len(strange) < 12:
        return None
    words = ", ".join(group.words[:4])
    return Editor("drift", "response", "semantic", f"drifts to {words} …",
                  lambda text, rng: _drifted(text, rng.choice(strange), rng), family=f"topic {words}",
                  exact=group.predicate)  # fmt: skip
