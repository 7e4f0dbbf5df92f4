"""The lens: an in-memory DuckDB session over the lake's current files.

One schema per stage, one view per table of the catalog (an absent table is an empty view), comments from the catalog,
and the macros of `sql/macros/`. No DuckDB file holds a fact; closing the session loses nothing. The views name the
files that were current when the session opened, so one session sees one state of each table.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow.parquet as pq

from chunky.errors import LakeError
from chunky.files import sql_folder, sql_text
from chunky.fingerprints import contract_digest
from chunky.lance_tables import VectorScan
from chunky.settings import Settings
from chunky.stages import BY_TABLE
from chunky.tables import COLUMNS, TABLES, VECTOR, Table
from chunky.warehouse import DIMENSIONS, Warehouse

if TYPE_CHECKING:
    import pyarrow as pa

_NAME = re.compile(r"[a-z_][a-z0-9_]*")
_DUCKDB_TYPES = {
    "string": "varchar",
    "int64": "bigint",
    "int32": "integer",
    "double": "double",
    "float": "float",
    "bool": "boolean",
    "timestamp[us]": "timestamp",
}


class Lens:
    """A DuckDB session over `lake`; use as a context manager or call `close`."""

    def __init__(self, lake: Warehouse, settings: Settings | None = None) -> None:
        self.lake = lake
        self.settings = settings or Settings()
        self.connection = duckdb.connect(":memory:", config=_config(lake, self.settings))
        self.connection.execute("set enable_progress_bar = false")  # it goes to stdout, where results are
        define(self.connection, lake)

    def __enter__(self) -> Lens:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the session."""
        self.connection.close()

    def set(self, parameters: Mapping[str, Any]) -> None:
        """Set session variables, readable in SQL as `getvariable('name')`; values are bound, never pasted."""
        for name, value in parameters.items():
            if not _NAME.fullmatch(name):
                raise LakeError(f"{name!r} is no parameter name", "use lower-case letters, digits and underscores")
            self.connection.execute(f"set variable {name} = ?", [value])

    def table(self, sql: str, parameters: list[Any] | dict[str, Any] | None = None) -> pa.Table:
        """All rows of a query as an Arrow table; parameters by place (`?`) or by name (`$name`)."""
        found: pa.Table = self.connection.sql(sql, params=parameters or []).to_arrow_table()
        return found

    def batches(self, sql: str, parameters: list[Any] | None = None, rows: int = 100_000) -> Iterator[pa.RecordBatch]:
        """Rows of a query as a stream of Arrow batches of at most `rows`; memory stays bounded.

        One stream at a time: DuckDB refuses another query until this one is read to its end or closed.
        """
        yield from self.connection.sql(sql, params=parameters or []).to_arrow_reader(rows)

    def model(self, name: str, **parameters: Any) -> Iterator[pa.RecordBatch]:
        """Run the SQL model of table `name` (`sql/<schema>/<table>.sql`) with bound parameters, as a stream."""
        self.set(parameters)
        yield from self.connection.sql(sql_text(name)).to_arrow_reader(100_000)

    def narrow(self, audits: Collection[str]) -> None:
        """See only these audits in the tables that are cut by audit."""
        for entry in TABLES.values():
            if entry.partition in ("audit", "seed"):
                self.connection.execute(_view(entry, self.lake, None, audits))

    def keep(self, name: str, sql: str) -> None:
        """Hold the answer to a query in memory, as a table of this name, until the session ends."""
        if not _NAME.fullmatch(name):
            raise LakeError(f"{name!r} is no table name", "use lower-case letters, digits and underscores")
        self.connection.execute(f"create or replace temp table {name} as {sql}")

    @contextmanager
    def registered(self, **frames: Any) -> Iterator[None]:
        """Make Arrow tables or polars frames visible to SQL under the given names for the length of the block."""
        for name, frame in frames.items():
            self.connection.register(name, frame)
        try:
            yield
        finally:
            for name in frames:
                self.connection.unregister(name)


def _config(lake: Warehouse, settings: Settings) -> dict[str, str | bool | int | float | list[str]]:
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": settings.engine.memory_limit,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "preserve_insertion_order": False,
        "temp_directory": str(lake.root / ".spill"),
    }
    return config | ({"threads": settings.engine.threads} if settings.engine.threads else {})


def literal(text: str) -> str:
    """`text` as a SQL string literal. For file paths in view definitions, which cannot be bound; not for values."""
    if "\0" in text:
        raise LakeError("a path holds a NUL character", "rename the lake folder")
    return "'" + text.replace("'", "''") + "'"


def define(
    connection: duckdb.DuckDBPyConnection, lake: Warehouse, base: Path | None = None, has_vectors: bool = True
) -> None:
    """Create schemas, views, comments and macros in `connection`.

    `base` rewrites file paths to be relative to another folder (for an exported catalog that moves with its lake).
    `has_vectors` is False for a catalog that outlives this process: DuckDB by itself cannot read Lance, so the tables
    of vectors are left out.
    """
    if base is not None:  # DuckDB opens the files when a view is made; the setting is the session's, not the view's
        connection.execute("set file_search_path = ?", [str(base)])
    for schema in (*dict.fromkeys(entry.schema_name for entry in TABLES.values()), "stats"):
        connection.execute(f'create schema if not exists "{schema}"')
    entries = [entry for entry in TABLES.values() if has_vectors or entry.storage != "lance"]
    for entry in entries:
        if entry.storage == "lance" and lake.parts(entry.name):
            connection.execute(_vector_view(connection, entry, lake))
        elif not entry.is_view:
            connection.execute(_view(entry, lake, base))
    for entry in entries:
        if entry.is_view:
            connection.execute(
                f'create or replace view "{entry.schema_name}"."{entry.short_name}" as {sql_text(entry.name)}'
            )
        _comment(connection, entry)
    for statement in macro_statements(has_vectors):
        connection.execute(statement)


def _view(entry: Table, lake: Warehouse, base: Path | None, keys: Collection[str] | None = None) -> str:
    """The view over the current files of a table; with `keys` over the partitions whose key begins with one of them."""
    name = f'"{entry.schema_name}"."{entry.short_name}"'
    parts = [part for key, part in sorted(lake.parts(entry.name).items()) if keys is None or key[0] in keys]
    current = [lake.root / part.file for part in parts]
    if lost := [file for file in current if not file.is_file()]:
        raise LakeError(
            f"{entry.name}: the file {lost[0]} is gone", "open the lake again; if it stays so, build the table again"
        )
    files = [file.relative_to(base) if base else file.absolute() for file in current]
    if not files:
        empty = ", ".join(f'null::{duckdb_type(COLUMNS[name].type)} as "{name}"' for name in entry.column_names)
        return f"create or replace view {name} as select {empty} where false"
    paths = ", ".join(literal(str(file)) for file in files)
    held = _columns_held(entry, lake)
    columns = ", ".join(
        f'"{column}"' if column in held else f'null::{duckdb_type(COLUMNS[column].type)} as "{column}"'
        for column in entry.column_names
    )
    options = "hive_partitioning = false, union_by_name = true"
    return f"create or replace view {name} as select {columns} from read_parquet([{paths}], {options})"


def _vector_view(connection: duckdb.DuckDBPyConnection, entry: Table, lake: Warehouse) -> str:
    """The view over the pinned version of a Lance table, which comes in as an Arrow dataset of this process."""
    source = lake.vectors(entry.name)
    if not source.exists:
        raise LakeError(f"{entry.name}: the folder {source.path} is gone", "build the table again: chunky build")
    (part,) = lake.parts(entry.name).values()
    registered = f"_lance_{entry.schema_name}_{entry.short_name}"
    connection.register(registered, VectorScan(source, int(part.provenance[DIMENSIONS])))
    columns = ", ".join(f'"{name}"::{duckdb_type(COLUMNS[name].type)} as "{name}"' for name in entry.column_names)
    return f'create or replace view "{entry.schema_name}"."{entry.short_name}" as select {columns} from {registered}'


def _columns_held(entry: Table, lake: Warehouse) -> frozenset[str]:
    """Columns that the current files have; files of an older contract lack some, which then read as null."""
    contract = contract_digest(BY_TABLE[entry.name].tables)
    older = [part.file for part in lake.parts(entry.name).values() if part.provenance.get("contract") != contract]
    if len(older) < len(lake.parts(entry.name)):
        return frozenset(entry.column_names)
    return frozenset(column for file in older for column in pq.read_schema(lake.root / file).names)


def duckdb_type(text: str) -> str:
    """DuckDB's name of a catalog type."""
    if text == VECTOR:
        return "float[]"
    if text.startswith("list<"):
        return f"{duckdb_type(text[5:-1])}[]"
    return _DUCKDB_TYPES[text]


def _comment(connection: duckdb.DuckDBPyConnection, entry: Table) -> None:
    name = f'"{entry.schema_name}"."{entry.short_name}"'
    connection.execute(f"comment on view {name} is {literal('one row: ' + entry.grain)}")
    for column in entry.column_names:
        connection.execute(f'comment on column {name}."{column}" is {literal(COLUMNS[column].meaning)}')


def macro_statements(has_vectors: bool = True) -> list[str]:
    """Every macro of `sql/macros/`, in path order but `stats` first, on which the others build; without assertions.

    DuckDB looks up the tables of a macro when it is made: those of `embeddings` are left out where vectors are.
    """
    folder = sql_folder() / "macros"
    paths = sorted(folder.rglob("*.sql"), key=lambda path: (path.parent.name != "stats", path))
    return [macro_parts(path)[0] for path in paths if has_vectors or path.parent.name != "embeddings"]


def macro_parts(path: Path) -> tuple[str, str]:
    """The definition in a macro file and its assertions, split at the line `-- tests`."""
    definition, _, tests = path.read_text(encoding="utf-8").partition("\n-- tests\n")
    return definition, tests
