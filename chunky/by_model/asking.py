"""Requests to a model and what its replies say, counted as they come; and when a step has seen enough of failures."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from chunky.errors import BudgetError, EngineError
from chunky.llm.protocol import Fetcher, Keeper, Model, Reply, Request
from chunky.llm.roles import Parsed
from chunky.llm.tally import Tally

__all__ = ["Asker"]

Value = TypeVar("Value")
Read = Callable[[Request, Reply], Parsed[Value]]

_IN_A_ROW = 100  # failures without an answer between them: the server is down, or no such model is there
_ENDS = {
    "auth": "set a key that the server takes",
    "credit": "add credit at the vendor",
}
_KEPT = "what was paid for is kept, and the same command goes on from there"


class Asker:
    """One role played by one model through a step.

    Args:
        model: who answers.
        tally: where the replies are counted; `total` calls are expected.
        max_failed_share: of `total`; more failures end the step.
        on_tally: told after every reply.
        is_whole: whether failures in single calls can end the step, because a result with holes would mislead; False
            where each caller is told of its own call, and only a hundred in a row end it.
        clock: seconds, monotonic.

    """

    def __init__(
        self,
        model: Model,
        tally: Tally,
        *,
        max_failed_share: float,
        on_tally: Callable[[Tally], None],
        is_whole: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._model, self._tally, self._on_tally, self._clock = model, tally, on_tally, clock
        self._allowed = max_failed_share * tally.total
        self._is_whole = is_whole
        self._in_a_row = 0
        self._started = clock()
        self._is_fetched = False
        self._failed: dict[bytes, tuple[str, str | None, str | None]] = {}

    def fetch(self, requests: Iterable[Request], read: Read[Value]) -> None:
        """Where answers take hours (`Fetcher`), ask for all of them at once; `ask` then finds them in the ledger.

        Nothing elsewhere. Raises as `ask` does; batches that were sent stay in the ledger, for the next run.
        """
        if not isinstance(self._model, Fetcher):
            return
        open_requests: dict[int, Request] = {}

        def numbered() -> Iterator[Request]:
            for index, request in enumerate(requests):
                open_requests[index] = request
                yield request

        def on_reply(index: int, reply: Reply) -> None:
            request = open_requests.pop(index)
            parsed = self._count(request, reply, read)
            if parsed.error is not None:
                self._failed[_address(request)] = parsed.error, parsed.detail, parsed.text

        self._model.fetch(numbered(), on_reply)
        self._is_fetched = True

    def ask(self, requests: Sequence[Request], read: Read[Value]) -> list[Parsed[Value]]:
        """What the replies to some requests say, in their order.

        An answer that its reader refuses is taken back from the ledger, so that the next run asks again.

        Raises:
            BudgetError: the run may spend no more.
            EngineError: no call can succeed any more, or too many have failed.

        """
        if self._is_fetched:
            return self._fetched(requests, read)
        found: dict[int, Parsed[Value]] = {}

        def on_reply(index: int, reply: Reply) -> None:
            found[index] = self._count(requests[index], reply, read)

        self._model.complete(requests, on_reply)
        return [found[index] for index in range(len(requests))]

    def _fetched(self, requests: Sequence[Request], read: Read[Value]) -> list[Parsed[Value]]:
        """What was counted when it came: failures are remembered, answers are in the ledger."""
        failed = [self._failed.get(_address(request)) for request in requests]
        asked = [request for request, why in zip(requests, failed, strict=True) if why is None]
        replies = iter(self._model.complete(asked))
        return [
            read(request, next(replies)) if why is None else Parsed(None, *why)
            for request, why in zip(requests, failed, strict=True)
        ]

    def _count(self, request: Request, reply: Reply, read: Read[Value]) -> Parsed[Value]:
        parsed = read(request, reply)
        if reply.error is None and parsed.error is not None and isinstance(self._model, Keeper):
            self._model.reject(request, parsed.detail or parsed.error)
        self._tally.add(reply, parsed.error, self._clock() - self._started)
        self._on_tally(self._tally)
        self._in_a_row = 0 if parsed.error is None else self._in_a_row + 1
        if parsed.error is not None:
            self._weigh(parsed.error, parsed.detail)
        return parsed

    def _weigh(self, error: str, detail: str | None) -> None:
        tally, told = self._tally, f"{error}: {detail}"
        if error == "budget":
            raise BudgetError(
                f"the budget of this run ends after {tally.done - 1:,} of {tally.total:,} calls of the {tally.role}",
                f"{_KEPT}; with more: --max-cost or --set llm.max_cost=USD; where the money went: chunky cost",
            )
        if error in _ENDS:
            raise EngineError(f"{tally.model} takes no more calls ({told})", f"{_ENDS[error]}; {_KEPT}")
        if self._in_a_row >= _IN_A_ROW or (self._is_whole and tally.failed == tally.total):
            number = f"{self._in_a_row:,}" if self._in_a_row < tally.total else "all"
            raise EngineError(f"{number} calls of {tally.model} in a row failed, the last so: {told}", f"then: {_KEPT}")
        if self._is_whole and tally.failed > max(self._allowed, 1):
            kinds = ", ".join(f"{kind} {number:,}" for kind, number in tally.errors.most_common())
            raise EngineError(
                f"{tally.failed:,} of {tally.total:,} calls of {tally.model} as {tally.role} failed ({kinds}), more "
                f"than llm.max_failed_share allows; the last so: {told}",
                f"look at llm.calls with chunky sql, or allow more; {_KEPT}",
            )


def _address(request: Request) -> bytes:
    """The same for the same question to one role."""
    told = "\0".join([request.role, str(request.sample), *(message.text for message in request.messages)])
    return hashlib.blake2b(told.encode(errors="surrogatepass"), digest_size=16).digest()
