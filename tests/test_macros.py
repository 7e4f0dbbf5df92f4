"""Every macro file carries its own assertions; here they run, over the ten rows of small_lake."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from chunky.files import sql_folder
from chunky.lens import Lens
from chunky.sql_files import Macro, macros, pages
from chunky.warehouse import Warehouse
from tests.small_lake import fill

MACROS = macros()


@pytest.fixture(scope="module")
def lens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lens]:
    with Lens(fill(Warehouse(tmp_path_factory.mktemp("macros") / "lake"))) as opened:
        yield opened


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lens]:
    with Lens(Warehouse(tmp_path_factory.mktemp("empty") / "lake")) as opened:
        yield opened


def assertions(macro: Macro) -> list[str]:
    return [line for line in macro.tests.splitlines() if line]


@pytest.mark.parametrize("macro", MACROS, ids=lambda macro: macro.name)
def test_assertions_of_the_file_hold(macro: Macro, lens: Lens) -> None:
    for assertion in assertions(macro):
        rows = lens.connection.execute(assertion.rstrip(";")).fetchall()
        assert rows == [(True,)], assertion  # a select without rows would prove nothing


@pytest.mark.parametrize("macro", MACROS, ids=lambda macro: macro.name)
def test_every_macro_asserts_an_ordinary_case_an_edge_and_a_null(macro: Macro) -> None:
    lines = assertions(macro)
    assert len(lines) >= 3
    assert all(line.startswith("select stats.equals(") and line.endswith(";") for line in lines)
    assert all(macro.name in line for line in lines)
    assert any("null" in line for line in lines)


@pytest.mark.parametrize("macro", MACROS, ids=lambda macro: macro.name)
def test_the_path_is_the_name(macro: Macro, lens: Lens) -> None:
    found = lens.connection.execute(
        "select function_type from duckdb_functions() where schema_name || '.' || function_name = ?", [macro.name]
    ).fetchall()
    assert found == [("table_macro" if macro.is_table else "macro",)]
    assert macro.definition.rstrip().endswith(";")
    assert f"create or replace macro {macro.name}(" in macro.definition


def test_a_false_assertion_fails(lens: Lens) -> None:
    with pytest.raises(duckdb.Error, match="expected 2, got 1"):
        lens.connection.execute("select stats.equals(1, 2)").fetchall()


@pytest.mark.parametrize("macro", [macro for macro in MACROS if macro.is_table], ids=lambda macro: macro.name)
def test_table_macros_run_on_an_empty_lake(macro: Macro, empty: Lens) -> None:
    """An absent table is an empty table: no rows, or one row of zeros and nulls."""
    arguments = ", ".join(["null"] * (macro.signature.count(",") + 1))
    rows = empty.connection.execute(f"from {macro.name}({arguments})").fetchall()
    assert all(value in (0, None) for row in rows for value in row)


def test_the_page_of_macros_is_fresh() -> None:
    page = sql_folder().parent / "docs" / "macros.md"
    assert page.read_text(encoding="utf-8") == pages()[page], "stale: python -m chunky.sql_files"


def test_a_wrong_header_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "macros" / "corpus"
    folder.mkdir(parents=True)
    (folder / "odd.sql").write_text("-- something\n-- paper: own\ncreate or replace macro corpus.odd() as 1;\n")
    monkeypatch.setattr("chunky.sql_files.sql_folder", lambda: tmp_path)
    with pytest.raises(ValueError, match=r"odd\.sql"):
        macros()
