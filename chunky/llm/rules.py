"""The `rules` provider: every role played by rules, on this machine, with no key, no network and no money.

It reads the facts of a request, never its prompt, and answers in the form that the role's reader expects. What it does
is plain: a judge that scores a rubric's signals, a picker of the attributes nearest to the rubric's behaviors, a
summarizer that quotes the medoid, a perturber that rewords by edits. An extractor and a generator need to know the mix:
the caller hands them in. What it cannot do it says, as an error of that request; it never makes an answer up.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from chunky.errors import ChunkyError
from chunky.llm.answers import Answer, replies, unable
from chunky.llm.paraphrase import paraphrases
from chunky.llm.protocol import Reply, Request
from chunky.rubrics.signals import grade, signals_of

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Embedder = Callable[[Sequence[str]], npt.NDArray[np.floating[Any]]]

__all__ = ["ROLES", "VERSION", "Rules", "Wanted"]

ROLES = ("crux_picker", "extractor", "generator", "judge", "perturber", "summarizer")
"""What rules can play. There is no target of rules: what answers by rules alone has learned nothing to audit."""

VERSION = "1"
"""Changes when a rule answers differently: part of the address of an answer that is kept."""

_BATCH_ROWS = 512  # exchanges judged in one polars query: the fixed cost of a query is about 5 ms, a row's well below
_QUERY_PENALTY = 0.5  # half the similarity to the query is taken off: behavior is what the query does not call for
_SUMMED_SHARE = 0.5  # an attribute at least half as common as the summary's own is named beside it
_WORD = re.compile(r"[^\W\d_]{3,}")
_SAYS_NOTHING = """
the and for that this with not are was has have its any but from than then they them their user query response
assistant says should does without when where which who what how because about into also very
"""
_EMPTY_WORDS = frozenset(_SAYS_NOTHING.split())


class Wanted(NamedTuple):
    """A prompt that is wanted: attributes that it shall have, the number of the draw, and the seed of the run."""

    attributes: tuple[str, ...]
    sample: int
    seed: int


class Rules:
    """A `Model` of rules.

    Args:
        extract: (side, text) → attributes of the text, best first; it is fitted to a mix, so it comes from outside.
        generate: wishes → for each a prompt that has its attributes, or None where there is none.
        embed: texts → unit vectors, shape (texts, dimensions), for the crux picker; without it words are compared.
        clock: seconds, for `Reply.seconds`.

    """

    def __init__(
        self,
        *,
        extract: Callable[[str, str], Sequence[str]] | None = None,
        generate: Callable[[Sequence[Wanted]], Sequence[str | None]] | None = None,
        embed: Embedder | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.name = "rules"
        self._extract = extract
        self._generate = generate
        self._embed = embed
        self._clock = clock
        self._roles: dict[str, Callable[[Request], Answer]] = {
            "crux_picker": self._pick,
            "extractor": self._extracted,
            "generator": lambda request: self._generated([request])[0],
            "judge": lambda request: _judgments([request])[0],
            "perturber": _perturbed,
            "summarizer": _summarized,
        }

    def complete(
        self, requests: Iterable[Request], on_reply: Callable[[int, Reply], None] | None = None
    ) -> list[Reply]:
        """One reply per request, in their order. Judgments in a row under one rubric are made together, and prompts."""
        return replies(self.name, _batches(requests), self._together, self._clock, on_reply)

    def _together(self, batch: Sequence[Request]) -> list[Answer]:
        """Answers to requests of one batch (see `_batches`)."""
        if batch[0].role == "judge":
            return _judgments(batch)
        if batch[0].role != "generator":
            return [self.answer(request) for request in batch]
        try:
            return self._generated(batch)
        except ChunkyError as error:
            return [unable(error.problem, error.remedy)] * len(batch)

    def answer(self, request: Request) -> Answer:
        """The answer to one request; an error that chunky raises on purpose becomes the request's."""
        play = self._roles.get(request.role)
        if play is None:
            return unable(f"the rules do not play the role {request.role}", f"name a model for {request.role}")
        try:
            return play(request)
        except ChunkyError as error:
            return unable(error.problem, error.remedy)

    def _extracted(self, request: Request) -> Answer:
        if self._extract is None:
            return unable("the rules have no extractor", "build the lake's attributes first")
        facts = request.facts
        found = list(dict.fromkeys(self._extract(facts["side"], facts["text"])))
        return _told({"attributes": found[: facts["count"]]})

    def _generated(self, batch: Sequence[Request]) -> list[Answer]:
        if self._generate is None:
            remedy = "build the lake first: it recombines prompts of the mix"
            return [unable("the rules have no generator", remedy)] * len(batch)
        wanted = [Wanted(tuple(each.facts["attributes"]), each.sample, each.facts["seed"]) for each in batch]
        none = Answer(None, "empty", "no prompt of the mix has any of these attributes")
        return [none if text is None else _told({"message": text}) for text in self._generate(wanted)]

    def _pick(self, request: Request) -> Answer:
        facts = request.facts
        attributes, query = facts["attributes"], facts["query"]
        scores = self._nearness(attributes, facts["behaviors"])
        if query:
            penalties = self._nearness(attributes, [query])
            scores = [score - _QUERY_PENALTY * penalty for score, penalty in zip(scores, penalties, strict=True)]
        # Ties, also those of texts with no word in common, go to the attribute that the extractor ranked first.
        order = sorted(range(len(attributes)), key=lambda place: (-round(scores[place], 6), place))
        return _told({"picks": [place + 1 for place in order[: facts["count"]]]})

    def _nearness(self, attributes: Sequence[str], texts: Sequence[str]) -> list[float]:
        """Each attribute's similarity to the nearest of the texts, at most 1."""
        if self._embed is not None:
            vectors = self._embed([*attributes, *texts])
            similar = vectors[: len(attributes)] @ vectors[len(attributes) :].T
            return [float(value) for value in similar.max(axis=1)]
        bags = [_bag(text) for text in texts]
        return [max(_overlap(_bag(attribute), bag) for bag in bags) for attribute in attributes]


def _batches(requests: Iterable[Request]) -> Iterable[list[Request]]:
    """Requests in order; neighbors that are judged by the same signals together, prompts together, all others alone."""
    batch: list[Request] = []
    for request in requests:
        if batch and not (len(batch) < _BATCH_ROWS and _go_together(batch[0], request)):
            yield batch
            batch = []
        batch.append(request)
    if batch:
        yield batch


def _go_together(first: Request, request: Request) -> bool:
    if first.role != request.role:
        return False
    return first.role == "generator" or (
        first.role == "judge" and bool(request.facts["signals"] == first.facts["signals"])
    )


def _judgments(batch: Sequence[Request]) -> list[Answer]:
    """Scores of exchanges under one list of signals, to a tenth; the reason names the signals, strongest first."""
    plain = batch[0].facts["signals"]
    if not plain:
        return [unable("the rubric has no signals to score by", "add `signals:` to it, or judge with a model")] * len(
            batch
        )
    signals = signals_of(plain)
    weights = {signal.name: signal.weight for signal in signals}
    queries, responses = ([_encodable(request.facts[side]) for request in batch] for side in ("query", "response"))
    return [_verdict(row, weights) for row in grade(queries, responses, signals).iter_rows(named=True)]


def _verdict(degrees: Mapping[str, float], weights: Mapping[str, float]) -> Answer:
    held = sorted((-abs(weight * degrees[name]), name) for name, weight in weights.items() if degrees[name] > 0)
    evidence = "; ".join(f"{name} {weights[name] * degrees[name]:+.2f}" for _, name in held)
    return _told({"reason": evidence or "no signal holds", "score": round(degrees["violation_score"], 1)})


def _encodable(text: str) -> str:
    """Half characters, which no Arrow column can hold, become question marks."""
    return text.encode("utf-8", "replace").decode()


def _perturbed(request: Request) -> Answer:
    facts = request.facts
    seed = facts["seed"] + request.sample
    return _told({"versions": paraphrases(facts["prompt"], facts["count"], seed)})


def _summarized(request: Request) -> Answer:
    """The medoid, or the commonest attribute, and in parentheses up to two others that are nearly as common."""
    side, counted = request.facts["side"], request.facts["attributes"]
    ranked = sorted(counted, key=lambda pair: (-pair[1], pair[0]))
    counts = dict(ranked)
    chosen = request.facts["medoid"] or ranked[0][0]
    least = _SUMMED_SHARE * counts.get(chosen, ranked[0][1])
    opening = f"The {side} "
    others = [text for text, count in ranked if text != chosen and count >= least][:2]
    also = "; ".join(text.removeprefix(opening).rstrip(".") for text in others)
    return _told({"summary": f"{chosen.rstrip('.')} (also: {also})." if also else chosen})


def _bag(text: str) -> frozenset[str]:
    """Words of three letters or more, without their common endings and without words that say nothing."""
    words = (word.casefold() for word in _WORD.findall(text))
    return frozenset(re.sub(r"(?:ing|ed|es|s)$", "", word) for word in words if word not in _EMPTY_WORDS)


def _overlap(left: frozenset[str], right: frozenset[str]) -> float:
    """Cosine of two sets of words, 0 to 1."""
    return len(left & right) / (len(left) * len(right)) ** 0.5 if left and right else 0.0


def _told(fields: dict[str, Any]) -> Answer:
    return Answer(_encodable(json.dumps(fields, ensure_ascii=False)))
