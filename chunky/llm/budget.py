"""Budgets that hold over a whole run and all its processes: reserve before the call, settle after.

The counters live in the ledger's file, so every process of a run sees the same ones, and each change is part of the
transaction that writes the call. A reservation is an upper bound; what the call did not use is given back.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from chunky.errors import SettingsError
from chunky.llm.prices import nano_of, usd

Room = Literal["yes", "later", "no"]
WHOLE_RUN = ""  # the role under which a run's total is counted

SCHEMA = """
create table if not exists budgets (
    run text not null, role text not null, limit_nano integer, spent_nano integer not null default 0,
    reserved_nano integer not null default 0, primary key (run, role)
) strict, without rowid;
"""


@dataclass(frozen=True)
class Budget:
    """Limits in dollars of one run, shared by all that name the same run; None and a role not named have no limit."""

    run: str
    max_usd: float | None = None
    role_usd: Mapping[str, float] = field(default_factory=dict)

    @property
    def is_limited(self) -> bool:
        """Whether there is any limit: without one, spending is only counted."""
        return any(limit is not None for limit in (self.max_usd, *self.role_usd.values()))

    def limits(self) -> dict[str, int | None]:
        """Role → limit in 1e-9 dollars; the whole run under the empty role. SettingsError for a limit below zero."""
        asked = {WHOLE_RUN: self.max_usd} | dict(self.role_usd)
        for role, limit in asked.items():
            if limit is not None and not 0 <= limit < float("inf"):
                raise SettingsError(f"{limit} is no limit of {role or 'a run'}", "give dollars, zero or more")
        return {role: None if limit is None else nano_of(limit) for role, limit in asked.items()}


class Spending(NamedTuple):
    """What a run has spent and holds in reserve, in dollars, for the whole run (role "") or one limited role."""

    role: str
    limit_usd: float | None
    spent_usd: float
    reserved_usd: float


def open_budget(connection: sqlite3.Connection, budget: Budget) -> None:
    """Put the run's limits into the file; SettingsError when another process gave the same run other limits."""
    wanted = budget.limits()
    held = dict(connection.execute("select role, limit_nano from budgets where run = ?", (budget.run,)).fetchall())
    if not held:
        connection.executemany(
            "insert into budgets (run, role, limit_nano) values (?, ?, ?)",
            [(budget.run, role, limit) for role, limit in wanted.items()],
        )
    elif held != wanted:
        raise SettingsError(
            f"run {budget.run!r} has other limits already",
            "use the same limits in all its processes, or name a new run",
        )


def reserve(connection: sqlite3.Connection, run: str, role: str, nano: int) -> Room:
    """Hold back `nano` for a call of `role`, inside the caller's transaction.

    "later": there is no room while other calls are in flight, but there may be when they settle; "no": what is spent
    leaves none.
    """
    rows = connection.execute(
        "select limit_nano, spent_nano, reserved_nano from budgets where run = ? and role in ('', ?)", (run, role)
    ).fetchall()
    limited = [row for row in rows if row[0] is not None]
    if any(spent + nano > limit for limit, spent, _ in limited):
        return "no"
    if any(spent + reserved + nano > limit for limit, spent, reserved in limited):
        return "later"
    connection.execute(
        "update budgets set reserved_nano = reserved_nano + ? where run = ? and role in ('', ?)", (nano, run, role)
    )
    return "yes"


def settle(connection: sqlite3.Connection, run: str, role: str, reserved: int, spent: int) -> None:
    """Give a reservation back and count what was spent instead, inside the caller's transaction."""
    connection.execute(
        "update budgets set reserved_nano = reserved_nano - ?, spent_nano = spent_nano + ?"
        " where run = ? and role in ('', ?)",
        (reserved, spent, run, role),
    )


def spending(connection: sqlite3.Connection, run: str) -> list[Spending]:
    """What the run has spent, the whole first."""
    rows = connection.execute(
        "select role, limit_nano, spent_nano, reserved_nano from budgets where run = ? order by role", (run,)
    )
    return [Spending(role, usd(limit), usd(spent) or 0.0, usd(held) or 0.0) for role, limit, spent, held in rows]
