"""Requests to a model and what its replies say, counted as they come; and when a step has seen enough of failures."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from chunky.errors import BudgetError, EngineError
from chunky.llm.protocol import Keeper, Model, Reply, Request
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
        clock: seconds, monotonic.

    """

    def __init__(
        self,
        model: Model,
        tally: Tally,
        *,
        max_failed_share: float,
        on_tally: Callable[[Tally], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._model, self._tally, self._on_tally, self._clock = model, tally, on_tally, clock
        self._allowed = max_failed_share * tally.total
        self._in_a_row = 0
        self._started = clock()

    def ask(self, requests: Sequence[Request], read: Read[Value]) -> list[Parsed[Value]]:
        """What the replies to some requests say, in their order.

        An answer that its reader refuses is taken back from the ledger, so that the next run asks again.

        Raises:
            BudgetError: the run may spend no more.
            EngineError: no call can succeed any more, or too many have failed.

        """
        found: dict[int, Parsed[Value]] = {}

        def on_reply(index: int, reply: Reply) -> None:
            parsed = found[index] = read(requests[index], reply)
            if reply.error is None and parsed.error is not None and isinstance(self._model, Keeper):
                self._model.reject(requests[index], parsed.detail or parsed.error)
            self._tally.add(reply, parsed.error, self._clock() - self._started)
            self._on_tally(self._tally)
            self._in_a_row = 0 if parsed.error is None else self._in_a_row + 1
            if parsed.error is not None:
                self._weigh(parsed.error, parsed.detail)

        self._model.complete(requests, on_reply)
        return [found[index] for index in range(len(requests))]

    def _weigh(self, error: str, detail: str | None) -> None:
        tally, told = self._tally, f"{error}: {detail}"
        if error == "budget":
            raise BudgetError(
                f"the budget of this run ends after {tally.done - 1:,} of {tally.total:,} calls of the {tally.role}",
                f"{_KEPT}: chunky build --max-cost DOLLARS; where the money went: chunky cost",
            )
        if error in _ENDS:
            raise EngineError(f"{tally.model} takes no more calls ({told})", f"{_ENDS[error]}; {_KEPT}")
        if self._in_a_row >= _IN_A_ROW or tally.failed == tally.total:
            number = f"{self._in_a_row:,}" if self._in_a_row < tally.total else "all"
            raise EngineError(f"{number} calls of {tally.model} in a row failed, the last so: {told}", f"then: {_KEPT}")
        if tally.failed > max(self._allowed, 1):
            kinds = ", ".join(f"{kind} {number:,}" for kind, number in tally.errors.most_common())
            raise EngineError(
                f"{tally.failed:,} of {tally.total:,} calls of {tally.model} as {tally.role} failed ({kinds}), more "
                f"than llm.max_failed_share allows; the last so: {told}",
                f"look at llm.calls with chunky sql, or allow more; {_KEPT}",
            )
