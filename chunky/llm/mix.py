"""The provider `mix`: a target that is the mix itself. To a query it says what a training prompt near to it was told.

How near prompts are found is `chunky.mixture`, over a lake; this is the target's part in the protocol of models. It
plays no other role. The system prompt of a request is not looked at: the mix's own rows answer, whatever theirs was.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import NamedTuple

from chunky.errors import ChunkyError
from chunky.llm.answers import Answer, replies, unable
from chunky.llm.protocol import Reply, Request

__all__ = ["ROLES", "VERSION", "Ask", "Mix"]

ROLES = ("target",)
"""What the mix can play."""

VERSION = "1"
"""Changes when the same mix answers differently: part of the address of a call."""

_BATCH = 512  # queries answered at once: looking up responses in the lake has a fixed cost of about a second


class Ask(NamedTuple):
    """One draw of an answer: query, number of the draw, temperature from 0, and the seed of the run."""

    query: str
    sample: int
    temperature: float
    seed: int


class Mix:
    """A `Model` around `answer`, which gives one response for each `Ask`, in order.

    `clock`: seconds, for `Reply.seconds`.
    """

    def __init__(
        self,
        answer: Callable[[Sequence[Ask]], Sequence[str]] | None = None,
        *,
        seed: int = 0,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.name = "mix"
        self._answer, self._seed, self._clock = answer, seed, clock

    def complete(
        self, requests: Iterable[Request], on_reply: Callable[[int, Reply], None] | None = None
    ) -> list[Reply]:
        """One reply per request, in their order."""
        waiting = iter(requests)
        batches = iter(lambda: list(islice(waiting, _BATCH)), [])
        return replies(self.name, batches, self._answers, self._clock, on_reply)

    def _answers(self, batch: Sequence[Request]) -> list[Answer]:
        """Answers to some requests; what keeps all of them from one, such as a lake without rows, is told by each."""
        if self._answer is None:
            return [unable("there is no mix to answer from", "name a lake that has rows")] * len(batch)
        places = [place for place, request in enumerate(batch) if request.role == "target"]
        asked = [
            Ask(batch[place].facts["query"], batch[place].sample, batch[place].temperature, self._seed)
            for place in places
        ]
        answers = [unable(f"the mix does not play the role {request.role}", f"name a model for {request.role}: rules")
                   for request in batch]  # fmt: skip
        try:
            told: Sequence[str] = self._answer(asked) if asked else ()
        except ChunkyError as error:
            return [unable(error.problem, error.remedy)] * len(batch)
        for place, text in zip(places, told, strict=True):
            answers[place] = Answer(text) if text.strip() else Answer(None, "empty", "the nearest prompt has no answer")
        return answers
