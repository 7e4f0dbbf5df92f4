"""The ledger: every model call of a lake, and the answers that were paid for, in one SQLite file.

A call is written before it is sent (an *intent*) and settled when its reply is there, each in one commit, so that a
process killed at any moment leaves a trace of what it may have spent. Answers are found by content: the SHA-256 of all
that was sent and of the sample index. Failures are written down and never found. SQLite and not the lake, because many
processes write single rows at once (`docs/decisions/0021-ledger-in-sqlite.md`).
"""

from __future__ import annotations

import hashlib
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, NamedTuple, Self

from chunky.errors import LockedError
from chunky.llm import budget as budgets
from chunky.llm.budget import Budget, Spending
from chunky.llm.ledger_file import connect
from chunky.llm.owners import BATCH, Owner, is_alive

_NOTES_HELD = 500  # hits cost nothing, so losing some to a kill does; one commit each would triple their price

_INSERT = (
    "insert into calls (key, run, role, model, prompt_version, sample, started_at, state, seconds, attempts,"
    " input_tokens, output_tokens, nano_usd, nano_counted, error, detail, reply, digest)"
    " values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


class Answer(NamedTuple):
    """An answer that was paid for."""

    text: str
    input_tokens: int | None
    output_tokens: int | None


@dataclass(frozen=True)
class Call:
    """What a call is: its content address, and where it belongs."""

    key: bytes
    role: str
    model: str
    prompt_version: str = ""
    sample: int = 0
    run: str = ""


class Claim(NamedTuple):
    """What became of the wish to make a call.

    "mine": go on; "hit": here is the answer; "theirs": `owner` is making the same call; "later": no
    room in the budget until other calls settle; "no": no room.
    """

    state: Literal["mine", "hit", "theirs", "later", "no"]
    answer: Answer | None = None
    owner: str = ""


@dataclass(frozen=True)
class Outcome:
    """How a call ended. `error` None: `text` is the answer. Amounts in 1e-9 dollars; `nano_usd` None where unknown,
    `nano_counted` what the budget holds against it then.
    """

    text: str | None
    error: str | None
    detail: str | None
    input_tokens: int | None
    output_tokens: int | None
    nano_usd: int | None
    nano_counted: int
    seconds: float | None
    attempts: int | None


def digest(text: str) -> bytes:
    """Check sum of an answer's text."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


class Ledger:
    """An open ledger; close it or use it as a context. `path` None: in memory, for this process alone.

    Usable from several threads. A forked child must open its own.
    """

    def __init__(self, path: Path | None, time_of_day: Callable[[], float] = time.time) -> None:
        self.path = path
        self._now = time_of_day
        self._lock = threading.RLock()
        self._notes: list[tuple[object, ...]] = []
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        self._owners = None if path is None else path.with_name(path.name + ".owners")
        self.connection = connect(path)
        if path is None:  # nobody closes what a model made for itself
            weakref.finalize(self, self.connection.close)
        self._owner = None if self._owners is None else Owner(self._owners)
        self.owner = "" if self._owner is None else self._owner.name
        self.bury_dead()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Write what is held and let the file go; calls still open are counted as lost."""
        with self._lock:
            self.flush()
            self.bury(self.owner)
            self.connection.close()
            if self._owner is not None:
                self._owner.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """One commit; nothing of it when the block raises."""
        with self._lock:
            try:
                self.connection.execute("begin immediate")
            except sqlite3.OperationalError as error:
                raise LockedError(
                    f"the ledger {self.path} is busy: {error}", "stop the process that holds it, or look at the disk"
                ) from error
            try:
                yield self.connection
                self.connection.execute("commit")
            finally:
                if self.connection.in_transaction:
                    self.connection.execute("rollback")

    def find(self, key: bytes) -> Answer | None:
        """The answer at a content address."""
        with self._lock:
            row = self.connection.execute(
                "select reply, input_tokens, output_tokens from calls where key = ? and state = 'answered'", (key,)
            ).fetchone()
        return None if row is None else Answer(*row)

    def open_budget(self, budget: Budget) -> None:
        """Make a run's limits known to all its processes; SettingsError when it has others already."""
        with self.transaction() as connection:
            budgets.open_budget(connection, budget)

    def spending(self, run: str) -> list[Spending]:
        """What a run has spent, for the whole and each limited role."""
        with self._lock:
            return budgets.spending(self.connection, run)

    def claim(self, call: Call, bound: int) -> Claim:
        """Write the intent to make a call that costs at most `bound` (1e-9 dollars), unless somebody has made it, is
        making it, or the run has no money for it.
        """
        with self.transaction() as connection:
            return self.claim_in(connection, call, bound, self.owner)

    def claim_in(self, connection: sqlite3.Connection, call: Call, bound: int, owner: str) -> Claim:
        """`claim` inside the caller's transaction, for an owner that may be a batch."""
        answer = self.find(call.key)
        if answer is not None:
            return Claim("hit", answer=answer)
        row = connection.execute("select owner from intents where key = ?", (call.key,)).fetchone()
        if row is not None:
            return Claim("theirs", owner=row[0])
        room = budgets.reserve(connection, call.run, call.role, bound)
        if room != "yes":
            return Claim(room)
        connection.execute(
            "insert into intents (key, run, role, model, prompt_version, sample, started_at, owner, nano_reserved)"
            " values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*_identity(call), self._now(), owner, bound),
        )
        return Claim("mine")

    def is_alive(self, owner: str) -> bool:
        """Whether somebody will settle the calls of that owner: of a batch, whether a process looks after it."""
        if owner.startswith(BATCH):
            with self._lock:
                row = self.connection.execute(
                    "select driver from batches where batch = ?", (owner.removeprefix(BATCH),)
                ).fetchone()
            owner = "" if row is None else row[0]
        if not owner or self._owners is None:
            return False
        return owner == self.owner or is_alive(self._owners, owner)

    def is_stranded(self, run: str) -> bool:
        """Whether all that the run holds in reserve belongs to batches that no process looks after."""
        with self._lock:
            rows = self.connection.execute("select distinct owner from intents where run = ?", (run,)).fetchall()
        return bool(rows) and all(owner.startswith(BATCH) and not self.is_alive(owner) for (owner,) in rows)

    def count_attempt(self, call: Call, bound: int) -> bool:
        """Count an attempt that may have been paid for at its bound, and reserve the same again for the next one;
        False when the budget has no room for it (the intent then holds no reservation).
        """
        with self.transaction() as connection:
            budgets.settle(connection, call.run, call.role, bound, bound)
            has_room = budgets.reserve(connection, call.run, call.role, bound) == "yes"
            connection.execute(
                "update intents set nano_counted = nano_counted + ?, nano_reserved = ? where key = ?",
                (bound, bound if has_room else 0, call.key),
            )
            return has_room

    def settle(self, call: Call, outcome: Outcome) -> None:
        """Write how a claimed call ended, what it cost, and its answer if it is one."""
        with self.transaction() as connection:
            started, reserved, counted = _end_intent(connection, call.key, self._now())
            budgets.settle(connection, call.run, call.role, reserved, outcome.nano_counted)
            write_ended(connection, call, started, outcome, counted)

    def lose(self, call: Call) -> None:
        """Write that nobody will learn how a claimed call ended; the budget counts it at its bound."""
        self._lose("key = ?", call.key)

    def note(self, call: Call, state: Literal["cached", "offline", "failed"], outcome: Outcome) -> None:
        """Write down a call that cost nothing: a hit, or one of an offline provider. Commits come in groups."""
        with self._lock:
            self._notes.append(_row(call, self._now(), state, outcome, 0))
            if len(self._notes) >= _NOTES_HELD:
                self.flush()

    def flush(self) -> None:
        """Commit what `note` holds."""
        with self._lock:
            if not self._notes:
                return
            with self.transaction() as connection:
                connection.executemany(_INSERT, self._notes)
            self._notes.clear()

    def reject(self, key: bytes, reason: str) -> bool:
        """Take an answer back that its reader cannot use: it stays in the books as a bad reply, and is asked again next
        time. False when there is none.
        """
        with self.transaction() as connection:
            changed = connection.execute(
                "update calls set state = 'failed', error = 'bad reply', detail = ?"
                " where key = ? and state = 'answered'",
                (reason, key),
            )
            return changed.rowcount == 1

    def bury(self, owner: str) -> bool:
        """Count the open calls of a dead owner as lost; False when it lives. Its own owner may do it, too.

        Calls in a batch are never lost: the vendor makes them, and the next process collects them.
        """
        if owner.startswith(BATCH):
            return False
        if owner != self.owner and self._owners is not None and is_alive(self._owners, owner):
            return False
        self._lose("owner = ?", owner)
        if owner != self.owner and self._owners is not None:
            (self._owners / owner).unlink(missing_ok=True)
        return True

    def bury_dead(self) -> None:
        """Count the open calls of all dead owners as lost."""
        with self._lock:
            rows = self.connection.execute(
                "select distinct owner from intents where owner not glob ?", (f"{BATCH}*",)
            ).fetchall()
        for (owner,) in rows:
            if owner != self.owner:
                self.bury(owner)

    def _lose(self, where: Literal["key = ?", "owner = ?"], value: bytes | str) -> None:
        with self.transaction() as connection:
            rows = connection.execute(
                f"delete from intents where {where} returning key, run, role, model, prompt_version, sample,"
                " started_at, nano_reserved, nano_counted",
                (value,),
            ).fetchall()
            for *identity, started, reserved, counted in rows:
                call = Call(identity[0], identity[2], identity[3], identity[4], identity[5], identity[1])
                budgets.settle(connection, call.run, call.role, reserved, reserved)
                connection.execute(_INSERT, _row(call, started, "lost", _LOST, counted + reserved))


def write_ended(
    connection: sqlite3.Connection, call: Call, started: float, outcome: Outcome, counted_before: int
) -> None:
    """Write the row of a call that ended, inside the caller's transaction; `counted_before` in 1e-9 dollars."""
    state = {None: "answered", "lost": "lost"}.get(outcome.error, "failed")
    connection.execute(_INSERT, _row(call, started, state, outcome, counted_before))


def _identity(call: Call) -> tuple[object, ...]:
    return (call.key, call.run, call.role, call.model, call.prompt_version, call.sample)


def _row(call: Call, started: float, state: str, outcome: Outcome, counted_before: int) -> tuple[object, ...]:
    """Values of `_INSERT`."""
    reply = None if state in ("cached", "offline") else outcome.text
    return (
        *_identity(call), started, state, outcome.seconds, outcome.attempts, outcome.input_tokens,
        outcome.output_tokens, outcome.nano_usd, outcome.nano_counted + counted_before, outcome.error, outcome.detail,
        reply, None if reply is None else digest(reply),
    )  # fmt: skip


def _end_intent(connection: sqlite3.Connection, key: bytes, now: float) -> tuple[float, int, int]:
    """Remove an intent: when it started, what it holds in reserve, what was counted for earlier attempts."""
    row = connection.execute(
        "delete from intents where key = ? returning started_at, nano_reserved, nano_counted", (key,)
    ).fetchone()
    return (now, 0, 0) if row is None else row


_LOST = Outcome(None, "lost", "the process ended while the call was in flight", None, None, None, 0, None, None)
