"""Batches in the ledger: written before they are sent, kept when the process dies, taken up by the next.

States: *planned* (rows claimed, nothing sent), *submitting* (the vendor may have it), *open* (the vendor's name is
known), *done* (every row settled or given back); *untaken* (the vendor never listed it), *gone* (its results are no
longer there). The driver is the owner of the process that looks after it, empty when nobody does.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from secrets import token_hex
from typing import Literal, NamedTuple

from chunky.llm import budget as budgets
from chunky.llm.ledger import Call, Claim, Ledger, Outcome, write_ended
from chunky.llm.owners import BATCH
from chunky.llm.prices import usd

State = Literal["planned", "submitting", "open", "done", "untaken", "gone"]
Ending = Literal["done", "untaken", "gone"]
_OPEN = "('planned', 'submitting', 'open')"


class Wish(NamedTuple):
    """A call to be part of a batch; `bound`, the most it can cost, in 1e-9 dollars."""

    call: Call
    bound: int
    max_tokens: int


@dataclass(frozen=True)
class Kept:
    """A batch as the ledger knows it; `schema` is the JSON schema of all its replies, as text."""

    batch: str
    rows: int
    schema: str | None
    state: State
    submitted_at: float | None
    vendor_id: str | None


class Claimed(NamedTuple):
    """What a row holds: its limit of tokens, and the most it can cost in 1e-9 dollars."""

    max_tokens: int
    bound: int


class Plan(NamedTuple):
    """A batch of the calls that could be claimed (None when none could), and what became of each wish."""

    batch: Kept | None
    claims: list[Claim]


_COLUMNS = "batch, rows, schema, state, submitted_at, vendor_id"


class BatchBooks:
    """The batches of one model in a ledger."""

    def __init__(self, ledger: Ledger, model: str) -> None:
        self.ledger = ledger
        self._model = model

    def plan(self, wishes: Sequence[Wish], schema: str | None) -> Plan:
        """Claim what can be claimed for a new batch, in one commit. Nothing is sent before it is written here."""
        batch = "c" + token_hex(8)
        with self.ledger.transaction() as connection:
            claims = [self.ledger.claim_in(connection, wish.call, wish.bound, BATCH + batch) for wish in wishes]
            mine = [wish for wish, claim in zip(wishes, claims, strict=True) if claim.state == "mine"]
            if not mine:
                return Plan(None, claims)
            connection.execute(
                "insert into batches (batch, model, driver, rows, schema, state) values (?, ?, ?, ?, ?, 'planned')",
                (batch, self._model, self.ledger.owner, len(mine), schema),
            )
            connection.executemany(
                "insert into batch_rows (batch, key, max_tokens) values (?, ?, ?)",
                [(batch, wish.call.key, wish.max_tokens) for wish in mine],
            )
        return Plan(Kept(batch, len(mine), schema, "planned", None, None), claims)

    def submitting(self, batch: str, now: float) -> None:
        """Write that the batch is about to be sent; `now` in seconds since 1970."""
        self._set("state = 'submitting', submitted_at = ?", batch, now)

    def opened(self, batch: str, vendor_id: str) -> None:
        """Write the vendor's name of the batch."""
        self._set("state = 'open', vendor_id = ?", batch, vendor_id)

    def leave(self, batch: str) -> None:
        """Write that nobody looks after the batch any more."""
        self._set("driver = ?", batch, "")

    def _set(self, what: Literal["state = 'submitting', submitted_at = ?", "state = 'open', vendor_id = ?",
             "driver = ?"], batch: str, value: float | str) -> None:  # fmt: skip
        with self.ledger.transaction() as connection:
            connection.execute(f"update batches set {what} where batch = ?", (value, batch))

    def take_up(self, but: Collection[str]) -> list[Kept]:
        """Become the driver of all batches of the model that nobody looks after, but for those."""
        with self.ledger.transaction() as connection:
            rows = connection.execute(
                f"select {_COLUMNS} from batches where model = ? and state in {_OPEN} order by submitted_at, batch",
                (self._model,),
            ).fetchall()
            found = [Kept(*row) for row in rows if row[0] not in but and not self.ledger.is_alive(BATCH + row[0])]
            connection.executemany(
                "update batches set driver = ? where batch = ?", [(self.ledger.owner, kept.batch) for kept in found]
            )
        return found

    def rows(self, batch: str) -> dict[bytes, Claimed]:
        """Rows that are neither settled nor given back, by content address."""
        with self.ledger.transaction() as connection:
            found = connection.execute(
                "select key, max_tokens, nano_reserved from batch_rows join intents using (key)"
                " where batch = ? and owner = ?",
                (batch, BATCH + batch),
            )
            return {key: Claimed(tokens, bound) for key, tokens, bound in found}

    def order(self, batch: str) -> list[bytes]:
        """Content addresses of all rows, in the order in which they were sent."""
        with self.ledger.transaction() as connection:
            found = connection.execute("select key from batch_rows where batch = ? order by key", (batch,))
            return [key for (key,) in found]

    def others(self, batch: str) -> frozenset[str]:
        """The vendor's names of all batches in the ledger but this one."""
        with self.ledger.transaction() as connection:
            found = connection.execute(
                "select vendor_id from batches where batch <> ? and vendor_id is not null", (batch,)
            )
            return frozenset(name for (name,) in found)

    def settle(self, batch: str, outcomes: Mapping[bytes, Outcome]) -> None:
        """Write how rows ended, in one commit; a row that is settled already is left alone."""
        with self.ledger.transaction() as connection:
            for key, outcome in outcomes.items():
                ended = _end(connection, batch, key, outcome.nano_counted)
                if ended is not None:
                    write_ended(connection, ended.call, ended.started, outcome, ended.counted)

    def give_back(self, batch: str, keys: Iterable[bytes]) -> None:
        """Free rows that cost nothing: anybody may ask for them again."""
        with self.ledger.transaction() as connection:
            for key in keys:
                _end(connection, batch, key, 0)

    def finish(self, batch: str, state: Ending) -> None:
        """End a batch: rows that are still open are given back. One that was only planned leaves no trace."""
        self.give_back(batch, self.rows(batch))
        with self.ledger.transaction() as connection:
            connection.execute("delete from batch_rows where batch = ?", (batch,))
            connection.execute("delete from batches where batch = ? and state = 'planned'", (batch,))
            connection.execute("update batches set state = ?, driver = '' where batch = ?", (state, batch))


class OpenBatch(NamedTuple):
    """A batch in flight: when it was sent (seconds since 1970, None for not yet), rows that are not settled and the
    dollars that they hold in reserve, and whether a process looks after it.
    """

    model: str
    vendor_id: str | None
    submitted_at: float | None
    rows: int
    reserved_usd: float
    is_driven: bool


def open_batches(ledger: Ledger) -> list[OpenBatch]:
    """Batches that the vendors have, or may have, the oldest first."""
    with ledger.transaction() as connection:
        rows = connection.execute(
            f"""
            select batch, batches.model, vendor_id, submitted_at, count(intents.key), coalesce(sum(nano_reserved), 0)
            from batches left join batch_rows using (batch)
            left join intents on intents.key = batch_rows.key and owner = ? || batch
            where state in {_OPEN} group by batch, batches.model, vendor_id, submitted_at order by submitted_at, batch
            """,
            (BATCH,),
        ).fetchall()
        return [
            OpenBatch(model, vendor_id, submitted, count, usd(nano) or 0.0, ledger.is_alive(BATCH + batch))
            for batch, model, vendor_id, submitted, count, nano in rows
        ]


class _Ended(NamedTuple):
    call: Call
    started: float
    counted: int


def _end(connection: sqlite3.Connection, batch: str, key: bytes, counted: int) -> _Ended | None:
    """Remove an intent of the batch and move its reserve to what was spent, in the books of the run that claimed it."""
    row = connection.execute(
        "delete from intents where key = ? and owner = ? returning run, role, model, prompt_version, sample,"
        " started_at, nano_reserved, nano_counted",
        (key, BATCH + batch),
    ).fetchone()
    if row is None:
        return None
    run, role, model, version, sample, started, reserved, before = row
    budgets.settle(connection, run, role, reserved, counted)
    return _Ended(Call(key, role, model, version, sample, run), started, before)
