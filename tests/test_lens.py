"""The lens: every table is a view with its meaning attached, in one unchanging state, wherever the lake lies."""

from __future__ import annotations

from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pytest

from chunky import lens as lens_module
from chunky.errors import LakeError
from chunky.files import sql_text
from chunky.lens import Lens, duckdb_type, literal
from chunky.settings import Settings
from chunky.tables import COLUMNS, TABLES
from chunky.warehouse import Warehouse


def put(lake: Warehouse, chunk: str, rows: int) -> None:
    table = pa.Table.from_pylist(
        [
            {
                "phrase_id": i,
                "side": "query",
                "phrase": f"p{i}",
                "position": "anywhere",
                "tokens": 1,
                "chunk": chunk,
                "rows": rows,
            }
            for i in range(rows)
        ],
        schema=TABLES["keywords.counts"].arrow_schema,
    )
    with lake.transaction("keywords.counts") as transaction:
        transaction.write("keywords.counts", table, {"fingerprint": f"{chunk}{rows}"}, (chunk,))


def count(lens: Lens) -> int:
    return lens.table("select count(*) as n from keywords.counts")["n"][0].as_py()  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Lens:
    return Lens(Warehouse(tmp_path_factory.mktemp("empty")))


@pytest.mark.parametrize("entry", TABLES.values(), ids=lambda entry: entry.name)
def test_an_absent_table_is_an_empty_view_with_the_catalog_s_types(empty: Lens, entry: object) -> None:
    found = empty.table(f"select * from {entry.name}")  # type: ignore[attr-defined]
    assert found.num_rows == 0
    columns = empty.table(f"describe {entry.name}")  # type: ignore[attr-defined]
    kinds = dict(zip(columns["column_name"].to_pylist(), columns["column_type"].to_pylist(), strict=True))
    assert kinds == {name: duckdb_type(COLUMNS[name].type).upper() for name in entry.column_names}  # type: ignore[attr-defined]


def test_types_are_the_same_with_and_without_rows(lake: Warehouse) -> None:
    with Lens(lake) as lens:
        absent = lens.table("describe keywords.counts").to_pylist()
    put(lake, "a", 1)
    with Lens(lake) as lens:
        assert lens.table("describe keywords.counts").to_pylist() == absent


def test_every_view_and_column_carries_its_meaning(empty: Lens) -> None:
    views = empty.table(
        "select schema_name || '.' || view_name as name, comment from duckdb_views() where not internal"
    )
    comments = dict(zip(views["name"].to_pylist(), views["comment"].to_pylist(), strict=True))
    assert comments == {name: f"one row: {entry.grain}" for name, entry in TABLES.items()}
    columns = empty.table(
        "select schema_name || '.' || table_name as name, column_name, comment from duckdb_columns() where not internal"
    ).to_pylist()
    found = {(row["name"], row["column_name"]): row["comment"] for row in columns}
    assert found == {
        (name, column): COLUMNS[column].meaning for name, entry in TABLES.items() for column in entry.column_names
    }


def test_a_lake_may_lie_in_any_folder(tmp_path: Path) -> None:
    for neighbor in ("a1b", "star", "qax", "A", "a"):  # what a glob pattern or an escape would also match
        put(Warehouse(tmp_path / neighbor), "other", 5)
    for name in ("it's a lake", "with space", "漢字é", "a[1]b", "st*r", "q?x", "k=v", "%41", "{a,b}", 'say "x"'):
        lake = Warehouse(tmp_path / name)
        put(lake, "a'b [x] *", 2)
        with Lens(lake) as lens:
            assert lens.table("select distinct chunk, rows from keywords.counts").to_pylist() == [
                {"chunk": "a'b [x] *", "rows": 2}
            ]


def test_a_session_keeps_its_state_while_the_next_sees_the_new_one(lake: Warehouse) -> None:
    put(lake, "a", 2)
    with Lens(lake) as first:
        assert count(first) == 2
        put(lake, "a", 5)
        put(lake, "b", 1)
        with Lens(lake) as second:
            assert count(second) == 6
        assert count(first) == 2


def test_a_session_over_a_relative_folder_survives_a_change_of_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    lake = Warehouse("lake")
    put(lake, "a", 2)
    with Lens(lake) as lens:
        monkeypatch.chdir("/")
        assert count(lens) == 2


def test_a_missing_data_file_is_named_with_a_remedy(lake: Warehouse) -> None:
    put(lake, "a", 2)
    lake.files("keywords.counts")[0].unlink()
    with pytest.raises(LakeError, match=r"keywords\.counts"):
        Lens(lake)


def test_views_over_relative_paths_move_with_the_lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = Warehouse(tmp_path / "before")
    put(lake, "a", 2)
    with duckdb.connect(str(lake.root / "catalog.duckdb")) as connection:
        lens_module.define(connection, lake, base=lake.root)
    (tmp_path / "before").rename(tmp_path / "after")
    monkeypatch.chdir(tmp_path / "after")
    with duckdb.connect("catalog.duckdb", read_only=True) as connection:
        assert connection.execute("select count(*) from keywords.counts").fetchall() == [(2,)]


def test_session_variables_are_bound_not_pasted(lake: Warehouse) -> None:
    with Lens(lake) as lens:
        hostile = "'; drop schema corpus cascade; --"
        lens.set({"chunk": hostile, "none": None, "many": [1, 2]})
        row = lens.table(
            "select getvariable('chunk') as a, getvariable('none') as b, getvariable('many') as c"
        ).to_pylist()[0]
        assert row == {"a": hostile, "b": None, "c": [1, 2]}
        for name in ("a b", "x = 1; --", "A", ""):
            with pytest.raises(LakeError, match="parameter name"):
                lens.set({name: 1})


def test_batches_stream_all_rows_in_bounded_pieces(lake: Warehouse) -> None:
    put(lake, "a", 50)
    with Lens(lake) as lens:
        batches = list(
            lens.batches("select phrase_id from keywords.counts where rows = ? order by phrase_id", [50], rows=20)
        )
    assert [value for batch in batches for value in batch["phrase_id"].to_pylist()] == list(range(50))
    assert max(batch.num_rows for batch in batches) <= 2048  # DuckDB's vector size is the least it hands out


def test_a_second_stream_is_refused_loudly_and_harms_nothing(lake: Warehouse) -> None:
    sql = "select i from range(500000) t(i) order by i"
    with Lens(lake) as lens:
        one = lens.batches(sql, rows=100_000)
        got = next(one)["i"].to_pylist()
        with pytest.raises(duckdb.Error, match="open result"):
            next(lens.batches(sql))
        for batch in one:
            got += batch["i"].to_pylist()
        assert got == list(range(500_000))
        unfinished = lens.batches(sql, rows=100_000)
        next(unfinished)
        unfinished.close()
        assert lens.table("select 1 as x")["x"].to_pylist() == [1]


def test_registered_frames_last_for_the_block(lake: Warehouse) -> None:
    with Lens(lake) as lens:
        with lens.registered(mine=pl.DataFrame({"x": [1, 2]}), yours=pa.table({"y": [3]})):
            assert lens.table("select sum(x) + any_value(y) as s from mine, yours")["s"].to_pylist() == [6]
        with pytest.raises(duckdb.CatalogException):
            lens.table("select * from mine")


def test_a_sql_model_runs_with_parameters(lake: Warehouse) -> None:
    with Lens(lake) as lens:
        assert list(lens.model("corpus.chunks", unused=1)) == []
        assert lens.table("select getvariable('unused') as x")["x"].to_pylist() == [1]
        assert lens.table(sql_text("corpus.chunks")).column_names == list(TABLES["corpus.chunks"].column_names)


def test_settings_reach_the_session(lake: Warehouse) -> None:
    settings = Settings.model_validate({"engine": {"threads": 1, "memory_limit": "1GB"}})
    with Lens(lake, settings) as lens:
        assert lens.table("select current_setting('threads') as t")["t"].to_pylist() == [1]


def test_a_session_loads_nothing_from_the_network(lake: Warehouse) -> None:
    with Lens(lake) as lens:
        for name in ("autoinstall_known_extensions", "autoload_known_extensions"):
            assert lens.table("select current_setting(?) as value", [name])["value"].to_pylist() == [False]


@pytest.mark.parametrize("text", ["plain", "it's", "''", "back\\slash", "new\nline", "漢字"])
def test_a_literal_reads_back(text: str) -> None:
    assert duckdb.execute(f"select {literal(text)}").fetchall() == [(text,)]


def test_a_literal_with_nul_is_refused() -> None:
    with pytest.raises(LakeError, match="NUL"):
        literal("a\0b")


def test_no_bar_runs_through_what_is_printed(empty: Lens) -> None:
    """DuckDB draws it on stdout when a query takes long, among results and JSON."""
    assert empty.table("select current_setting('enable_progress_bar') as shown")["shown"].to_pylist() == [False]
