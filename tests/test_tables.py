"""The catalog keeps its own rules, and one name means one thing in five places."""

from __future__ import annotations

import ast
import importlib.util
import re
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest

from chunky import tables
from chunky.errors import MissingTable
from chunky.files import sql_folder
from chunky.lens import Lens
from chunky.stages import AUDIT_STAGES, BY_TABLE, STAGES
from chunky.tables import COLUMNS, TABLES, Table, arrow_type
from chunky.warehouse import Warehouse

EVERY = pytest.mark.parametrize("entry", TABLES.values(), ids=lambda entry: entry.name)


def defined(call_name: str) -> list[str]:
    """First arguments of all calls of `call_name` in the catalog's source: a dict would hide a second definition."""
    tree = ast.parse(Path(tables.__file__).read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    return [
        call.args[0].value
        for call in calls
        if call.func.id == call_name and call.args and isinstance(call.args[0], ast.Constant)  # type: ignore[attr-defined]
    ]  # type: ignore[misc]


@pytest.mark.parametrize(("call_name", "catalog"), [("Column", COLUMNS), ("Table", TABLES)])
def test_nothing_is_defined_twice(call_name: str, catalog: dict[str, object]) -> None:
    assert [name for name, times in Counter(defined(call_name)).items() if times > 1] == []
    assert set(defined(call_name)) == set(catalog)


def test_every_column_is_used_and_every_used_column_defined() -> None:
    used = {name for entry in TABLES.values() for name in entry.column_names}
    assert used == set(COLUMNS)


@pytest.mark.parametrize("column", COLUMNS.values(), ids=lambda column: column.name)
def test_a_column_has_type_meaning_and_consistent_bounds(column: tables.Column) -> None:
    kind = arrow_type(column.type)
    assert isinstance(kind, pa.DataType)
    assert len(column.meaning) > 10
    assert not column.meaning.endswith(".")
    bounds = [bound for bound in (column.minimum, column.maximum) if bound is not None]
    assert bounds == sorted(bounds)
    assert not bounds or pa.types.is_integer(kind) or pa.types.is_floating(kind)
    assert not column.values or pa.types.is_string(kind)
    assert column.name == column.name.lower()
    assert (column.name.endswith("_id") and column.name != "conversation_id") <= (column.type == "int64")
    assert (column.name.endswith("_share")) <= ((column.minimum, column.maximum) == (0, 1))
    assert column.name.startswith(("is_", "has_")) == (column.type == "bool")


def test_no_two_columns_mean_the_same() -> None:
    assert [text for text, times in Counter(column.meaning for column in COLUMNS.values()).items() if times > 1] == []


@EVERY
def test_a_table_is_well_formed(entry: Table) -> None:
    assert entry.grain
    assert len(set(entry.column_names)) == len(entry.column_names)
    assert entry.key
    assert set(entry.key) <= set(entry.column_names)
    assert not set(entry.key) & entry.nullable, "a key must be known"
    assert entry.partition in ("", "chunk", "file", "audit", "seed")
    assert not entry.partition or entry.partition in entry.column_names
    assert entry.arrow_schema.names == list(entry.column_names)
    assert {field.name for field in entry.arrow_schema if field.nullable} == entry.nullable
    for watch in entry.watches:
        assert watch.column in entry.column_names
        assert watch.kind in ("null_share", "mean", "median", "max_share", "rows")
        assert watch.low <= watch.high


@EVERY
def test_references_point_to_columns_of_the_same_type(entry: Table) -> None:
    for reference in entry.references:
        target = TABLES[reference.table]
        assert reference.target in target.column_names
        assert entry.column(reference.column).type == target.column(reference.target).type


def test_unknown_names_are_errors_with_a_hint() -> None:
    with pytest.raises(MissingTable, match=r"did you mean corpus\.rows"):
        tables.table("corpus.row")
    with pytest.raises(KeyError):
        TABLES["corpus.rows"].column("phrase")
    with pytest.raises(ValueError, match="nonsense"):
        arrow_type("list<nonsense>")


@pytest.fixture(scope="module")
def views(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    with Lens(Warehouse(tmp_path_factory.mktemp("lake"))) as lens:
        rows = lens.table("select schema_name || '.' || view_name as name from duckdb_views() where not internal")
    return set(rows["name"].to_pylist())


@EVERY
def test_one_name_in_five_places(entry: Table, views: set[str], tmp_path: Path) -> None:
    assert TABLES[entry.name] is entry
    assert entry.name in views
    assert Warehouse(tmp_path).folder(entry.name) == tmp_path / entry.schema_name / entry.short_name
    assert (entry.name in BY_TABLE) != entry.is_view
    model = (sql_folder() / entry.schema_name / entry.short_name).with_suffix(".sql")
    if model.exists():
        header = model.read_text(encoding="utf-8").splitlines()[:3]
        assert header[0].startswith(f"-- {entry.name}: ")
        assert header[1].startswith("-- grain: one row per ")
        assert header[2].startswith("-- paper: ")
    else:
        assert not entry.is_view, "a view is a SQL model"


def test_no_sql_model_is_a_stranger() -> None:
    models = [
        path for path in sql_folder().rglob("*.sql") if path.parent.name in {stage.split(".")[0] for stage in TABLES}
    ]
    models = [path for path in models if path.parent.parent == sql_folder()]
    assert models
    # columns of turf.triggers, counted once triggers are chosen; what failures ask of turf.null_hits and row_sentences
    parts_of_tables = {"turf.extents", "turf.null_levels", "turf.like_rows"}
    assert {f"{path.parent.name}.{path.stem}" for path in models} <= set(TABLES) | parts_of_tables


def test_every_promise_is_a_file_and_every_file_a_promise() -> None:
    promised = {promise.name: entry for entry in TABLES.values() for promise in entry.promises}
    files = {path.stem: path for path in (sql_folder() / "promises").glob("*.sql")}
    assert set(promised) == set(files)
    for name, path in files.items():
        text, entry = path.read_text(encoding="utf-8"), promised[name]
        header = text.splitlines()[:2]
        assert header[0].startswith(f"-- {entry.name}: ")
        assert header[1].startswith("-- paper: ")
        code = "\n".join(line for line in text.splitlines() if not line.startswith("--"))
        named = {table for table in TABLES if re.search(rf"\b{re.escape(table)}\b", code)}
        (promise,) = (one for one in entry.promises if one.name == name)
        assert named == {entry.name, *promise.reads}


def test_asset_keys_are_table_names() -> None:
    if (
        importlib.util.find_spec("dagster_project") is None
        or importlib.util.find_spec("dagster_project.definitions") is None
    ):
        pytest.skip("no Dagster project in this checkout yet")
    from dagster_project import definitions

    found = next(value for value in vars(definitions).values() if hasattr(value, "resolve_all_asset_specs"))
    names = {".".join(spec.key.path) for spec in found.resolve_all_asset_specs()}
    assert names == {entry.name for entry in TABLES.values() if not entry.is_view}
    assert set(BY_TABLE) == names
    assert STAGES
    assert {name for step in AUDIT_STAGES for name in step.tables} == {
        entry.name for entry in TABLES.values() if entry.partition in ("audit", "seed")
    }
