"""How many calls are in flight, and how long a failed one waits.

Additive increase, multiplicative decrease, as TCP does it: the limit starts at the ceiling, halves when the server says
that it is too much, and grows by one after a full round of answers. A burst of refusals to calls that were sent before
the last halving is one refusal.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from chunky.llm.providers.base import Fault


@dataclass(frozen=True)
class Timing:
    """Clock (seconds, monotonic), time of day (seconds since 1970) and sleep; tests put their own in."""

    clock: Callable[[], float] = time.monotonic
    time_of_day: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep


@dataclass(frozen=True)
class Policy:
    """When a failed call is tried again.

    Waits double from `first_wait` to `longest_wait` seconds, each drawn between half and all of that. A server's own
    retry-after is obeyed up to `patience` seconds; one that asks for more ends the call.
    """

    max_attempts: int = 8
    first_wait: float = 0.5
    longest_wait: float = 60.0
    patience: float = 600.0
    timeout: float = 300.0  # of one attempt from first byte to last, however slowly it drips

    def wait(self, fault: Fault, attempt: int, draws: random.Random) -> float | None:
        """Seconds to wait before the next attempt, None when there is none; `attempt` counts from 1."""
        if not fault.is_passing or attempt >= self.max_attempts:
            return None
        jittered = min(self.longest_wait, self.first_wait * 2.0 ** (attempt - 1)) * draws.uniform(0.5, 1)
        if fault.retry_after is None:
            return jittered
        return None if fault.retry_after > self.patience else fault.retry_after + draws.uniform(0, self.first_wait)


class Limiter:
    """Slots for calls in flight; bound to one event loop, not to threads."""

    def __init__(self, ceiling: int, clock: Callable[[], float]) -> None:
        self.limit = float(ceiling)
        self.in_flight = 0
        self._ceiling = ceiling
        self._clock = clock
        self._pauses = 0
        self._halved_at = float("-inf")
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def enter(self) -> None:
        """Take a slot, after all that wait already."""
        if self._waiting or not self._has_room():
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():  # the slot was handed over before the cancellation came
                    self.leave()
                raise
            return
        self.in_flight += 1

    def leave(self) -> None:
        """Give a slot back."""
        self.in_flight -= 1
        self._admit()

    def grow(self) -> None:
        """A call was answered."""
        if self.limit < self._ceiling:
            self.limit = min(float(self._ceiling), self.limit + 1 / self.limit)

    def shrink(self, sent_at: float) -> None:
        """A call sent at `sent_at` was refused because of the load."""
        if sent_at > self._halved_at:
            self.limit = max(1.0, self.limit / 2)
            self._halved_at = self._clock()

    def pause(self) -> None:
        """Let nobody in until `resume`: the server named a time before which it will refuse."""
        self._pauses += 1

    def resume(self) -> None:
        """End one pause."""
        self._pauses -= 1
        self._admit()

    def _has_room(self) -> bool:
        return not self._pauses and self.in_flight < int(self.limit)

    def _admit(self) -> None:
        while self._waiting and self._has_room():
            turn = self._waiting.popleft()
            if not turn.done():
                self.in_flight += 1
                turn.set_result(None)
