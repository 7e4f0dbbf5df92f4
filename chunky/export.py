"""An exported catalog: a DuckDB file of views over the lake's files, for a DuckDB shell, a notebook or a BI tool.

It holds no fact (schemas, views, macros and comments alone) and can be deleted at any time. It names the files that are
current now; after a rebuild export it again. Tables of vectors are left out: DuckDB by itself does not read Lance.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from chunky.errors import LakeError
from chunky.lens import define
from chunky.tables import CONTRACT_VERSION, TABLES
from chunky.warehouse import Warehouse

_MARK = "chunky_catalog"  # a macro of this name says that the file is ours to replace


@dataclass(frozen=True)
class Exported:
    """The file written, how many views and macros it has, and the tables that it cannot have (Lance)."""

    file: Path
    views: int
    macros: int
    left_out: tuple[str, ...] = ()


def export_duckdb(lake: Warehouse, file: Path, is_relative: bool = False) -> Exported:
    """Write the catalog of `lake` to `file`, by rename.

    With `is_relative` the views name the lake's files relative to the folder of `file` (both move together; DuckDB
    finds them when it runs in that folder). LakeError when `file` is something else than such a catalog.
    """
    file = file.absolute()
    if not file.parent.is_dir():
        raise LakeError(f"the folder {file.parent} does not exist", "make it first")
    if file.exists() or file.is_symlink():
        _check_ours(file)
    wal = file.with_name(f"{file.name}.wal")
    if wal.exists():
        raise LakeError(f"{file} is open for writing ({wal.name} lies beside it)", "close the program that has it open")
    root = lake.root.resolve()
    base = file.parent.resolve() if is_relative else None
    if base is not None and not root.is_relative_to(base):
        raise LakeError(
            f"the lake {root} does not lie below {base}",
            "put the file beside or above the lake, or leave out --relative",
        )
    temporary = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    try:
        exported = _write(Warehouse(root), temporary, base)
        os.replace(temporary, file)
    finally:
        for left in (temporary, temporary.with_name(f"{temporary.name}.wal")):
            left.unlink(missing_ok=True)
    return replace(exported, file=file)


def _write(lake: Warehouse, path: Path, base: Path | None) -> Exported:
    with duckdb.connect(str(path)) as connection:
        if base is not None:
            # views are bound when they are made, relative paths against the working folder or this search path
            connection.execute("set file_search_path = ?", [str(base)])
        define(connection, lake, base, has_vectors=False)
        connection.execute(f"create macro {_MARK}() as {CONTRACT_VERSION:d}")
        counts = connection.execute(
            "select (select count(*) from duckdb_views() where not internal), "
            "(select count(distinct schema_name || function_name) from duckdb_functions() where not internal)"
        ).fetchall()[0]
        connection.execute("checkpoint")
    left_out = tuple(name for name, entry in TABLES.items() if entry.storage == "lance")
    return Exported(path, int(counts[0]), int(counts[1]) - 1, left_out)


def _check_ours(file: Path) -> None:
    """LakeError unless `file` is a catalog that `export_duckdb` made and that holds no table of anybody's."""
    is_ours = False
    if file.is_file() and not file.is_symlink():
        try:
            with duckdb.connect(str(file), read_only=True, config={"enable_external_access": False}) as connection:
                is_ours = connection.execute(
                    "select (select count(*) from duckdb_functions() where function_name = ?) > 0 "
                    "and (select count(*) from duckdb_tables() where not internal) = 0",
                    [_MARK],
                ).fetchall()[0][0]
        except duckdb.Error:
            is_ours = False
    if not is_ours:
        raise LakeError(f"{file} is not a catalog that chunky exported", "name a file that does not exist yet")
