"""What the ledger tells: its calls as Arrow, its sums, whether it is sound; and how it gets smaller."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from typing import NamedTuple

import pyarrow as pa

from chunky.llm.ledger import Ledger, digest
from chunky.llm.owners import BATCH
from chunky.llm.prices import NANO
from chunky.tables import TABLES

CALLS_SCHEMA = TABLES["llm.calls"].arrow_schema
_CALLS = f"""
select call, run, role, model, prompt_version, key, sample, started_at, seconds, attempts, input_tokens, output_tokens,
    nano_usd / {NANO}.0, nano_counted / {NANO}.0, state = 'cached', error, detail,
    case when state = 'failed' then reply end
from calls where run = ? or ? is null order by call
"""


class Sums(NamedTuple):
    """Calls of one role and model. Dollars: `usd` what is known, `counted_usd` what budgets count, unknown ones at
    their upper bound; both without what hits saved.
    """

    role: str
    model: str
    calls: int
    cached: int
    failed: int
    input_tokens: int
    output_tokens: int
    usd: float
    counted_usd: float
    seconds: float


class Cost(NamedTuple):
    """Calls of one run, role and model: what `chunky cost` tells.

    `usd` is what is known to have been spent, None where nothing is; `unpriced` calls were made at unknown cost.
    """

    run: str
    role: str
    model: str
    started_at: float
    calls: int
    cached: int
    failed: int
    input_tokens: int
    output_tokens: int
    usd: float | None
    unpriced: int
    counted_usd: float


def costs(ledger: Ledger) -> list[Cost]:
    """Costs by run, role and model, the oldest run first."""
    ledger.flush()
    rows = ledger.connection.execute(
        f"""
        select run, role, model, min(started_at), count(*), count(*) filter (where state = 'cached'),
            count(*) filter (where error is not null),
            coalesce(sum(input_tokens) filter (where state <> 'cached'), 0),
            coalesce(sum(output_tokens) filter (where state <> 'cached'), 0),
            case when count(*) = count(*) filter (where nano_usd is null) then null
                else sum(coalesce(nano_usd, 0)) / {NANO}.0 end,
            count(*) filter (where nano_usd is null),
            sum(nano_counted) / {NANO}.0
        from calls group by run, role, model order by min(min(started_at)) over (partition by run), run, role, model
        """
    )
    return [Cost(*row) for row in rows]


class Contents(NamedTuple):
    """What the ledger keeps of one model: answers, the characters of their text, and calls that are no answers."""

    model: str
    answers: int
    chars: int
    others: int
    oldest: float
    newest: float


def contents(ledger: Ledger) -> list[Contents]:
    """What is kept, by model, most answers first."""
    ledger.flush()
    rows = ledger.connection.execute(
        """
        select model, count(*) filter (where state = 'answered') as answers,
            coalesce(sum(length(reply)) filter (where state = 'answered'), 0),
            count(*) filter (where state <> 'answered'), min(started_at), max(started_at)
        from calls group by model order by answers desc, model
        """
    )
    return [Contents(*row) for row in rows]


def calls_reader(ledger: Ledger, run: str | None = None, batch_rows: int = 65_536) -> pa.RecordBatchReader:
    """All settled calls, or those of one run, in order of settling, as the columns of `CALLS_SCHEMA`.

    `call_id` is a signed 64-bit hash of the call's key, time and place in the ledger; `prompt_hash` the content address
    in hexadecimal; `reply` the text of a reply that is no answer. Memory is bounded by one batch.
    """
    ledger.flush()

    def batches() -> Iterator[pa.RecordBatch]:
        cursor = ledger.connection.execute(_CALLS, (run, run))
        while rows := cursor.fetchmany(batch_rows):
            columns = [list(column) for column in zip(*map(_row, rows), strict=True)]
            yield pa.record_batch(
                [pa.array(values, field.type) for values, field in zip(columns, CALLS_SCHEMA, strict=True)],
                schema=CALLS_SCHEMA,
            )

    return pa.RecordBatchReader.from_batches(CALLS_SCHEMA, batches())


def _row(row: tuple[int, str, str, str, str, bytes, int, float, *tuple[object, ...]]) -> tuple[object, ...]:
    call, run, role, model, version, key, sample, started, *rest = row
    told = b"%d %s %r" % (call, key, started)
    call_id = int.from_bytes(hashlib.blake2b(told, digest_size=8).digest(), signed=True)
    *rest, is_cached, error, detail, reply = rest
    micros = round(started * 1_000_000)
    return (call_id, run, role, model, version, key.hex(), sample, micros, *rest, bool(is_cached), error, detail, reply)


def state(ledger: Ledger) -> str:
    """What changes whenever the books do: number of calls, the last of them, how many are no answers."""
    ledger.flush()
    row = ledger.connection.execute(
        "select count(*), coalesce(max(call), 0), count(*) filter (where error is not null) from calls"
    ).fetchone()
    return "-".join(map(str, row))


class Usage(NamedTuple):
    """Mean tokens of the answers that a model has given in a role, as its server counted them, and of how many."""

    answers: int
    input_tokens: float
    output_tokens: float


def usage(ledger: Ledger, role: str, model: str) -> Usage | None:
    """Mean tokens of a role's answers by a model; None where there are none that were counted."""
    row = ledger.connection.execute(
        "select count(*), avg(input_tokens), avg(output_tokens) from calls where role = ? and model = ?"
        " and state = 'answered' and input_tokens is not null and output_tokens is not null",
        (role, model),
    ).fetchone()
    return Usage(*row) if row[0] else None


def stats(ledger: Ledger, run: str | None = None) -> list[Sums]:
    """Sums by role and model, the dearest first."""
    ledger.flush()
    rows = ledger.connection.execute(
        f"""
        select role, model, count(*), sum(state = 'cached'), sum(error is not null),
            sum(case when state = 'cached' then 0 else coalesce(input_tokens, 0) end),
            sum(case when state = 'cached' then 0 else coalesce(output_tokens, 0) end),
            sum(coalesce(nano_usd, 0)) / {NANO}.0, sum(nano_counted) / {NANO}.0, sum(coalesce(seconds, 0))
        from calls where run = ? or ? is null group by role, model order by sum(nano_counted) desc, role, model
        """,
        (run, run),
    )
    return [Sums(*row) for row in rows]


def prune(ledger: Ledger, *, before: float | None = None, model: str | None = None, keep_answers: bool = True) -> int:
    """Forget calls, and say how many: those before a time (seconds since 1970) and of a model, where given.

    Answers are kept unless asked for: forgetting one means to pay it again. What runs have spent is kept, whatever is
    forgotten.
    """
    ledger.flush()
    with ledger.transaction() as connection:
        gone = connection.execute(
            "delete from calls where (? is null or started_at < ?) and (? is null or model = ?)"
            " and not (? and state = 'answered')",
            (before, before, model, model, keep_answers),
        ).rowcount
    ledger.connection.execute("vacuum")
    return gone


def verify(ledger: Ledger) -> list[str]:
    """What is wrong with the ledger, one sentence each; an empty list when nothing is."""
    ledger.flush()
    connection = ledger.connection
    found = [f"SQLite: {told}" for (told,) in connection.execute("pragma integrity_check") if told != "ok"]
    for key, reply, check in connection.execute("select key, reply, digest from calls where state = 'answered'"):
        if reply is None or digest(reply) != check:
            found.append(f"the answer {key.hex()[:16]} is not what was written")
    return found + _sums_off(connection) + _stray_intents(connection)


def _sums_off(connection: sqlite3.Connection) -> list[str]:
    """Budgets whose reserve differs from their open intents. (What is spent outlives pruned calls.)"""
    rows = connection.execute(
        """
        select run, role from budgets where reserved_nano <> coalesce((
            select sum(nano_reserved) from intents
            where intents.run = budgets.run and budgets.role in ('', intents.role)), 0)
        """
    )
    return [f"the reserve of run {run!r}, role {role!r} is not that of its open calls" for run, role in rows]


def _stray_intents(connection: sqlite3.Connection) -> list[str]:
    """Calls said to be in a batch that is not open: nobody would ever settle them."""
    rows = connection.execute(
        """
        select owner, count(*) from intents where owner glob ? and not exists (
            select * from batches
            where ? || batch = intents.owner and state in ('planned', 'submitting', 'open'))
        group by owner
        """,
        (f"{BATCH}*", BATCH),
    )
    return [f"{count} open calls are in {owner}, which is not open" for owner, count in rows]
