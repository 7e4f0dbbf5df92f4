"""A model behind a provider: the ledger first, many calls in flight, again what may pass, money counted.

Synchronous outside, concurrent inside. For each request, in this order: the ledger has the answer → a hit; the same
request is in flight here → wait for it; another process makes it → wait for that one, and take over if it dies; else
reserve its upper bound, write the intent, send, settle.
"""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable, Coroutine, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from chunky.llm.budget import Budget
from chunky.llm.keeping import LedgerKeeper
from chunky.llm.ledger import Answer, Call, Claim, Ledger
from chunky.llm.limits import Limiter, Policy, Timing
from chunky.llm.outcomes import failure, hit, outcome_of, reply_of
from chunky.llm.owners import BATCH
from chunky.llm.prices import Price
from chunky.llm.protocol import Reply, Request
from chunky.llm.providers.base import Fault, Provider, Sent

_T = TypeVar("_T")
OnReply = Callable[[int, Reply], None]
# Tasks a slot, so that calls which wait for their next attempt do not idle it.
_TASKS_A_SLOT = 4
_FIRST_LOOK, _LAST_LOOK = 0.02, 1.0  # seconds between looks at another process's call, doubling
_YIELD_EVERY = 64  # hits in a row before calls in flight get a turn


@dataclass
class _Job:
    """One `complete`: the replies so far, and which requests wait for the same call."""

    on_reply: OnReply | None
    replies: dict[int, Reply] = field(default_factory=dict)
    waiting: dict[bytes, list[tuple[int, Call]]] = field(default_factory=dict)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    hits: int = 0
    broken: BaseException | None = None

    def deliver(self, index: int, reply: Reply) -> None:
        self.replies[index] = reply
        if self.on_reply is not None and self.broken is None:
            self.on_reply(index, reply)


@dataclass(frozen=True)
class _Asked:
    """A request on its way: what the ledger knows it by, its body, and the most it can cost (1e-9 dollars)."""

    call: Call
    body: Mapping[str, Any]
    request: Request
    bound: int


class Caller(LedgerKeeper):
    """The `Model` of a provider that is paid, rate-limited and far away."""

    def __init__(
        self,
        provider: Provider,
        *,
        ledger: Ledger,
        budget: Budget | None = None,
        price: Price | None = None,
        policy: Policy | None = None,
        timing: Timing | None = None,
        max_in_flight: int = 32,
        seed: int = 0,
    ) -> None:
        self.name = provider.name
        self._provider = self._bodies = provider
        self._ledger = ledger
        self._run = "" if budget is None else budget.run
        self._price = price
        self._policy = policy or Policy()
        self._timing = timing or Timing()
        self._draws = random.Random(seed)
        self._ceiling = max_in_flight
        self._limiter = Limiter(max_in_flight, self._timing.clock)  # keeps what it learned for the next job
        self._ended: Fault | None = None
        self._one_job = threading.Lock()

    def complete(self, requests: Iterable[Request], on_reply: OnReply | None = None) -> list[Reply]:
        """One reply per request, in their order; `on_reply` gets each with its index as it comes, in this thread.

        An exception of `on_reply` or of `requests` stops the sending, waits for calls in flight (they are paid for),
        and is raised then.
        """
        with self._one_job:
            return run_apart(self._complete(requests, on_reply))

    def _ask(self, request: Request) -> _Asked:
        call, body, bound = self._call(request)
        return _Asked(call, body, request, bound)

    async def _complete(self, requests: Iterable[Request], on_reply: OnReply | None) -> list[Reply]:
        job = _Job(on_reply)
        room = asyncio.Semaphore(self._ceiling * _TASKS_A_SLOT)
        try:
            for index, request in enumerate(requests):
                await self._start(job, room, index, request)
                if job.broken is not None:
                    break
        except asyncio.CancelledError:  # Ctrl-C does not wait; what is in flight is counted as lost
            for task in job.tasks:
                task.cancel()
            raise
        finally:
            await asyncio.gather(*job.tasks, return_exceptions=True)
            await self._provider.close()
            self._ledger.flush()
        if job.broken is not None:
            raise job.broken
        return [job.replies[index] for index in sorted(job.replies)]

    async def _start(self, job: _Job, room: asyncio.Semaphore, index: int, request: Request) -> None:
        """Answer from the ledger, join the same request in flight, or start a task."""
        if self._ended is not None:
            job.deliver(index, failure(self._ended, self.name))
            return
        try:
            asked = self._ask(request)
        except (TypeError, ValueError) as error:  # text that no server can be sent, such as half a surrogate pair
            job.deliver(index, failure(Fault("invalid request", f"{type(error).__name__}: {error}"[:200]), self.name))
            return
        key = asked.call.key
        answer = self._ledger.find(key)
        if answer is not None:
            self._hit(job, index, asked.call, answer)
            job.hits += 1
            if job.tasks and job.hits % _YIELD_EVERY == 0:
                await asyncio.sleep(0)
            return
        if key in job.waiting:
            job.waiting[key].append((index, asked.call))
            return
        job.waiting[key] = []
        await room.acquire()
        task = asyncio.get_running_loop().create_task(self._finish(job, index, asked))
        job.tasks.add(task)

        def done(task: asyncio.Task[None]) -> None:
            job.tasks.discard(task)
            room.release()
            if not task.cancelled() and task.exception() is not None and job.broken is None:
                job.broken = task.exception()

        task.add_done_callback(done)

    async def _finish(self, job: _Job, index: int, asked: _Asked) -> None:
        reply = await self._answer(asked)
        waiting = job.waiting.pop(asked.call.key)
        job.deliver(index, reply)
        for other, call in waiting:
            if reply.error is None and reply.text is not None:
                self._hit(job, other, call, Answer(reply.text, reply.input_tokens, reply.output_tokens))
            else:
                job.deliver(other, replace(reply, usd=None if reply.usd is None else 0.0, attempts=0))

    def _hit(self, job: _Job, index: int, call: Call, answer: Answer) -> None:
        outcome, reply = hit(answer, call.model)
        self._ledger.note(call, "cached", outcome)
        job.deliver(index, reply)

    async def _answer(self, asked: _Asked) -> Reply:
        """Claim the call and make it, or learn why not."""
        look = _FIRST_LOOK
        while True:
            await self._limiter.enter()
            if self._ended is not None:
                self._limiter.leave()
                return failure(self._ended, self.name)
            claim = self._ledger.claim(asked.call, asked.bound)
            if claim.state == "mine":
                return await self._pay(asked)
            self._limiter.leave()
            if claim.answer is not None:
                outcome, reply = hit(claim.answer, self.name)
                self._ledger.note(asked.call, "cached", outcome)
                return reply
            if claim.state == "no":
                return failure(OVER_BUDGET, self.name)
            if look >= _LAST_LOOK:  # whoever we wait for may have been killed
                self._ledger.bury_dead()
                if self._waits_for_nobody(claim):
                    return failure(IN_BATCH, self.name)
            await self._timing.sleep(look)
            look = min(_LAST_LOOK, look * 2)

    def _waits_for_nobody(self, claim: Claim) -> bool:
        """Whether the call, or the money for it, is in a batch that no process looks after."""
        if claim.state == "theirs":
            return claim.owner.startswith(BATCH) and not self._ledger.is_alive(claim.owner)
        return self._ledger.is_stranded(self._run)

    async def _pay(self, asked: _Asked) -> Reply:
        """Make a claimed call, whose slot is held, as often as it takes, and settle it."""
        started, is_settled = self._timing.clock(), False
        try:
            result, attempts = await self._attempt(asked), 1
            while isinstance(result, Fault):
                wait = self._policy.wait(result, attempts, self._draws)
                if wait is None or self._end() is not None:
                    break
                if result.may_be_paid and not self._ledger.count_attempt(asked.call, asked.bound):
                    result = replace(OVER_BUDGET, detail=f"no room for another attempt after: {result.detail}")
                    break
                await self._wait(wait, is_for_all=result.retry_after is not None)
                await self._limiter.enter()
                end = self._end()
                if end is not None:
                    self._limiter.leave()
                    result = end
                    break
                result, attempts = await self._attempt(asked), attempts + 1
            seconds = self._timing.clock() - started
            outcome = outcome_of(result, asked.request, self._price, asked.bound, seconds, attempts)
            self._ledger.settle(asked.call, outcome)
            is_settled = True
            return reply_of(outcome, self.name)
        finally:
            if not is_settled:  # cancelled, or the books cannot be written
                self._ledger.lose(asked.call)

    def _end(self) -> Fault | None:
        """Why no call can succeed any more, for all calls of this model."""
        return self._ended

    async def _wait(self, seconds: float, is_for_all: bool) -> None:
        if not is_for_all:
            await self._timing.sleep(seconds)
            return
        self._limiter.pause()
        try:
            await self._timing.sleep(seconds)
        finally:
            self._limiter.resume()

    async def _attempt(self, asked: _Asked) -> Sent | Fault:
        """Send once, within the time of an attempt, and leave the slot."""
        sent_at = self._timing.clock()
        try:
            async with asyncio.timeout(self._policy.timeout):
                result = await self._provider.send(asked.body)
        except TimeoutError:
            told = f"no whole reply within {self._policy.timeout:g} seconds"
            result = Fault("timeout", told, is_passing=True, may_be_paid=True)
        finally:
            self._limiter.leave()
        if isinstance(result, Sent):
            self._limiter.grow()
            return result
        if result.is_overload:
            self._limiter.shrink(sent_at)
        if result.ends_run:
            self._ended = result
        return result


IN_BATCH = Fault(
    "in batch", "the call, or the money for it, is in a batch that was left open; ask again in batches to collect it"
)
OVER_BUDGET = Fault("budget", "the call could pass the limit of its run or role")


def run_apart(work: Coroutine[Any, Any, _T]) -> _T:
    """Run `work` in a loop of its own, in a thread of its own where this one runs a loop already (a notebook)."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()
