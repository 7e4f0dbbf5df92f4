"""The ledger's file: its tables, and how it is opened."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from chunky.errors import LakeError
from chunky.llm import budget as budgets

VERSION = 1
_BUSY_SECONDS = 60

_SCHEMA = """
create table if not exists intents (
    key blob primary key, owner text not null, run text not null, role text not null, model text not null,
    prompt_version text not null, sample integer not null, started_at real not null,
    nano_reserved integer not null, nano_counted integer not null default 0
) strict, without rowid;
create table if not exists calls (
    call integer primary key, key blob not null, run text not null, role text not null, model text not null,
    prompt_version text not null, sample integer not null, started_at real not null,
    state text not null check (state in ('answered', 'failed', 'lost', 'cached', 'offline')),
    seconds real, attempts integer, input_tokens integer, output_tokens integer,
    nano_usd integer, nano_counted integer not null, error text, detail text, reply text, digest blob
) strict;
create table if not exists batches (
    batch text primary key, model text not null, driver text not null, rows integer not null, schema text,
    state text not null check (state in ('planned', 'submitting', 'open', 'done', 'untaken', 'gone')),
    submitted_at real, vendor_id text
) strict, without rowid;
create table if not exists batch_rows (
    batch text not null, key blob not null, max_tokens integer not null, primary key (batch, key)
) strict, without rowid;
create unique index if not exists answers on calls (key) where state = 'answered';
"""


def connect(path: Path | None) -> sqlite3.Connection:
    """Open or make the file; LakeError when it is no ledger of this version."""
    connection = sqlite3.connect(
        ":memory:" if path is None else path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute("pragma journal_mode = wal")
        # NORMAL: a killed process loses nothing; a power cut may lose the last commits, and those calls are paid again.
        connection.execute("pragma synchronous = normal")
        connection.execute("begin immediate")
        (version,) = connection.execute("pragma user_version").fetchone()
        if version not in (0, VERSION):
            raise LakeError(f"{path} is a ledger of version {version}, not {VERSION}", "upgrade chunky")
        for statement in (_SCHEMA + budgets.SCHEMA).split(";\n"):
            connection.execute(statement)
        connection.execute(f"pragma user_version = {VERSION:d}")
        connection.execute("commit")
    except sqlite3.DatabaseError as error:
        connection.close()
        raise LakeError(
            f"{path} cannot be used as a ledger: {error}", "move the file away; answers are paid again"
        ) from error
    except LakeError:
        connection.close()
        raise
    return connection
