"""What models that answer on this machine say to a request, and the replies that are made of it, batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from chunky.llm.protocol import Reply, Request

__all__ = ["Answer", "replies", "unable"]


class Answer(NamedTuple):
    """What is made of a request: the text of the reply, or the kind of error (see `Reply`) and its detail."""

    text: str | None
    error: str | None = None
    detail: str | None = None


def unable(problem: str, remedy: str) -> Answer:
    """The answer to a request that this model cannot answer."""
    return Answer(None, "invalid request", f"{problem}; {remedy}")


def replies(
    name: str,
    batches: Iterable[Sequence[Request]],
    answer: Callable[[Sequence[Request]], Sequence[Answer]],
    clock: Callable[[], float],
    on_reply: Callable[[int, Reply], None] | None = None,
) -> list[Reply]:
    """One reply per request of the batches, in their order; `answer` gives one answer for each of a batch.

    Nothing is paid, and the seconds of a batch are shared by its requests.
    """
    found: list[Reply] = []
    for batch in batches:
        started = clock()
        answers = answer(batch)
        seconds = (clock() - started) / len(batch)
        for text, error, detail in answers:
            found.append(Reply(text, error, detail, 0, 0, 0.0, seconds, False, 1, name))
            if on_reply is not None:
                on_reply(len(found) - 1, found[-1])
    return found
