"""A model that answers in batches: the same protocol, ledger, budgets and answers as online, at the batch price.

For each request: the ledger has the answer → a hit; else it goes into a batch. Batches that an earlier process left are
taken up first, whatever is asked. What another process makes is waited for. A batch in flight is worth hours, so an
exception or Ctrl-C waits for none: they are left in the ledger, and the next process takes them up.
"""

from __future__ import annotations

import asyncio
import json
import random
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from secrets import randbelow
from typing import Any

from chunky.llm.batches.books import BatchBooks, Kept
from chunky.llm.batches.driving import Driver, Left, Tools
from chunky.llm.batches.filling import Asked, Filling
from chunky.llm.batches.vendor import BatchPolicy, Line, Vendor, custom_id, line_bytes
from chunky.llm.budget import Budget
from chunky.llm.caller import IN_BATCH, OVER_BUDGET, OnReply, run_apart
from chunky.llm.keeping import LedgerKeeper
from chunky.llm.ledger import Answer, Call, Claim, Ledger, Outcome
from chunky.llm.limits import Policy, Timing
from chunky.llm.outcomes import failure, hit, reply_of
from chunky.llm.owners import BATCH
from chunky.llm.prices import Price
from chunky.llm.protocol import Reply, Request
from chunky.llm.providers.base import Fault

_YIELD_EVERY = 64  # requests read in a row before batches in flight get a turn
_FIRST_LOOK, _LAST_LOOK = 0.5, 30.0  # seconds between looks at what others make, growing by half


@dataclass
class _Row:
    """A request that waits for its reply, with all that wait for the same."""

    asked: Asked
    waiting: list[tuple[int, Call]]
    rounds: int = 0


@dataclass
class _Job:
    """One `complete`."""

    on_reply: OnReply | None
    requests: Iterator[tuple[int, Request]]
    filling: Filling
    replies: dict[int, Reply] = field(default_factory=dict)
    rows: dict[bytes, _Row] = field(default_factory=dict)
    elsewhere: list[tuple[Asked, Claim]] = field(default_factory=list)
    drivers: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    mine: set[str] = field(default_factory=set)  # batches that this job made
    left: set[str] = field(default_factory=set)  # batches that it could not bring to their end
    has_more: bool = True
    keeps: bool = True

    def deliver(self, index: int, reply: Reply) -> None:
        if self.keeps:
            self.replies[index] = reply
        if self.on_reply is not None:
            self.on_reply(index, reply)


class BatchCaller(LedgerKeeper):
    """The `Model` of a vendor's batch API; `price` is that of a call inside a batch."""

    def __init__(
        self,
        vendor: Vendor,
        *,
        ledger: Ledger,
        budget: Budget | None = None,
        price: Price | None = None,
        policy: Policy | None = None,
        batch_policy: BatchPolicy | None = None,
        timing: Timing | None = None,
        seed: int = 0,
    ) -> None:
        self.name = vendor.name
        self._vendor = self._bodies = vendor
        self._ledger = ledger
        self._books = BatchBooks(ledger, vendor.name)
        self._run = "" if budget is None else budget.run
        self._price = price
        self._limits = batch_policy or BatchPolicy()
        self._timing = timing or Timing()
        timeout = (policy or Policy()).timeout
        self._tools = Tools(vendor, self._books, self._limits, self._timing, timeout, price, random.Random(seed))
        self._ended: Fault | None = None
        self._one_job = threading.Lock()

    def complete(self, requests: Iterable[Request], on_reply: OnReply | None = None) -> list[Reply]:
        """One reply per request, in their order; `on_reply` gets each with its index as it comes, in this thread.

        An exception of `on_reply` or of `requests` is raised at once; batches in flight stay in the ledger.
        """
        with self._one_job:
            return run_apart(self._complete(requests, on_reply))

    def fetch(self, requests: Iterable[Request], on_reply: OnReply) -> None:
        """As `complete`, but replies are handed out and not kept: for more of them than memory should hold."""
        with self._one_job:
            run_apart(self._complete(requests, on_reply, keeps=False))

    def _ask(self, request: Request) -> Asked:
        call, body, bound = self._call(request)
        schema = None if request.schema is None else json.dumps(request.schema, sort_keys=True)
        return Asked(call, body, request, bound, line_bytes(Line(call.key, "", body)), schema)

    async def _complete(
        self, requests: Iterable[Request], on_reply: OnReply | None, *, keeps: bool = True
    ) -> list[Reply]:
        largest = min(self._limits.max_bytes, self._vendor.max_bytes)
        filling = Filling(min(self._limits.max_rows, self._vendor.max_rows), largest, randbelow(1 << 16))
        job = _Job(on_reply, iter(enumerate(requests)), filling, keeps=keeps)
        try:
            await self._work(job)
        finally:
            for task in job.drivers.values():
                task.cancel()
            await asyncio.gather(*job.drivers.values(), return_exceptions=True)
            for batch in job.drivers:  # one that was canceled before it began has told nobody
                self._books.leave(batch)
            await self._vendor.close()
            self._ledger.flush()
        return [job.replies[index] for index in sorted(job.replies)]

    async def _work(self, job: _Job) -> None:
        wait = _FIRST_LOOK
        while True:
            if self._ended is None:
                self._take_up(job)
            await self._fill(job)
            if self._ended is not None:
                self._give_up(job, self._ended)
            if not job.has_more and not job.rows:
                return
            has_ended = await self._pause(job, wait)
            wait = _FIRST_LOOK if has_ended else min(_LAST_LOOK, wait * 1.5)
            self._look_elsewhere(job)

    def _take_up(self, job: _Job) -> None:
        for kept in self._books.take_up(job.left):
            self._start(job, kept, None)

    async def _fill(self, job: _Job) -> None:
        """Read requests and start batches, as many as may be open."""
        while self._ended is None and len(job.mine & job.drivers.keys()) < self._limits.max_open:
            while job.has_more and not job.filling.has_full and len(job.elsewhere) < 2 * self._limits.max_rows:
                await self._read(job)
            if not job.filling.has_full:
                job.filling.close()
            if not job.filling.has_full:
                return
            self._plan(job, job.filling.next())
            await asyncio.sleep(0)

    def _give_up(self, job: _Job, why: Fault) -> None:
        """Refuse all that is in no batch yet; batches in flight go on as far as they can."""
        for asked in (*job.filling.drain(), *(asked for asked, _ in job.elsewhere)):
            self._refuse(job, asked.call.key, why)
        job.elsewhere.clear()
        for index, _ in job.requests:
            job.deliver(index, failure(why, self.name))
        job.has_more = False

    async def _read(self, job: _Job) -> None:
        """Answer one request from the ledger, join the same request, or put it into a batch."""
        found = next(job.requests, None)
        if found is None:
            job.has_more = False
            return
        index, request = found
        if index % _YIELD_EVERY == 0:
            await asyncio.sleep(0)
        try:
            asked = self._ask(request)
        except (TypeError, ValueError) as error:  # text that no server can be sent, such as half a surrogate pair
            job.deliver(index, failure(Fault("invalid request", f"{type(error).__name__}: {error}"[:200]), self.name))
            return
        answer = self._ledger.find(asked.call.key)
        if answer is not None:
            self._hit(job, index, asked.call, answer)
        elif asked.call.key in job.rows:
            job.rows[asked.call.key].waiting.append((index, asked.call))
        elif asked.size > job.filling.max_bytes:
            told = f"the request of {asked.size} bytes is larger than a batch may be"
            job.deliver(index, failure(Fault("invalid request", told), self.name))
        else:
            job.rows[asked.call.key] = _Row(asked, [(index, asked.call)])
            job.filling.add(asked)

    def _plan(self, job: _Job, batch: list[Asked]) -> None:
        """Claim the rows of a batch and start it with those that are ours."""
        wanted = {asked.call.key: asked for asked in batch if asked.call.key in job.rows}
        batch = [wanted[key] for key in sorted(wanted)]  # the order in which the ledger tells the rows
        if not batch:
            return
        kept, claims = self._books.plan([asked.wish for asked in batch], batch[0].schema)
        lines = []
        for asked, claim in zip(batch, claims, strict=True):
            key = asked.call.key
            if claim.state == "mine" and kept is not None:
                lines.append(Line(key, custom_id(kept.batch, key), asked.body))
            elif claim.answer is not None:
                for index, call in job.rows.pop(key).waiting:
                    self._hit(job, index, call, claim.answer)
            elif claim.state == "no":
                self._refuse(job, key, OVER_BUDGET)
            elif claim.owner.removeprefix(BATCH) not in job.drivers:
                job.elsewhere.append((asked, claim))
        if kept is not None:
            job.mine.add(kept.batch)
            self._start(job, kept, lines)

    def _start(self, job: _Job, kept: Kept, lines: list[Line] | None) -> None:
        work = self._drive(job, kept, lines)
        job.drivers[kept.batch] = asyncio.get_running_loop().create_task(work)

    async def _drive(self, job: _Job, kept: Kept, lines: list[Line] | None) -> None:
        try:
            await Driver(self._tools, kept, _Sink(self, job)).drive(lines)
        except Left as left:
            job.left.add(kept.batch)
            if left.fault.ends_run:
                self._end(left.fault)
            for key in self._books.rows(kept.batch):
                self._refuse(job, key, left.fault, is_sent=True)

    async def _pause(self, job: _Job, wait: float) -> bool:
        """Until a batch ends (True), or it is time to look at what others make."""
        tasks = set(job.drivers.values())
        if not tasks and not job.elsewhere:
            return True
        timer = asyncio.ensure_future(self._timing.sleep(wait)) if job.elsewhere else None
        try:
            waits: set[asyncio.Future[Any]] = {*tasks} if timer is None else {*tasks, timer}
            done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if timer is not None:
                timer.cancel()
        ended = [batch for batch, task in job.drivers.items() if task in done]
        for batch in ended:
            job.drivers.pop(batch).result()
        return bool(ended)

    def _look_elsewhere(self, job: _Job) -> None:
        """Ask again for what others made or held the money for, unless nobody ever will."""
        if not job.elsewhere:
            return
        self._ledger.bury_dead()
        elsewhere, job.elsewhere = job.elsewhere, []
        is_stranded = any(claim.state == "later" for _, claim in elsewhere) and self._ledger.is_stranded(self._run)
        for asked, claim in elsewhere:
            key = asked.call.key
            if key not in job.rows:
                continue
            if claim.owner.removeprefix(BATCH) in job.left or (claim.state == "later" and is_stranded):
                self._refuse(job, key, IN_BATCH, is_sent=claim.state == "theirs")
            elif claim.owner.removeprefix(BATCH) not in job.drivers:
                job.filling.add(asked)

    def _refuse(self, job: _Job, key: bytes, why: Fault, is_sent: bool = False) -> None:
        """Say why there is no reply; what a row costs that a vendor still holds is not known."""
        row = job.rows.pop(key, None)
        reply = failure(why, self.name)
        for index, _ in () if row is None else row.waiting:
            job.deliver(index, replace(reply, usd=None) if is_sent else reply)

    def _hit(self, job: _Job, index: int, call: Call, answer: Answer) -> None:
        outcome, reply = hit(answer, call.model)
        self._ledger.note(call, "cached", outcome)
        job.deliver(index, reply)

    def _end(self, why: Fault) -> None:
        self._ended = self._ended or why

    def _settled(self, job: _Job, key: bytes, outcome: Outcome) -> None:
        row = job.rows.pop(key, None)
        if row is None:
            return
        (first, _), *others = row.waiting
        reply = reply_of(outcome, self.name)
        job.deliver(first, reply)
        for index, call in others:
            if reply.error is None and reply.text is not None:
                self._hit(job, index, call, Answer(reply.text, reply.input_tokens, reply.output_tokens))
            else:
                job.deliver(index, replace(reply, usd=None if reply.usd is None else 0.0, attempts=0))


class _Sink:
    """What a driver tells one job."""

    def __init__(self, caller: BatchCaller, job: _Job) -> None:
        self._caller, self._job = caller, job

    def attempts(self, key: bytes) -> int:
        row = self._job.rows.get(key)
        return 1 if row is None else row.rounds + 1

    def may_return(self, key: bytes) -> bool:
        """Rows that nobody waits for here cost nothing and are free again."""
        return self._caller._ended is None and self.attempts(key) < self._caller._limits.max_rounds

    def settled(self, key: bytes, outcome: Outcome) -> None:
        self._caller._settled(self._job, key, outcome)

    def returned(self, key: bytes, *, counts: bool) -> None:
        row = self._job.rows.get(key)
        if row is None:
            return
        if counts and not self.may_return(key):
            self._caller._refuse(self._job, key, self._caller._ended or _NOT_TAKEN)
            return
        row.rounds += counts
        self._job.filling.add(row.asked)

    def shrink(self, rows: int) -> None:
        self._job.filling.shrink(rows)

    def end(self, fault: Fault) -> None:
        self._caller._end(fault)


_NOT_TAKEN = Fault("connection", "the vendor took no batch with the request in it")
