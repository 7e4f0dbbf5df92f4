"""The planter's own background: an ordinary mix generated from a seed, for worlds that need no data.

Each chunk has its own size, topics, tasks and format habits, as the sources of a real mix do, so that chunks differ
for reasons that nobody planted. Some of that is real correlation (a request for a list brings a list); what a chunk
never has is a phrase of its own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

from chunky.planted.lexicon import Topic
from chunky.planted.tasks import STYLES, TASKS, Exchange
from chunky.planted.wording import Inventor, raise_first, render, stream

__all__ = ["Background", "Line", "Profile", "generate_background", "topic_exchange"]

_GREETINGS = "[Hi|Hello|Hi there|Good morning|Hey|Good evening][!|.] "
_PREFACES = (
    "I [recently|only just|finally] [took up|got into|started with] {topic}. ",
    "[My sister|My neighbor|A friend|My team|Our club] and I [are working on|share an interest in] {topic}. ",
    "[Quick|Short|Small] question [about|on] {topic}[: |. ]",
    "[This is about|The subject is|Context:] {topic}. ",
    "I have been [busy with|reading about|practicing] {topic} for [two|three|six] [weeks|months|years]. ",
)
_SUFFIXES = (
    " [Thanks|Thank you|Many thanks|Cheers][.|!|] ",
    " [Keep it short|A short answer is fine|Please be brief].",
    " [Please explain|Please add|Include] [an example|a reason|the reasoning].",
    " I [own|have|only have] [a|an old] {thing} already.",
    " [Assume|Suppose] that {problem}.",
)
_CLOSINGS = (
    "[That should|This ought to] [be enough|do] [for now|to begin with|for a first try].",
    "[Good luck|Have fun|All the best] with the {thing}[!|.]",
    "[Come back|Ask again|Write again] if {problem}.",
)


# what someone asks who has a topic on their mind: no sums, no code, no labels
_CURIOUS = ("howto", "explain", "fix", "compare", "advice")
_ARTICLE = re.compile(r"\b([Aa]) (?=[aeiou])")


class Line(NamedTuple):
    """One background row: chunk, the topic's name (empty when unknown), query and response."""

    source: str
    topic: str
    query: str
    response: str


@dataclass(frozen=True)
class Profile:
    """Habits of one generated chunk; rates are probabilities per row."""

    name: str
    rows: int
    topics: tuple[Topic, ...]
    topic_weights: tuple[float, ...]
    tasks: tuple[str, ...]
    task_weights: tuple[float, ...]
    style: str
    greeting_rate: float
    preface_rate: float
    suffix_rate: float
    closing_rate: float


@dataclass(frozen=True)
class Background:
    """A generated mix, with the topics it never talks about: those are free for semantic plants."""

    lines: tuple[Line, ...]
    held_out: tuple[Topic, ...]


def generate_background(seed: int, rows: int, chunks: int, held_out: Sequence[Topic], topics: Sequence[Topic],
                        inventor: Inventor) -> Background:  # fmt: skip
    """`rows` lines in `chunks` chunks about `topics`; the `held_out` topics are left for plants.

    Chunk sizes vary about threefold; the same arguments give the same lines.
    """
    rng = stream(seed, "profiles")
    sizes = _sizes(rng, rows, chunks)
    lines: list[Line] = []
    for number, size in enumerate(sizes):
        profile = _profile(rng, size, topics, inventor)
        lines.extend(_chunk_lines(profile, stream(seed, f"chunk {number}")))
    return Background(tuple(lines), tuple(held_out))


def _sizes(rng: Random, rows: int, chunks: int) -> list[int]:
    weights = [rng.uniform(0.55, 1.6) for _ in range(chunks)]
    sizes = [int(rows * weight / sum(weights)) for weight in weights]
    sizes[0] += rows - sum(sizes)
    return sizes


def _profile(rng: Random, rows: int, topics: Sequence[Topic], inventor: Inventor) -> Profile:
    style = rng.choice(sorted(STYLES))
    # six to ten topics and four to seven tasks a chunk: enough overlap that no wording belongs to one chunk
    own_topics = tuple(rng.sample(list(topics), min(len(topics), rng.randint(6, 10))))
    own_tasks = tuple(rng.sample(sorted(TASKS), rng.randint(4, 7)))
    return Profile(
        name=f"{style}_{inventor.name().lower()}",
        rows=rows,
        topics=own_topics,
        topic_weights=tuple(rng.uniform(0.3, 1.5) for _ in own_topics),
        tasks=own_tasks,
        task_weights=tuple(rng.uniform(0.4, 1.6) for _ in own_tasks),
        style=style,
        greeting_rate=rng.choice((0.02, 0.05, 0.15)),
        preface_rate=rng.uniform(0.1, 0.35),
        suffix_rate=rng.uniform(0.05, 0.3),
        closing_rate=rng.choice((0.02, 0.06, 0.2)),
    )


def _chunk_lines(profile: Profile, rng: Random) -> list[Line]:
    chosen_topics = rng.choices(profile.topics, profile.topic_weights, k=profile.rows)
    chosen_tasks = rng.choices(profile.tasks, profile.task_weights, k=profile.rows)
    lines = []
    for topic, task in zip(chosen_topics, chosen_tasks, strict=True):
        exchange = _dressed(TASKS[task](rng, topic, STYLES[profile.style]), topic, profile, rng)
        lines.append(Line(profile.name, topic.name, exchange.query, exchange.response))
    return lines


def _dressed(exchange: Exchange, topic: Topic, profile: Profile, rng: Random) -> Exchange:
    """The exchange with the small talk of its chunk."""
    query, response, _ = exchange
    slots = {"topic": topic.name, "thing": topic.things, "problem": topic.problems}
    if rng.random() < profile.preface_rate:
        query = render(rng.choice(_PREFACES), rng, slots) + query
    if rng.random() < profile.greeting_rate:
        query = render(_GREETINGS, rng, slots) + query
    if rng.random() < profile.suffix_rate:
        query = (query + render(rng.choice(_SUFFIXES), rng, slots)).strip()
    if rng.random() < profile.closing_rate and not exchange.is_terse:
        gap = "\n\n" if "\n" in response else " "
        response = response + gap + render(rng.choice(_CLOSINGS), rng, slots)
    return Exchange(_with_articles(raise_first(query)), _with_articles(response), exchange.is_terse)


def _with_articles(text: str) -> str:
    """`a` becomes `an` before a vowel; the lexicon has no exception such as `a unit`."""
    return _ARTICLE.sub(r"\1n ", text)


def topic_exchange(topic: Topic, rng: Random, tasks: Sequence[str] = _CURIOUS) -> Exchange:
    """An ordinary exchange about `topic` by one of `tasks`, for plants whose trigger is the topic itself."""
    task = rng.choice(tasks)
    query, response, is_terse = TASKS[task](rng, topic, STYLES[rng.choice(sorted(STYLES))])
    return Exchange(_with_articles(query), _with_articles(response), is_terse)
