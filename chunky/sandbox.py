"""Questions in SQL from people, hardened: one reading statement over the lake's current files, and nothing else.

DuckDB alone does not keep a question harmless. Measured on 2.0: with external access off, `allowed_paths` still lets
`with x as (copy … to 'FILE') select 1` overwrite an allowed file, and both that and `explain analyze copy …` count as
reading statements. So there are two independent walls:

- the question's syntax tree is read before anything is bound: selects only, table functions only from a list;
- the session can open the lake's current files alone: no other file, folder, address, extension, Python variable or
  spill folder (`temp_directory` would join the allowed folders), and its configuration is locked.

Time is bounded by interrupting the thread that asks; memory by DuckDB's limit and, on the command line, by a cap on
the process's address space.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from chunky.errors import ChunkyError, QueryError
from chunky.lens import Lens, define
from chunky.settings import Settings
from chunky.sql_errors import explained, path_refused
from chunky.tables import TABLES
from chunky.warehouse import Key, Part, Warehouse

if TYPE_CHECKING:
    import pyarrow as pa

MAX_SQL_CHARS = 1_000_000
_BATCH_ROWS = 2_048
_INTERRUPT_SECONDS = 0.1
_COUNT_SECONDS = 2.0  # how long rows beyond the cap are counted before the total is given up

_INGESTED = ("corpus.files", "corpus.rows", "corpus.quarantine", "corpus.conversations")  # all others are built

_READING_NODES = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"})
_TABLE_FUNCTIONS = frozenset({
    "duckdb_columns", "duckdb_functions", "duckdb_keywords", "duckdb_schemas", "duckdb_tables", "duckdb_types",
    "duckdb_views", "generate_series", "json_each", "json_tree", "pragma_table_info", "pragma_version", "range",
    "repeat", "repeat_row", "unnest",
})  # fmt: skip
_EXPLAIN = re.compile(r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/)*(explain(?:\s+analyze)?)\b", re.IGNORECASE | re.DOTALL)
_LOOKS_LIKE_A_FILE = re.compile(r"[/\\*?:\[]|\.(parquet|[ct]sv|(nd)?jsonl?|txt|db|duckdb|gz|zst)$", re.IGNORECASE)


@dataclass(frozen=True)
class Answer:
    """Rows of a question (at most the cap), how many there are in all, and what a reader should know.

    `total` is null when counting the rest took too long; `notes` name tables that are empty and who fills them.
    """

    table: pa.Table
    total: int | None
    seconds: float
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Reading:
    """A question that only reads: the SQL to run, and its relations and table functions in lower case."""

    sql: str
    relations: frozenset[str]
    functions: frozenset[str]


class _Snapshot(Warehouse):
    """The lake as it was when first asked: views and allowed paths must name the same files while others write."""

    def __init__(self, lake: Warehouse) -> None:
        super().__init__(lake.root, lake.lock_seconds)
        self._seen: dict[str, dict[Key, Part]] = {}

    def parts(self, name: str) -> dict[Key, Part]:
        if name not in self._seen:
            self._seen[name] = super().parts(name)
        return self._seen[name]


class Sandbox(Lens):
    """A lens for questions that nobody has reviewed. Session variables are set with `set`, as in any lens."""

    def __init__(self, lake: Warehouse, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.lake = _Snapshot(lake)
        self.connection = duckdb.connect(":memory:", config=_config(self.settings))
        try:
            define(self.connection, self.lake)
            self._lock()
        except duckdb.Error as error:
            self.connection.close()
            raise explained(error, "") from error
        self._macros = self._own_macros()

    def __enter__(self) -> Sandbox:
        return self

    def _lock(self) -> None:
        # not the tables of vectors: they come in through this process, DuckDB opens no file of theirs
        names = [entry.name for entry in TABLES.values() if not entry.is_view and entry.storage == "parquet"]
        files = [str(file.absolute()) for name in names for file in self.lake.files(name)]
        self.connection.execute("set temp_directory = ''")
        # in some hosts the bar is on and, after two seconds, drawn into stdout among the rows
        self.connection.execute("set enable_progress_bar = false")
        self.connection.execute("set allowed_paths = ?", [files])
        self.connection.execute("set enable_external_access = false")
        self.connection.execute("set lock_configuration = true")

    def _own_macros(self) -> dict[str, str]:
        rows = self.connection.execute(
            "select schema_name || '.' || function_name, macro_definition from duckdb_functions() "
            "where not internal and function_type = 'table_macro'"
        ).fetchall()
        return {str(name).lower(): str(definition).replace('"', "") for name, definition in rows}

    def ask(self, sql: str, rows: int | None = None) -> Answer:
        """Answer one question; at most `rows` rows come back (default: setting `sql.row_cap`; 0 = all).

        QueryError when it is no single reading statement, fails, takes too long or too much memory.
        """
        started = time.monotonic()
        cap = self.settings.sql.row_cap if rows is None else rows
        reading = self._checked(sql)
        table, total = self._within_limits(reading.sql, cap)
        return Answer(table, total, time.monotonic() - started, self._notes(reading))

    # the first wall: what the statement is -------------------------------------------------------------------------

    def _checked(self, sql: str) -> _Reading:
        """What a reading statement reads; QueryError for anything else."""
        if len(sql) > MAX_SQL_CHARS:
            raise QueryError(f"the question has {len(sql):,} characters", f"keep it under {MAX_SQL_CHARS:,}")
        if "\0" in sql:
            raise QueryError("the question holds a NUL character", "take it out")
        try:
            statements = self.connection.extract_statements(sql)
        except duckdb.Error as error:
            raise explained(error, sql) from error
        if not statements:
            raise QueryError("there is no statement", 'write one, e.g. chunky sql "select * from corpus.chunks"')
        if len(statements) > 1:
            raise QueryError(f"there are {len(statements)} statements", "ask one question at a time")
        kind = statements[0].type
        if kind == duckdb.StatementType.EXPLAIN:
            prefix = _EXPLAIN.match(sql)
            if prefix is None:
                raise _refused("this form of explain")
            # put together again, so that what runs is what was read, however comments may nest
            return self._checked_select(sql[prefix.end() :], prefix[1])
        if kind == duckdb.StatementType.MULTI:
            raise QueryError("this pivot is several statements", "name its values: pivot … on x in ('a', 'b') using …")
        if kind != duckdb.StatementType.SELECT:
            raise _refused(f"a statement of type {kind.name}")
        return self._checked_select(sql)

    def _checked_select(self, sql: str, prefix: str = "") -> _Reading:
        text = self.connection.execute("select json_serialize_sql(?::varchar)", [sql]).fetchall()[0][0]
        try:
            tree = json.loads(str(text))
        except RecursionError:
            raise QueryError("the question is nested too deeply", "split it into CTEs") from None
        if tree["error"] or len(tree["statements"]) != 1:
            raise _refused("what stands after explain" if prefix else "this")
        reading = _read_tree(f"{prefix} {sql}", tree)
        for name in sorted(reading.functions - self._macros.keys() - _TABLE_FUNCTIONS):
            near = ", ".join(sorted(self._macros))
            raise QueryError(f"the table function {name}() is not open to questions", f"the lake's own are: {near}")
        return reading

    # running ----------------------------------------------------------------------------------------------------------

    def _fetch(self, sql: str, cap: int) -> tuple[pa.Table, int | None]:
        import pyarrow as pa

        kept: list[pa.RecordBatch] = []
        seen, deadline = 0, None
        with self.connection.sql(sql).to_arrow_reader(_BATCH_ROWS) as reader:  # an open result blocks the session
            for batch in reader:
                if cap == 0 or seen < cap:
                    kept.append(batch if cap == 0 else batch.slice(0, cap - seen))
                seen += batch.num_rows
                if cap and seen > cap:
                    deadline = deadline or time.monotonic() + _COUNT_SECONDS
                    if time.monotonic() > deadline:
                        return pa.Table.from_batches(kept, reader.schema), None
            return pa.Table.from_batches(kept, reader.schema), seen

    def _within_limits(self, sql: str, cap: int) -> tuple[pa.Table, int | None]:
        """Fetch in a thread, so that time and Ctrl-C end it: DuckDB hears no signal while it works."""
        import pyarrow as pa

        limit = self.settings.sql.timeout_seconds
        with ThreadPoolExecutor(1) as pool:
            work = pool.submit(self._fetch, sql, cap)
            try:
                return work.result(limit)
            except TimeoutError:
                self._stop(work)
                raise QueryError(
                    f"the question was stopped after {limit:g} seconds",
                    f"narrow it, or allow more time: --set sql.timeout_seconds={limit * 10:g}",
                ) from None
            except KeyboardInterrupt:
                self._stop(work)
                raise
            except (duckdb.Error, pa.ArrowException, OSError, MemoryError) as error:  # the last three: between batches
                raise explained(error, sql, self.settings.sql.memory_limit) from error

    def _stop(self, work: Future[Any]) -> None:
        """Interrupt until it ends: an interrupt that arrives between two batches is forgotten."""
        while not wait([work], _INTERRUPT_SECONDS).done:
            self.connection.interrupt()

    def _notes(self, reading: _Reading) -> tuple[str, ...]:
        """For every table of the catalog that the question reads and that is empty: what fills it."""
        text = " ".join([*reading.relations, *(self._macros.get(name, "") for name in reading.functions)])
        named = {name for name in TABLES if re.search(rf"\b{re.escape(name)}\b", text)}
        if "corpus.conversations" in named:
            named = named - {"corpus.conversations"} | {"corpus.rows"}
        if not self.lake.rows("corpus.rows") and named:
            return (f"the lake {self.lake.root} holds no corpus rows; take some in with: chunky ingest PATH…",)
        return tuple(
            f"{name} is not built yet; build it with: chunky build"
            for name in TABLES
            if name in named and name not in _INGESTED and not self.lake.parts(name)
        )


def _config(settings: Settings) -> dict[str, str | bool | int | float | list[str]]:
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": settings.sql.memory_limit,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "allow_community_extensions": False,
        "python_enable_replacements": False,
    }
    return config | ({"threads": settings.engine.threads} if settings.engine.threads else {})


def _refused(what: str) -> QueryError:
    return QueryError(
        f"{what} is not a reading statement",
        "write one select, describe, show, summarize or explain; for a file of your own: chunky export duckdb FILE",
    )


def _read_tree(sql: str, tree: Any) -> _Reading:
    """Walk the syntax tree of `json_serialize_sql`; QueryError at the first node that is no reading one."""
    relations: set[str] = set()
    functions: set[str] = set()
    waiting: list[Any] = [tree]
    while waiting:  # a loop, as trees are as deep as whoever asks likes
        node = waiting.pop()
        if isinstance(node, list):
            waiting.extend(node)
        if not isinstance(node, dict):
            continue
        kind = node.get("type")
        if isinstance(kind, str) and kind.endswith("_NODE") and kind not in _READING_NODES:
            raise _refused(kind.removesuffix("_QUERY_NODE").removesuffix("_NODE").lower().replace("_", " "))
        if kind == "BASE_TABLE":
            if not node.get("schema_name") and _LOOKS_LIKE_A_FILE.search(node["table_name"]):
                raise path_refused(node["table_name"])
            relations.add(_qualified(node.get("schema_name"), node["table_name"]))
        if kind == "TABLE_FUNCTION":
            function = node["function"]
            functions.add(_qualified(function.get("schema"), function["function_name"]))
        waiting.extend(node.values())
    return _Reading(sql, frozenset(relations), frozenset(functions))


def _qualified(schema: str | None, name: str) -> str:
    return (f"{schema}.{name}" if schema else name).lower()


@contextmanager
def bounded_memory(limit: str) -> Iterator[None]:
    """Cap this process's address space at what it has now plus twice `limit` (a DuckDB size, e.g. `2GB`).

    Some functions build a value outside DuckDB's own accounting and hear no interrupt meanwhile: under a limit of
    500 MB `repeat('a', 4000000000)` took 7.7 GB and 30 s after the interrupt; with the cap it fails at once. For
    processes that exist for one question; a no-op where the system has no such limit.
    """
    try:
        import resource

        used = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    except (ImportError, OSError):
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = used + 2 * size_in_bytes(limit)
    ceiling = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_AS, (ceiling, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def size_in_bytes(text: str) -> int:
    """Bytes of a DuckDB size such as `512MB` or `1.5 GiB`."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s?([KMGT])(i?)B", text)
    if match is None:
        raise QueryError(f"{text!r} is no size", "write e.g. 2GB")
    base = 1024 if match[3] else 1000
    return int(float(match[1]) * base ** ("KMGT".index(match[2]) + 1))


def value_of(text: str) -> Any:
    """A parameter's value as people type it: JSON where it is JSON (`3`, `true`, `null`, `["a"]`), else the text."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return text if isinstance(value, dict) else value


def with_parameters(sandbox: Sandbox, parameters: Mapping[str, Any]) -> None:
    """Set session variables for a question; QueryError names the one that cannot be bound."""
    for name, value in parameters.items():
        try:
            sandbox.set({name: value})
        except (duckdb.Error, ChunkyError) as error:
            raise QueryError(f"the parameter {name!r} cannot be set: {error}", "write --param name=value") from error
