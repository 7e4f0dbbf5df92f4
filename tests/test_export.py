"""The exported catalog opens in another process, holds no fact, and never replaces anybody else's file."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

from chunky.errors import LakeError
from chunky.export import export_duckdb
from chunky.tables import TABLES
from chunky.warehouse import Warehouse
from tests.small_lake import fill

COUNT = "select count(*) as n from corpus.rows"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    return fill(Warehouse(tmp_path_factory.mktemp("export") / "home" / "lake"))


def elsewhere(file: Path, sql: str, folder: Path | None = None) -> list[list[Any]]:
    """Rows of `sql` asked in another process that opens `file` read-only."""
    code = (
        "import duckdb, json, sys\n"
        "with duckdb.connect(sys.argv[1], read_only=True) as connection:\n"
        "    print(json.dumps(connection.execute(sys.argv[2]).fetchall()))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(file), sql], capture_output=True, text=True, check=True, cwd=folder, timeout=60
    )
    rows: list[list[Any]] = json.loads(done.stdout)
    return rows


def test_another_process_reads_views_macros_and_comments(lake: Warehouse, tmp_path: Path) -> None:
    file = tmp_path / "lake.duckdb"
    written = export_duckdb(lake, file)
    assert written.left_out == tuple(name for name, entry in TABLES.items() if entry.storage == "lance")
    assert written.views == len(TABLES) - len(written.left_out)
    assert elsewhere(file, COUNT, tmp_path) == [[10]]
    assert elsewhere(file, "select both_rows from correlations.p_given('two parts', 'I hope')") == [[2]]
    assert elsewhere(file, "select count(*) from duckdb_tables()") == [[0]]
    assert elsewhere(
        file, "select count(*) from duckdb_columns() where schema_name = 'corpus' and comment is null"
    ) == [[0]]
    assert [path.name for path in tmp_path.iterdir()] == ["lake.duckdb"]


def test_an_exported_catalog_is_replaced(lake: Warehouse, tmp_path: Path) -> None:
    file = tmp_path / "lake.duckdb"
    export_duckdb(Warehouse(tmp_path / "empty"), file)
    assert elsewhere(file, COUNT) == [[0]]
    export_duckdb(lake, file)
    assert elsewhere(file, COUNT) == [[10]]


def test_a_relative_catalog_moves_with_its_lake(tmp_path: Path) -> None:
    home = tmp_path / "home"
    fill(Warehouse(home / "lake"))
    export_duckdb(Warehouse(home / "lake"), home / "lake.duckdb", is_relative=True)
    moved = home.rename(tmp_path / "moved")
    assert elsewhere(Path("lake.duckdb"), COUNT, moved) == [[10]]


def test_a_relative_catalog_needs_the_lake_below_it(lake: Warehouse, tmp_path: Path) -> None:
    with pytest.raises(LakeError, match="--relative"):
        export_duckdb(lake, tmp_path / "lake.duckdb", is_relative=True)


def _text(path: Path) -> None:
    path.write_text("my notes")


def _database(path: Path) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute("create table mine as select 1 as n")


def _catalog_with_a_table(path: Path) -> None:
    export_duckdb(Warehouse(path.parent / "empty"), path)
    with duckdb.connect(str(path)) as connection:
        connection.execute("create table mine as select 1 as n")


def _folder(path: Path) -> None:
    path.mkdir()


def _link(path: Path) -> None:
    path.with_name("target").write_text("my notes")
    path.symlink_to(path.with_name("target"))


@pytest.mark.parametrize("make", [_text, _database, _catalog_with_a_table, _folder, _link])
def test_what_is_not_ours_is_left_alone(make: Any, lake: Warehouse, tmp_path: Path) -> None:
    file = tmp_path / "lake.duckdb"
    make(file)
    before = None if file.is_dir() else file.read_bytes()
    with pytest.raises(LakeError, match="is not a catalog that chunky exported"):
        export_duckdb(lake, file)
    assert before is None or file.read_bytes() == before


def test_a_missing_folder_and_a_log_beside_the_file(lake: Warehouse, tmp_path: Path) -> None:
    with pytest.raises(LakeError, match="does not exist"):
        export_duckdb(lake, tmp_path / "no" / "lake.duckdb")
    (tmp_path / "lake.duckdb.wal").write_bytes(b"")
    with pytest.raises(LakeError, match="open for writing"):
        export_duckdb(lake, tmp_path / "lake.duckdb")
