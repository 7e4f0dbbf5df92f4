"""One batch, from its plan to its last row, whatever fails in between.

A batch is never dropped: what passes is tried again for hours, and what does not leaves the batch in the ledger, with
its money in reserve, for the next process.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol, TypeVar

from chunky.llm.batches.books import BatchBooks, Ending, Kept
from chunky.llm.batches.reading import Reading
from chunky.llm.batches.vendor import BatchPolicy, Line, Look, Lost, Vendor
from chunky.llm.ledger import Outcome
from chunky.llm.limits import Timing
from chunky.llm.outcomes import outcome_of
from chunky.llm.prices import Price
from chunky.llm.protocol import Request
from chunky.llm.providers.base import Fault

_T = TypeVar("_T")
_FIRST_WAIT, _LONGEST_WAIT = 1.0, 120.0  # seconds between attempts of one step, doubling


class Left(Exception):
    """The batch stays in the ledger for the next process; `fault` says why."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.detail)
        self.fault = fault


class Sink(Protocol):
    """Who wants to know what becomes of rows."""

    def attempts(self, key: bytes) -> int:
        """How many batches the row was part of, with this one."""
        ...

    def may_return(self, key: bytes) -> bool:
        """Whether a row that cost nothing is asked again, rather than reported."""
        ...

    def settled(self, key: bytes, outcome: Outcome) -> None:
        """A row is in the books."""
        ...

    def returned(self, key: bytes, *, counts: bool) -> None:
        """A row is free again; `counts`: against the batches that it may be part of."""
        ...

    def shrink(self, rows: int) -> None:
        """So many rows are too many for the server."""
        ...

    def end(self, fault: Fault) -> None:
        """Nothing more can be sent."""
        ...


@dataclass(frozen=True)
class Tools:
    """What all batches of a model share; `price` is that of a call inside a batch."""

    vendor: Vendor
    books: BatchBooks
    policy: BatchPolicy
    timing: Timing
    timeout: float  # seconds of a call that moves no rows
    price: Price | None
    draws: random.Random


class Driver:
    """Drives one batch."""

    def __init__(self, tools: Tools, kept: Kept, sink: Sink) -> None:
        self._tools = tools
        self._vendor, self._books, self._policy = tools.vendor, tools.books, tools.policy
        self._kept = kept
        self._submitted_at = kept.submitted_at
        self._sink = sink
        self._is_over = False

    async def drive(self, lines: Sequence[Line] | None) -> None:
        """To the end; `lines` of a batch that is new. Left when the batch must be left to another process."""
        try:
            vendor_id = await self._taken(lines)
            if vendor_id is not None:
                look = await self._ended(vendor_id)
                if look is not None:
                    await self._collect(look)
        finally:
            if not self._is_over:
                self._books.leave(self._kept.batch)

    async def _taken(self, lines: Sequence[Line] | None) -> str | None:
        """The vendor's name of the batch; None when there is none and its rows are free again."""
        kept = self._kept
        if kept.vendor_id is not None:
            return kept.vendor_id
        if kept.state == "submitting":
            look = await self._find()
        elif lines is None:  # nothing was sent
            self._return_all("done", counts=False)
            return None
        else:
            look = await self._submit(lines)
        if look is None:
            return None
        self._books.opened(kept.batch, look.vendor_id)
        return look.vendor_id

    async def _submit(self, lines: Sequence[Line]) -> Look | None:
        batch = self._kept.batch
        upload = await self._steady(lambda: self._vendor.upload(batch, lines), self._policy.transfer)
        if isinstance(upload, Fault):
            self._refused(upload)
            return None
        name = upload
        self._submitted_at = self._tools.timing.time_of_day()
        self._books.submitting(batch, self._submitted_at)
        waited, attempt = 0.0, 1
        while True:
            result = await self._once(lambda: self._vendor.submit(batch, name, lines), self._policy.transfer)
            if isinstance(result, Look):
                return result
            if not _is_untaken(result):
                return await self._find()
            wait = self._wait(result, attempt)
            if not result.is_passing or waited + wait > self._policy.outage:
                self._refused(result)
                return None
            await self._tools.timing.sleep(wait)
            waited, attempt = waited + wait, attempt + 1

    async def _find(self) -> Look | None:
        """The batch of a submit without an answer. Before the vendor has had time to list it, nobody says that it is
        not there; then its rows are free again.
        """
        since = self._submitted_at or 0.0
        lost = Lost(self._kept.batch, self._kept.rows, since, self._books.others(self._kept.batch))
        waited, wait = max(0.0, self._tools.timing.time_of_day() - since), self._policy.first_look
        while True:
            found = await self._steady(lambda: self._vendor.find(lost), self._tools.timeout)
            if isinstance(found, Fault):
                raise Left(found)
            if isinstance(found, Look):
                return found
            if found is None and waited >= self._policy.grace:
                self._return_all("untaken", counts=True)
                return None
            await self._tools.timing.sleep(wait)
            waited, wait = waited + wait, min(self._policy.longest_look, wait * 1.5)

    async def _ended(self, vendor_id: str) -> Look | None:
        """The batch when it has ended; None when the vendor no longer knows it, long after it could have ended."""
        wait = self._policy.first_look
        while True:
            look = await self._steady(lambda: self._vendor.look(vendor_id), self._tools.timeout)
            if isinstance(look, Look) and look.is_ended:
                return look
            if isinstance(look, Fault) and not (_is_absent(look) and self._age() < self._policy.grace):
                self._leave_or_lose(look)
                return None
            await self._tools.timing.sleep(wait * self._tools.draws.uniform(0.8, 1))
            wait = min(self._policy.longest_look, wait * 1.5)

    async def _collect(self, look: Look) -> None:
        rows = self._books.rows(self._kept.batch)
        if look.fault is not None:
            await self._refused_whole(look, look.fault)
            return
        reading = Reading(self._tools, self._kept, rows, self._sink, self._submitted_at)
        for download in range(self._policy.downloads):
            for place in look.places:
                fault = await self._steady(partial(self._vendor.read, place, reading.take), self._policy.transfer)
                reading.flush()
                if fault is not None:
                    self._leave_or_lose(fault)
                    return
            if reading.is_whole(look):
                break
            await self._tools.timing.sleep(self._wait(None, download + 1))
        back = reading.close(look)
        self._finish("done")
        for key in back:
            self._sink.returned(key, counts=True)

    async def _refused_whole(self, look: Look, fault: Fault) -> None:
        """The vendor did not start the batch. Rows that were the reason are reported, the others come back."""
        if not look.bad_lines:
            if fault.is_passing:  # no room beside the batches that it holds
                await self._tools.timing.sleep(self._policy.longest_look)
            self._refused(fault, is_large=fault.is_passing)
            return
        order = self._books.order(self._kept.batch)
        bad = {order[line]: told for line, told in look.bad_lines.items() if 0 <= line < len(order)}
        for key, told in bad.items():
            self._fail([key], Fault("invalid request", told))
        self._return_all("done", counts=not bad)

    def _refused(self, fault: Fault, is_large: bool = False) -> None:
        """Nothing was taken, and nothing is paid for."""
        if fault.ends_run:
            self._sink.end(fault)
        if (is_large or fault.detail.startswith("413")) and self._kept.rows > 1:
            self._sink.shrink(self._kept.rows)
            self._return_all("done", counts=False)
            return
        self._fail(self._books.rows(self._kept.batch), fault)
        self._finish("done")

    def _leave_or_lose(self, fault: Fault) -> None:
        """Results that the vendor no longer has may have been paid for; all else leaves the batch as it is."""
        if not _is_absent(fault):
            raise Left(fault)
        if self._age() < self._policy.kept:  # another key's, perhaps
            raise Left(replace(fault, ends_run=False))
        gone = Fault("lost", "the vendor no longer has the results", may_be_paid=True)
        rows = list(self._books.rows(self._kept.batch))
        self._write(rows, gone)
        self._finish("gone")
        for key in rows:
            self._sink.returned(key, counts=True)

    def _age(self) -> float:
        """Seconds since the batch was sent."""
        return self._tools.timing.time_of_day() - (self._submitted_at or 0.0)

    def _fail(self, keys: Iterable[bytes], fault: Fault) -> None:
        for key, outcome in self._write(keys, fault).items():
            self._sink.settled(key, outcome)

    def _write(self, keys: Iterable[bytes], fault: Fault) -> dict[bytes, Outcome]:
        rows = self._books.rows(self._kept.batch)
        asked = Request("", (), 0)
        outcomes = {key: outcome_of(fault, asked, None, rows[key].bound, 0.0, 1) for key in keys if key in rows}
        self._books.settle(self._kept.batch, outcomes)
        return outcomes

    def _return_all(self, state: Ending, *, counts: bool) -> None:
        rows = self._books.rows(self._kept.batch)
        self._finish(state)
        for key in rows:
            self._sink.returned(key, counts=counts)

    def _finish(self, state: Ending) -> None:
        self._books.finish(self._kept.batch, state)
        self._is_over = True

    async def _steady(self, call: Callable[[], Awaitable[_T | Fault]], timeout: float) -> _T | Fault:
        """Call until it does not fail, fails for good, or has failed for as long as an outage may last."""
        waited, attempt = 0.0, 1
        while True:
            result = await self._once(call, timeout)
            if not isinstance(result, Fault) or not _may_repeat(result):
                return result
            wait = self._wait(result, attempt)
            if waited + wait > self._policy.outage:
                return result
            await self._tools.timing.sleep(wait)
            waited, attempt = waited + wait, attempt + 1

    async def _once(self, call: Callable[[], Awaitable[_T]], timeout: float) -> _T | Fault:
        try:
            async with asyncio.timeout(timeout):
                return await call()
        except TimeoutError:
            return Fault("timeout", f"no whole reply within {timeout:g} seconds", is_passing=True, may_be_paid=True)

    def _wait(self, fault: Fault | None, attempt: int) -> float:
        told = 0.0 if fault is None or fault.retry_after is None else fault.retry_after
        doubled = min(_LONGEST_WAIT, _FIRST_WAIT * 2.0 ** min(attempt - 1, 20))
        return told + doubled * self._tools.draws.uniform(0.5, 1)


def _may_repeat(fault: Fault) -> bool:
    """Whether a step that costs nothing is worth another try: an unreadable reply to it is, too."""
    return fault.is_passing or fault.kind == "bad reply"


def _is_absent(fault: Fault) -> bool:
    """Whether the server knows no such batch: one that it has just taken, one of another key, or one that is gone."""
    return fault.detail.startswith("404")


def _is_untaken(fault: Fault) -> bool:
    """Whether a submit surely started no batch: the server refused it, or was never reached."""
    if fault.kind in ("server", "overloaded", "timeout", "bad reply"):
        return False
    return not fault.may_be_paid
