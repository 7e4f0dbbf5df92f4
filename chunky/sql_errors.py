"""DuckDB's errors told to people: what is wrong in one or two lines, the nearest names, and what to do next."""

from __future__ import annotations

import re
from difflib import get_close_matches

import duckdb

from chunky.errors import QueryError
from chunky.tables import COLUMNS, TABLES

_MISSING_TABLE = re.compile(r"Table with name (.+?) does not exist", re.DOTALL)
_MISSING_COLUMN = re.compile(r'(?:Referenced column|does not have a column(?: named)?) "(.+?)"')
_MISSING_FUNCTION = re.compile(r"Function with name (.+?) does not exist")
_LINE = re.compile(r"^LINE \d+: .*\n\s*\^", re.MULTILINE)
_MAX_PROBLEM = 600


def explained(error: Exception, sql: str, memory_limit: str = "") -> QueryError:
    """QueryError for what DuckDB said about `sql`; between two Arrow batches it says so in an OSError."""
    text = str(error)
    if (
        isinstance(error, MemoryError | duckdb.OutOfMemoryException)
        or "bad alloc" in text
        or "Out of Memory Error" in text
    ):
        return QueryError(
            f"the question needs more memory than the {memory_limit} it is allowed",
            "narrow it (fewer columns, filter first), or allow more: --set sql.memory_limit=8GB",
        )
    if isinstance(error, duckdb.PermissionException) or text.startswith("Permission Error"):
        return path_refused("")
    return QueryError(_problem(text), _remedy(text, sql))


def path_refused(path: str) -> QueryError:
    """QueryError for a question that names a file, folder or address."""
    named = f" ({path})" if path else ""
    return QueryError(
        f"a question reads the lake's tables alone, no other file, folder or address{named}",
        "bring data in with: chunky ingest PATH…; the tables are: chunky tables",
    )


def _problem(text: str) -> str:
    """DuckDB's own words up to its suggestions, with the line that it points at."""
    kind_and_words = text.split("\n\n")[0].split("\nCandidate")[0].split("\nDid you mean")[0]
    words = re.sub(r"^[A-Za-z ]+ Error: ", "", kind_and_words).strip()
    place = _LINE.search(text)
    return words[:_MAX_PROBLEM] + (f"\n{place.group()}" if place else "")


def _remedy(text: str, sql: str) -> str:
    missing = _MISSING_TABLE.search(text)
    if missing:
        return f"{_nearest_tables(missing[1], sql)}all tables: chunky tables"
    missing = _MISSING_COLUMN.search(text)
    if missing:
        return f"{_nearest_columns(missing[1], sql)}the columns of a table: chunky tables NAME"
    missing = _MISSING_FUNCTION.search(text)
    if missing:
        hint = re.search(r'Did you mean "(.+?)"', text)
        near = f"did you mean {hint[1].removeprefix('main.')}? " if hint else ""
        return f"{near}functions of the lake: docs/macros.md or select * from duckdb_functions() where not internal"
    if "syntax error" in text:
        return "correct the statement; ready questions to start from: chunky questions"
    return "correct the question; the columns of a table and their types: chunky tables NAME"


def _nearest_tables(name: str, sql: str) -> str:
    """Names of the catalog near `name`, which DuckDB gives without its schema."""
    qualified = re.search(rf"(\w+)\s*\.\s*\"?{re.escape(name)}\b", sql)
    wanted = f"{qualified[1]}.{name}" if qualified else name
    short = {entry.short_name: entry.name for entry in TABLES.values()}
    near = get_close_matches(wanted, TABLES, n=3, cutoff=0.5)
    near += [short[found] for found in get_close_matches(name, short, n=2, cutoff=0.6)]
    return f"did you mean {', '.join(dict.fromkeys(near))}? " if near else ""


def _nearest_columns(name: str, sql: str) -> str:
    """Columns near `name`: those of the tables that the question names first."""
    named = [entry for entry in TABLES.values() if re.search(rf"\b{re.escape(entry.name)}\b", sql)]
    pool = {column for entry in named for column in entry.column_names} or set(COLUMNS)
    near = get_close_matches(name, sorted(pool), n=3, cutoff=0.5)
    near += [column for column in sorted(pool) if name.lower() in column and column not in near][:2]
    return f"did you mean {', '.join(near[:3])}? " if near else ""
