"""A model that answers on this machine: no network, no key, no money; its calls are in the ledger like any other's.

Answers are not kept: making them again costs less than looking them up.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from chunky.llm.answers import Answer
from chunky.llm.ledger import Call, Ledger, Outcome
from chunky.llm.outcomes import content_key
from chunky.llm.protocol import Reply, Request


class Offline:
    """A `Model` around a function; `version` is part of the content address, so that a better rule is another call."""

    def __init__(
        self,
        name: str,
        version: str,
        answer: Callable[[Request], Answer],
        *,
        ledger: Ledger | None = None,
        run: str = "",
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.name = name
        self._version = version
        self._answer = answer
        self._ledger = ledger
        self._run = run
        self._clock = clock

    def complete(
        self, requests: Iterable[Request], on_reply: Callable[[int, Reply], None] | None = None
    ) -> list[Reply]:
        """One reply per request, in their order."""
        replies = []
        for index, request in enumerate(requests):
            started = self._clock()
            text, error, detail = self._answer(request)
            seconds = self._clock() - started
            if self._ledger is not None:
                outcome = Outcome(text, error, detail, None, None, 0, 0, seconds, 1)
                self._ledger.note(self._call(request), "offline" if error is None else "failed", outcome)
            kept = text if error is None else None
            replies.append(Reply(kept, error, detail, None, None, 0.0, seconds, False, 1, self.name))
            if on_reply is not None:
                on_reply(index, replies[-1])
        if self._ledger is not None:
            self._ledger.flush()
        return replies

    def _call(self, request: Request) -> Call:
        body: dict[str, Any] = {"role": request.role, "facts": dict(request.facts), "schema": request.schema_name}
        key = content_key((self.name, self._version), body, request.sample)
        return Call(key, request.role, self.name, request.prompt_version, request.sample, self._run)
